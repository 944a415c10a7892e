"""What is wrong with what a case expects has its line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_text import INT8, check_fault

REJECT = 'reject.phase = "build"'
BAD: dict[str, tuple[list[str], str]] = {
    # What is expected.
    "expected shape": (
        ["expect.shape = [1, 4, 7]  # here"],
        "expect.shape is [1, 4, 7], but the output is [1, 1, 4, 7]",
    ),
    "printed numbers too few": (
        ['expect.printed = "1 2 3"  # here'],
        "expect.printed: 3 printed numbers do not fit shape [1, 1, 4, 7] (28 elements)",
    ),
    "ideal numbers too many": (
        [f'expect.ideal = "{"1 " * 29}"  # here'],
        "expect.ideal: 29 printed numbers do not fit",
    ),
    "printed word": (
        ['expect.printed = "1 2 x"  # here'],
        "expect.printed: line 1 of the printed matrix: 'x' is not a number",
    ),
    "constant output": (
        ["# here", 'input.fill = "ones"'],
        "a wrong convolution could pass: each of the 28 expected values is 11111.1",
    ),
    "zero output": (
        ["# here", 'kernel.fill = "zeros"'],
        "a wrong convolution could pass: each of the 28 expected values is 0",
    ),
    "output mostly zero": (["# here", "set.padding_nd = [20, 20]"], "expected values are 0"),
    "padding that dwarfs the input": (
        ["expect.shape = [1]  # here", "set.padding_nd = [100000, 100000]", "set.dilation_nd = [100000, 100000]"],
        "expect.shape is [1], but the output is [1, 1, 6, 9]",
    ),
    "window of many taps": (
        ["expect.shape = [1]  # here", "input.shape = [1, 1, 700, 701]", "kernel.shape = [1, 1, 700, 700]"],
        "expect.shape is [1], but the output is [1, 1, 1, 2]",
    ),
    "quantized away": (
        ["# here", INT8, "quantize = { input = 1e6, kernel = [1.0] }"],
        "a wrong convolution could pass: each of the 28 expected values is 0",
    ),
    # Rejections, relations and old names.
    "regular expression": (
        [REJECT, "reject.error = 'unclosed (group'  # here"],
        'reject.error: "unclosed (group" is not a valid regular',
    ),
    "regular expression of a target": (
        ['reject.on."tensorrt-8*" = { phase = "build", error = "[unclosed" }  # here'],
        'reject.on.tensorrt-8*.error: "[unclosed" is not a valid regular expression',
    ),
    "phase without error": ([f"{REJECT}  # here"], 'reject has "phase" but not "error": give both or neither'),
    "error without phase": (['reject.error = "some error"  # here'], 'reject has "error" but not "phase"'),
    "empty rejection": (["[case.reject]  # here"], "reject is empty"),
    "unknown phase": (['reject = { phase = "built", error = "some error" }  # here'], 'did you mean "build"?'),
    "relation to no case": (
        ['relations = [{ kind = "equal", to = "one/plane" }]  # here'],
        'relation to "one/plane": no such case; did you mean "one/plain"?',
    ),
    "relation in another precision": (
        ['precision = "fp16"', 'relations = [{ kind = "equal", to = "one/plain" }]  # here'],
        'relation to "one/plain": that case runs in fp32, not in fp16',
    ),
    "relation to nothing": (['relations = [{ kind = "equal" }]  # here'], 'relation equal needs "to"'),
    "relation to itself": (['relations = [{ kind = "equal", to = "one/other" }]  # here'], "names the case itself"),
    "old name not used": (
        ['deprecated = { name = "stride", new = "stride_nd", warning = "Use stride_nd" }  # here'],
        "deprecated.name stride is not used: set.stride is missing",
    ),
    "old name of the kernel size not used": (
        ['deprecated = { name = "kernel_size", new = "kernel_size_nd", warning = "Use it" }  # here'],
        'kernel_size needs weights = "setters"',
    ),
    "old name with another's new one": (
        ["set.stride = [2, 2]", 'deprecated = { name = "stride", new = "padding_nd", warning = "Use it" }  # here'],
        "deprecated.new: stride is replaced by stride_nd, not padding_nd",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_fault_of_an_entry_has_its_line_and_reason(kind: str, tmp_path: Path) -> None:
    check_fault(*BAD[kind], tmp_path)
