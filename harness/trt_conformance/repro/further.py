"""Further layers after the layer as TensorRT code, and what they compute as NumPy code."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import FurtherLayer
from trt_conformance.repro.scaling import ScalingCode, per_map_code
from trt_conformance.repro.tensors import fill_code, rounded_code, weights_code

FURTHER = [
    "def further(y, w, b, stride, padding, dilation, groups):  # a layer that reads y, in float64",
    "    along = zip(y.shape[2 - w.ndim:], w.shape[2:], stride, padding, dilation)",
    "    size = tuple((n + 2 * p - (f - 1) * d - 1) // s + 1 for n, f, s, p, d in along)",
    "    return convolve(y, w, b, tuple((p, p) for p in padding), size, stride, dilation, groups)",
]
"""The definition of a further layer, which calls ``convolve``."""


def layer_number(case: Case, index: int) -> int:
    """The number of the further layer that the operation of this index is; the case's own layer is the first."""
    return 2 + sum(step.layer is not None for step in case.epilogue[:index])


def further_data_lines(case: Case) -> list[str]:
    """Assign ``kernel_2``, ``bias_2``, …: the weights of the further layers."""
    lines = []
    for index, step in enumerate(case.epilogue):
        if (layer := step.layer) is None:
            continue
        n = layer_number(case, index)
        lines.append(f"kernel_{n} = {rounded_code(fill_code(layer.fill, layer.shape, layer.seed), case.data_type)}")
        if layer.bias is not None:
            bias = fill_code(layer.bias, layer.shape[:1], layer.seed + 1)
            lines.append(f"bias_{n} = {rounded_code(bias, case.data_type)}")
    return lines


def further_layer_lines(
    case: Case, n: int, layer: FurtherLayer, scaling: ScalingCode | None, strong: bool
) -> list[str]:
    """Add the further layer with the number ``n`` after ``tensor``."""
    lines, kernel, name = [], weights_code(case, f"kernel_{n}"), f"layer_{n}"
    if layer.scale is not None:
        assert scaling is not None
        lines += [f"weights = constant(kernel_{n}.shape, kernel_{n})", *scaling.rescaled("weights", layer.scale)]
        kernel = "trt.Weights()"
    bias = "" if layer.bias is None else f", {weights_code(case, f'bias_{n}')}"
    maps, window = layer.shape[0], layer.shape[2:]
    lines.append(f"{name} = network.add_convolution_nd(tensor, {maps}, {window}, {kernel}{bias})")
    lines += [f"{name}.set_input(1, weights)"] * (layer.scale is not None)
    lines += [f"{name}.{attribute} = {value}" for attribute, value in layer.assignments.items()]
    if not strong and case.precision == "fp16":
        lines += [f"{name}.precision = trt.DataType.HALF", f"{name}.set_output_type(0, trt.DataType.HALF)"]
    return [*lines, f"tensor = {name}.get_output(0)"]


def expected_layer_line(n: int, layer: FurtherLayer) -> str:
    """Apply the further layer with the number ``n`` to ``expected``."""
    a, kernel = layer.attributes, f"kernel_{n}"
    if layer.scale is not None:
        kernel = f"qdq({kernel}.astype(float), {per_map_code(layer.scale, len(layer.shape))})"
    bias = "None" if layer.bias is None else f"bias_{n}"
    return f"expected = further(expected, {kernel}, {bias}, {a.stride}, {a.pre}, {a.dilation}, {a.groups})"
