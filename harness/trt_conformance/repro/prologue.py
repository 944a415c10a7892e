"""The operations before the layer as TensorRT code, and what they compute as NumPy code."""

from __future__ import annotations

from collections.abc import Sequence

from trt_conformance.core.case import Case
from trt_conformance.core.prologue_fields import PrologueOperation
from trt_conformance.core.tensors import ADDEND
from trt_conformance.core.types import TYPE_NAME
from trt_conformance.repro.tensors import content_code, rounded_code


def layer_input_name(case: Case) -> str:
    """What holds the layer's input in the code that computes the expected output; ``x`` is the network's."""
    return "given" if case.prologue else "x"


def addend_lines(case: Case) -> list[str]:
    """Assign ``addend``, the content of the network's second input, where it has one."""
    spec = case.addend
    if spec is None:
        return []
    return [f"{ADDEND} = {rounded_code(content_code(spec, spec.shape, spec.values), case.data_type)}"]


def second_input_lines(case: Case) -> list[str]:
    """Add ``second``, the network's second input, where it has one."""
    if case.addend is None:
        return []
    dtype = f"trt.DataType.{TYPE_NAME[case.data_type]}"
    return [f'second = network.add_input("{ADDEND}", {dtype}, {case.addend.shape})']


def preceding_lines(case: Case) -> list[str]:
    """Add the case's operations after ``tensor``, the network's input; ``second`` is its second one."""
    return [line for step in case.prologue for line in _preceding(case, step)]


def layer_input_lines(case: Case) -> list[str]:
    """Compute ``given``, the layer's input, from ``x`` and ``addend``, where operations are before the layer."""
    if not case.prologue:
        return []
    return ["given = x", *(line for step in case.prologue for line in _computed(case, step))]


def pooled_lines(name: str, window: Sequence[int], axis: int, reduction: str) -> list[str]:
    """Replace ``name`` by the result of a NumPy method on each of its windows, which do not overlap.

    ``axis`` is that of the channels, from the end. What fills no window is left out.
    """
    sizes = ", ".join(f"{name}.shape[{axis + 1 + i}] // {n}, {n}" for i, n in enumerate(window))
    cut = ", ".join(f":{name}.shape[{axis + 1 + i}] // {n} * {n}" for i, n in enumerate(window))
    odd = tuple(range(-2 * len(window) + 1, 0, 2))
    return [f"{name} = {name}[..., {cut}].reshape(*{name}.shape[:{axis + 1}], {sizes}).{reduction}(axis={odd})"]


def _preceding(case: Case, step: PrologueOperation) -> list[str]:
    match step.op:
        case "cast":
            return [_added(f"cast(tensor, trt.DataType.{TYPE_NAME[case.data_type]})")]
        case "relu":
            return [_added("activation(tensor, trt.ActivationType.RELU)")]
        case "pad":
            return [_added(f"padding_nd(tensor, {step.pre_padding}, {step.post_padding})")]
        case "slice":
            return [_added(f"slice(tensor, {step.start}, {step.shape}, {step.stride})")]
        case "max_pool":
            return [
                f"pooling = network.add_pooling_nd(tensor, trt.PoolingType.MAX, {step.window})",
                f"pooling.stride_nd = {step.window}",
                "tensor = pooling.get_output(0)",
            ]
        case "concat":
            return [
                "joined = network.add_concatenation([tensor, second])",
                f"joined.axis = {len(case.network_shape) - case.spatial_rank - 1}",
                "tensor = joined.get_output(0)",
            ]


def _added(call: str) -> str:
    return f"tensor = network.add_{call}.get_output(0)"


def _computed(case: Case, step: PrologueOperation) -> list[str]:
    axis = -case.spatial_rank - 1
    match step.op:
        case "cast":
            return []  # the values are whole numbers in both types
        case "relu":
            return ["given = np.maximum(given, 0)"]
        case "pad":
            ends = zip(step.pre_padding or (), step.post_padding or (), strict=True)
            widths = ((0, 0),) * (len(case.network_shape) - 2) + tuple(ends)
            return [f"given = np.pad(given, {widths})"]
        case "slice":
            along = zip(step.start or (), step.shape or (), step.stride or (), strict=True)
            return [f"given = given[{', '.join(_taken(*each) for each in along)}]"]
        case "max_pool":
            return pooled_lines("given", step.window or (), axis, "max")
        case "concat":
            return [f"given = np.concatenate([given, addend], axis={axis})"]


def _taken(start: int, size: int, stride: int) -> str:
    """An index of NumPy that takes ``size`` elements from ``start`` on."""
    return f"{start}:{start + (size - 1) * stride + 1}" + (f":{stride}" if stride != 1 else "")
