"""The attributes of a convolution layer, with TensorRT's names and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from trt_conformance.core.types import AttributeValue, Ints, Model, PaddingMode


class Attributes(Model):
    """The layer's attributes after every assignment, one value for each axis."""

    stride: Ints
    pre: Ints
    post: Ints
    dilation: Ints
    groups: int = 1
    mode: PaddingMode = "EXPLICIT_ROUND_DOWN"

    @classmethod
    def after(cls, assignments: dict[str, AttributeValue], rank: int) -> Attributes:
        """Apply assignments in order. ``padding_nd`` sets both pre- and post-padding."""
        values: dict[str, AttributeValue] = {
            "stride": (1,) * rank,
            "pre": (0,) * rank,
            "post": (0,) * rank,
            "dilation": (1,) * rank,
        }
        for name, value in assignments.items():
            for field in ATTRIBUTE_FIELDS[name]:
                values[field] = value
        return cls.model_validate(values)

    def axes(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (stride, pre-padding, post-padding, dilation) of each spatial axis."""
        return zip(self.stride, self.pre, self.post, self.dilation, strict=True)


@lru_cache
def _attributes(assignments: tuple[tuple[str, AttributeValue], ...], rank: int) -> Attributes:
    """Return the attributes of a case, cached because every part of the harness needs them."""
    return Attributes.after(dict(assignments), rank)


# The fields that each assignment sets. The keys are all that `set` may contain. The number of output maps is that of
# the kernel: a case sets it only to be refused.
ATTRIBUTE_FIELDS: dict[str, tuple[str, ...]] = {
    "stride_nd": ("stride",),
    "stride": ("stride",),
    "padding_nd": ("pre", "post"),
    "padding": ("pre", "post"),
    "pre_padding": ("pre",),
    "post_padding": ("post",),
    "padding_mode": ("mode",),
    "dilation_nd": ("dilation",),
    "dilation": ("dilation",),
    "num_groups": ("groups",),
    "num_output_maps": (),
}
