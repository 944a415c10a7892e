"""Programs of large cases: they make the input image by image, and compare one element of the output."""

from __future__ import annotations

from collections.abc import Sequence

from trt_conformance.core.case import Case
from trt_conformance.core.quantization_fields import Operand
from trt_conformance.core.types import Fill
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.reference.shape import Axis, resolve
from trt_conformance.repro.epilogue import ALONE, expected_step_lines
from trt_conformance.repro.scaling import scale_code
from trt_conformance.repro.tensors import STREAM, fill_code, rounded_code

OF_AN_IMAGE: tuple[Fill, ...] = ("zeros", "ones", "tiled_1_to_9", "powers_of_ten")
"""Fills without random words that are the same in each image."""
DTYPES = {"float16": "np.float16"}
"""NumPy's types of tensors; bfloat16 is held in float32."""


def not_large(case: Case) -> str | None:
    """Why no program compares an element of a large case; None if one does."""
    if _image_code(case) is None:
        return "its input is too large for a program, which cannot make it image by image"
    if case.prologue or any(step.op not in ALONE for step in case.epilogue):
        return "its tensors are too large for a program, and an operation of the network reads several elements"
    return None


def large_input_lines(case: Case, shape: Sequence[int]) -> list[str]:
    """Make ``x`` of this shape, one image after the other."""
    code = _image_code(case) or ""
    lines = [f"x = np.empty({tuple(shape)}, {DTYPES.get(case.data_type, 'np.float32')})"]
    if STREAM in code:
        lines.append(f"{STREAM} = np.random.Philox(key={case.input.seed})")
    return [*lines, "for image in x:", f"    image[...] = {code}"]


def compared_element(verdict: Verdict) -> tuple[tuple[int, ...], float] | None:
    """The worst element of the recorded failure and its bound; None if the record has none."""
    figures = verdict.figures
    worst, limit = figures.get("worst"), figures.get("bound")
    return (tuple(worst), float(limit)) if worst and isinstance(limit, float | int) else None


def element_lines(case: Case, shape: Sequence[int], at: Sequence[int]) -> list[str]:
    """Compute ``expected`` at one element of the output: the sum over its window."""
    axes = resolve(shape, case.kernel.shape, case.attributes)
    rank, place = len(axes), at[-len(axes) :]
    maps, channels = case.kernel.shape[:2]
    k = at[-rank - 1]
    first = k // (maps // case.attributes.groups) * channels
    reads = [
        _read(axis, index, size, window)
        for axis, index, size, window in zip(axes, place, shape[-rank:], case.kernel.shape[2:], strict=True)
    ]
    batch = [str(index) for index in at[: -rank - 1]]
    x = f"x[{', '.join([*batch, f'{first}:{first + channels}', *(of_x for of_x, _ in reads)])}].astype(float)"
    w = f"kernel[{', '.join([str(k), ':', *(of_w for _, of_w in reads)])}].astype(float)"
    x, w = _scaled(case, x, "input", 0), _scaled(case, w, "kernel", k)
    bias = "" if case.bias == "none" else f" + float(bias[{k}])"
    lines = [f"expected = ({x} * {w}).sum(){bias}"]
    if case.quantize is not None and case.quantize.output is not None:
        lines.append(f"expected = qdq(expected, {scale_code((case.quantize.output,))})")
    for index in range(len(case.epilogue)):
        lines += expected_step_lines(case, index)
    return lines


def compare_element_lines(case: Case, verdict: Verdict, shape: Sequence[int], differs: int) -> list[str]:
    """Run ``x`` and compare the element that the verdict names, if it does; the exit code is ``differs`` or 0."""
    lines = [
        "actual = infer(x)",
        "if actual is None:",
        '    print("actual:   refused")',
        f"    sys.exit({differs})",
    ]
    found = compared_element(verdict)
    if found is None:
        return [*lines, 'print("actual:   the network ran")']
    at, limit = found
    return [
        *lines,
        *element_lines(case, shape, at),
        f"actual = float(actual[{', '.join(map(str, at))}])",
        f'print("at", *{tuple(at)})',
        'print(f"expected: {expected:.9g}")',
        'print(f"actual:   {actual:.9g}")',
        f"sys.exit(0 if abs(actual - expected) <= {limit!r} else {differs})",
    ]


def _image_code(case: Case) -> str | None:
    """What fills an image of the input; None if that depends on the images before it."""
    fill, shape = case.input.fill, case.input.shape[1:]
    if fill is None or case.input.stored is not None or case.input.values is not None:
        return None
    code = fill_code(fill, shape, STREAM, case.input.exponents or (0, 0))
    is_drawn_once = code.count(STREAM) == 1 and "arange" not in code
    return rounded_code(code, case.data_type) if is_drawn_once or fill in OF_AN_IMAGE else None


def _read(axis: Axis, index: int, size: int, window: int) -> tuple[str, str]:
    """The slices of the input and of the window, along an axis, whose products an element adds."""
    start, dilation = index * axis.stride - axis.before, axis.dilation
    first = max(0, -(start // dilation))
    last = min(window, -(-(size - start) // dilation))  # one beyond
    if last <= first:
        return "0:0", "0:0"
    begin, end = start + first * dilation, start + (last - 1) * dilation + 1
    return f"{begin}:{end}" + (f":{dilation}" if dilation != 1 else ""), f"{first}:{last}"


def _scaled(case: Case, code: str, of: Operand, k: int) -> str:
    """An operand after its Q and DQ; the kernel's scale is that of the map ``k``."""
    quantize = case.quantize
    if quantize is None or not quantize.passes(of):
        return code
    q, dq = (scale_code((scale[k if len(scale) > 1 else 0],)) for scale in quantize.scales_of(of))
    if quantize.rounds_up(of):
        return f"np.floor({code} / {q} + 0.5) * {q}"
    return f"qdq({code}, {q})" if q == dq else f"qdq({code}, {q}) / {q} * {dq}"
