"""What is wrong with scales, their blocks, Q and DQ has its line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_text import INT8, SCALED, check_fault
from tests.support.helpers import make_case
from trt_conformance.catalog.lint.quantization import lint_quantization

BAD: dict[str, tuple[list[str], str]] = {
    # Q and DQ on one operand, of two scales, and wrong ones.
    "something wrong that is accepted": (
        [*SCALED, "quantize.input = 1.0", "quantize.wrong.input_scale = 0.0  # here"],
        "quantize.wrong: the network must be refused, so the case needs reject with the error",
    ),
    "one operand and a quantized output": (
        ["quantize.input = 1.0  # here", *SCALED, "exact = true", 'quantize.only = "kernel"', "quantize.output = 1.0"],
        "quantize: only and dequantize are for a layer with a float output and a float input",
    ),
    "one operand without exact data": (
        ["quantize.input = 1.0  # here", *SCALED, 'quantize.only = "kernel"'],
        "quantize: only and dequantize have no bound of their own, so the case must be exact",
    ),
    "a scale that float16 does not have": (
        [*SCALED, "quantize.input = 0.1  # here", 'quantize.between = "float16"'],
        "quantize.input: 0.1 is not exactly representable in float16",
    ),
    "half tensors around the caller's Q": (
        [*SCALED, "quantize.input = 1.0", "quantize.io_quantization = true  # here", 'quantize.between = "float16"'],
        "quantize.between: cannot be combined with io_quantization, whose Q and DQ have float32 tensors",
    ),
    "two scales of DQ for one of Q": (
        [*SCALED, "quantize.input = 1.0", "exact = true", "quantize.dequantize.kernel = [1.0, 2.0]  # here"],
        "quantize.dequantize.kernel has 2 scales, expected 1 as Q has",
    ),
    "a stored kernel without DQ": (
        [*SCALED, "quantize.input = 1.0", "exact = true", 'quantize.only = "input"  # here', "quantize.stored = true"],
        "quantize.only: the kernel has no DQ, so it is neither stored quantized nor scaled",
    ),
    "an input without DQ that is scaled": (
        [
            *SCALED,
            "quantize.input = 1.0",
            "exact = true",
            'quantize.only = "kernel"  # here',
            "quantize.dequantize.input = 2.0",
        ],
        "quantize.only: the input has no DQ to scale",
    ),
    # Quantization.
    "int8 without scales": (['precision = ["int8"]  # here'], "precision int8 needs quantize"),
    "scales without int8": (
        ['precision = ["fp16"]', "quantize = { input = 1.0, kernel = [1.0] }  # here"],
        "quantize is only for precision int8 and fp8, but the case also runs in fp16",
    ),
    "an operation behind a quantized output": (
        [
            INT8,
            "quantize = { input = 1.0, kernel = [1.0], io_quantization = true }",
            'epilogue = [{ op = "relu" }]  # here',
        ],
        "epilogue: with quantize.io_quantization the network must end with the layer or its Q",
    ),
    "CHW4 of a float output": (
        [
            INT8,
            "quantize = { input = 1.0, kernel = [1.0], io_quantization = true }",
            'formats = { input = "CHW4", output = "CHW4" }  # here',
        ],
        "formats.output: CHW4 supports float16, int8, but in int8 this tensor is float32",
    ),
    "NaN in int8": (
        [
            INT8,
            "quantize = { input = 1.0, kernel = [1.0], io_quantization = true }",
            'formats = { input = "CHW4", padding = "nan" }  # here',
        ],
        "formats.padding: int8 has no NaN",
    ),
    "a kernel of another shape": (
        ["shapes.kernel = [2, 1, 3, 3]  # here"],
        "shapes: weights of other shapes are refused",
    ),
    "two scales for one map": (
        [INT8, "quantize = { input = 1.0, kernel = [1.0, 2.0] }  # here"],
        "quantize.kernel has 2 scales, expected 1, or one for each output map (1)",
    ),
    "no kernel scale": ([INT8, "quantize = { input = 1.0 }  # here"], '"kernel" is missing in quantize'),
    "input scale of 0": (
        [INT8, "quantize = { input = 0.0, kernel = [1.0] }  # here"],
        "quantize.input: must be greater than 0",
    ),
    "kernel scale below 0": (
        [INT8, "quantize = { input = 1.0, kernel = [-1.0] }  # here"],
        "quantize.kernel: a scale must be a positive float32, got -1",
    ),
    "infinite scale": (
        [INT8, "quantize = { input = inf, kernel = [1.0] }  # here"],
        "quantize.input: a scale must be a positive float32, got inf",
    ),
    "scale below float32": (
        [INT8, "quantize = { input = 1.0, kernel = [1.0], output = 1e-50 }  # here"],
        "quantize.output: a scale must be a positive float32, got 1e-50",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_fault_of_an_entry_has_its_line_and_reason(kind: str, tmp_path: Path) -> None:
    check_fault(*BAD[kind], tmp_path)


def problems(block: list[int]) -> list[str]:
    case = make_case(
        precision="fp8",
        weights="set_input",
        input={"shape": [1, 32, 6, 9], "fill": "ramp"},
        kernel={"shape": [8, 32, 3, 3], "fill": "ramp"},
        quantize={"input": 1.0, "kernel": [1.0], "wrong": {"block_shape": block}},
        reject={"phase": "build", "error": "blocks are refused"},
    )
    return [text for _, text in lint_quantization(case)]


def test_blocks_that_fill_the_kernel_are_accepted() -> None:
    assert problems([1, 16, 1, 1]) == problems([8, 32, 3, 3]) == []


@pytest.mark.parametrize("block", [[1, 5, 1, 1], [1, 16], [1, 0, 1, 1], [1, 64, 1, 1]])
def test_blocks_that_do_not_fill_the_kernel_are_a_fault(block: list[int]) -> None:
    (text,) = problems(block)
    assert text == f"quantize.wrong.block_shape: blocks of {block} do not fill [8, 32, 3, 3]"
