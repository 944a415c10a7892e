"""Tensors in the layouts that the builder chose of several allowed ones, as NumPy code."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.layouts import LAYOUTS

_FUNCTIONS = [
    "def packed_as(x, tensor):  # in the layout that the builder chose for the tensor of this name",
    "    vector, axis, is_major = LAYOUTS[engine.get_tensor_format(tensor).name]",
    "    if not vector:",
    "        return x",
    "    x = np.pad(x, [(0, -n % vector if i == x.ndim + axis else 0) for i, n in enumerate(x.shape)])",
    "    if is_major:",
    "        x = x.reshape(*x.shape[:axis], -1, vector, *x.shape[axis + 1:])",
    "    return np.moveaxis(x, axis, -1)",
    "",
    "",
    "def unpacked_as(y, tensor, shape):  # the other way round",
    "    vector, axis, is_major = LAYOUTS[engine.get_tensor_format(tensor).name]",
    "    if not vector:",
    "        return y",
    "    y = np.moveaxis(y, -1, axis)",
    "    if is_major:",
    "        y = y.reshape(*shape[:axis], -1, *shape[axis + 1:])",
    "    return np.ascontiguousarray(np.take(y, range(shape[axis]), axis))",
]


def layout_lines(case: Case) -> list[str]:
    """Define ``packed_as`` and ``unpacked_as`` where the case allows several layouts."""
    if not case.formats.also:
        return []
    lines = ["LAYOUTS = {  # elements of a vector, the axis of the channels, and whether each vector is a last axis"]
    for name in sorted({case.formats.input, case.formats.output, *case.formats.also}):
        if name == "LINEAR":
            lines.append('    "LINEAR": (0, 0, False),')
        else:
            layout = LAYOUTS[name]
            lines.append(f'    "{name}": ({layout.vector}, {-layout.rank - 1}, {layout.is_major}),')
    return [*lines, "}", "", "", *_FUNCTIONS, "", ""]
