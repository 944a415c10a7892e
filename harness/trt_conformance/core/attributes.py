"""The attributes of a convolution layer, with TensorRT's names and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from trt_conformance.core.types import AttributeValue, Ints, Model, PaddingMode


class Attributes(Model):
    """The layer's attributes after every assignment, one value an axis."""

    stride: Ints
    pre: Ints
    post: Ints
    dilation: Ints
    groups: int = 1
    mode: PaddingMode = "EXPLICIT_ROUND_DOWN"

    @classmethod
    def after(cls, assignments: dict[str, AttributeValue], rank: int) -> Attributes:
        """Apply assignments in order. ``padding_nd`` writes the storage of both pre- and post-padding."""
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
        """(stride, pre-padding, post-padding, dilation) of each spatial axis."""
        return zip(self.stride, self.pre, self.post, self.dilation, strict=True)


@lru_cache
def _attributes(assignments: tuple[tuple[str, AttributeValue], ...], rank: int) -> Attributes:
    """Those of a case, which every part of the harness asks for."""
    return Attributes.after(dict(assignments), rank)


# Which fields an assignable attribute writes; the keys are all that `set` may hold.
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
}
