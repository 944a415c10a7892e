"""What the condition of a wrong convolution may be about."""

from __future__ import annotations

import math
from collections.abc import Callable

from trt_conformance.core.case import Case
from trt_conformance.numerics.reference.shape import layer_output

Holds = Callable[[Case], bool]


def maps(case: Case) -> int:
    return case.kernel.shape[0]


def channels(case: Case) -> int:
    """Of one group."""
    return case.kernel.shape[1]


def groups(case: Case) -> int:
    return case.attributes.groups


def window(case: Case) -> tuple[int, ...]:
    return case.kernel.shape[2:]


def taps(case: Case) -> int:
    return math.prod(window(case))


def batch(case: Case) -> int:
    return case.layer_shape(case.run_shapes[0])[0]


def sizes(case: Case) -> tuple[int, ...]:
    """Of the input's spatial axes."""
    return case.layer_shape(case.run_shapes[0])[-case.spatial_rank :]


def outs(case: Case) -> tuple[int, ...]:
    """Of the output's spatial axes."""
    return layer_output(case, case.run_shapes[0])[-case.spatial_rank :]


def pixels(case: Case) -> int:
    return math.prod(outs(case))


def strides(case: Case) -> tuple[int, ...]:
    return case.attributes.stride


def dilations(case: Case) -> tuple[int, ...]:
    return case.attributes.dilation


def depthwise(case: Case) -> bool:
    return groups(case) > 1 and channels(case) == 1


def biased(case: Case) -> bool:
    return case.bias != "none"


def ends_in(case: Case, op: str) -> bool:
    return any(step.op == op for step in case.epilogue)


def spans(case: Case) -> tuple[int, ...]:
    return tuple(1 + d * (f - 1) for f, d in zip(window(case), dilations(case), strict=True))


def plain(case: Case) -> bool:
    return max(strides(case)) == max(dilations(case)) == 1


def precisions(*names: str) -> Holds:
    return lambda case: case.precision in names


def scales_of_maps(case: Case) -> int:
    """How many scales the kernel has; 0 where nothing is quantized."""
    return 0 if case.quantize is None else len(case.quantize.kernel)
