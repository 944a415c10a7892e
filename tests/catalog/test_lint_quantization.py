"""Blocks of a kernel's scales fill the kernel, or the case is faulty."""

import pytest

from tests.support.helpers import make_case
from trt_conformance.catalog.lint.quantization import lint_quantization


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
