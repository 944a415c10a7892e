"""Conditions on a case: which cases an expectation is about, by what they are instead of by their ids.

    where = { precision = "int8", quantized_output = true, channels_per_group = "< 4" }

All keys of a condition must hold. A key with a list of values holds if one of them matches. A property with one value
for each axis, such as the stride, matches if it does on one axis.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueName
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.types import Constraint, Format, Misuse, Model, PaddingMode, Precision, WeightsBy
from trt_conformance.core.words import shown
from trt_conformance.numerics.reference.shape import layer_output

_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_COMPARISON = re.compile(r"\s*(<=|>=|==|!=|<|>)\s*(\d{1,18})\s*")


def _listed(value: Any) -> Any:
    """A value alone is a list of one."""
    return value if isinstance(value, (list, tuple)) else [value]


def _number(value: Any) -> str:
    """The text of a condition on a number: an integer is compared for equality."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"== {value}"
    if isinstance(value, str) and all(_COMPARISON.fullmatch(part) for part in value.split(",")):
        return value
    raise ValueError(f'expected an integer, or comparisons like "< 4" or ">= 2, < 8", got {shown(value)}')


T = TypeVar("T")
OneOrMore = Annotated[tuple[T, ...], BeforeValidator(_listed), Field(strict=False, min_length=1)]
"""A value, or several in a list."""
Numbers = OneOrMore[Annotated[str, BeforeValidator(_number)]]
"""Alternative comparisons of a number, such as ``< 4``; all parts of ``>= 2, < 8`` must hold."""


class Where(Model):
    """A condition: what is stated must hold for the case, and what is not stated may be anything."""

    precision: OneOrMore[Precision] | None = None
    spatial_rank: Numbers | None = None
    batch: Numbers | None = None
    dimensions_before_batch: Numbers | None = None
    channels: Numbers | None = None
    num_output_maps: Numbers | None = None
    num_groups: Numbers | None = None
    channels_per_group: Numbers | None = None
    maps_per_group: Numbers | None = None
    kernel_size: Numbers | None = None
    stride: Numbers | None = None
    dilation: Numbers | None = None
    padding: Numbers | None = None
    padding_mode: OneOrMore[PaddingMode] | None = None
    largest_tensor: Numbers | None = None
    bias: bool | None = None
    dynamic: OneOrMore[Literal["batch", "channels", "spatial"]] | None = None
    quantized_operands: OneOrMore[Literal["input", "kernel", "both"]] | None = None
    quantized_output: bool | None = None
    io_quantization: bool | None = None
    scale_per_map: bool | None = None
    format: OneOrMore[Format] | None = None
    input_format: OneOrMore[Format] | None = None
    output_format: OneOrMore[Format] | None = None
    format_padding: OneOrMore[Literal["zeros", "nan"]] | None = None
    weights: OneOrMore[WeightsBy] | None = None
    epilogue: OneOrMore[EpilogueName] | None = None
    misuse: OneOrMore[Misuse] | None = None
    constraint: OneOrMore[Constraint] | None = None

    def holds(self, case: Case) -> bool:
        """Whether every stated property of the case is as stated."""
        return all(self._states(name, PROPERTIES[name](case)) for name in self.model_fields_set)

    def _states(self, name: str, values: Iterable[object]) -> bool:
        wanted = getattr(self, name)
        if isinstance(wanted, bool):
            return wanted in values
        return any(_satisfies(value, one) for value in values for one in wanted)


Anywhere = OneOrMore[Where]
"""Alternative conditions: one of them must hold."""


def _satisfies(value: object, wanted: str) -> bool:
    if not isinstance(value, int):
        return value == wanted
    found = (_COMPARISON.fullmatch(part) for part in wanted.split(","))
    return all(match is not None and _OPERATORS[match[1]](value, int(match[2])) for match in found)


def _largest(case: Case) -> tuple[int, ...]:
    """The elements of the largest tensor: an input or an output of the network, or the kernel."""
    sizes = [math.prod(case.kernel.shape)]
    for shape in case.run_shapes:
        sizes.append(math.prod(shape))
        try:
            sizes.append(math.prod(layer_output(case, shape)))
        except InvalidConvolution:
            continue
    return (max(sizes),)


def _channels(case: Case) -> tuple[int, ...]:
    return case.layer_shape(case.input.shape)[-case.spatial_rank - 1 :][:1]


def _dynamic(case: Case) -> set[str]:
    """The kinds of dimensions that are known only at run time."""
    names = ["channels", *["spatial"] * case.spatial_rank]
    names = ["batch"] * (len(case.network_shape) - len(names)) + names
    return {name for name, size in zip(reversed(names), reversed(case.network_shape), strict=False) if size == -1}


PROPERTIES: Mapping[str, Callable[[Case], Iterable[object]]] = {
    "precision": lambda case: (case.precision,),
    "spatial_rank": lambda case: (case.spatial_rank,),
    "batch": lambda case: {math.prod(shape[: -case.spatial_rank - 1]) for shape in case.run_shapes},
    "dimensions_before_batch": lambda case: (len(case.input.shape) - case.spatial_rank - 2,),
    "channels": _channels,
    "num_output_maps": lambda case: case.kernel.shape[:1],
    "num_groups": lambda case: (case.attributes.groups,),
    "channels_per_group": lambda case: case.kernel.shape[1:2],
    "maps_per_group": lambda case: (case.kernel.shape[0] // max(1, case.attributes.groups),),
    "kernel_size": lambda case: case.kernel.shape[2:],
    "stride": lambda case: case.attributes.stride,
    "dilation": lambda case: case.attributes.dilation,
    "padding": lambda case: (*case.attributes.pre, *case.attributes.post),
    "padding_mode": lambda case: (case.attributes.mode,),
    "largest_tensor": _largest,
    "bias": lambda case: (case.bias != "none",),
    "dynamic": _dynamic,
    "quantized_operands": lambda case: (case.quantize.only or "both" if case.quantize is not None else None,),
    "quantized_output": lambda case: (case.quantize is not None and case.quantize.output is not None,),
    "io_quantization": lambda case: (case.quantize is not None and case.quantize.io_quantization,),
    "scale_per_map": lambda case: (case.quantize is not None and len(case.quantize.kernel) > 1,),
    "format": lambda case: (case.formats.input, case.formats.output),
    "input_format": lambda case: (case.formats.input,),
    "output_format": lambda case: (case.formats.output,),
    "format_padding": lambda case: (case.formats.padding,),
    "weights": lambda case: (case.weights,),
    "epilogue": lambda case: tuple(step.op for step in case.epilogue),
    "misuse": lambda case: (case.misuse,),
    "constraint": lambda case: (case.reject.constraint if case.reject is not None else None,),
}
"""What a condition may state of a case: the values of each property."""
