"""What is wrong with ranks, shapes, contents and profiles has its line and the reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.case_text import DYNAMIC, check_fault


def dynamic(key: str, value: str, old: str = r".*") -> list[str]:
    """The lines of DYNAMIC with another value for one key."""
    return re.sub(rf"^{key} = {old}$", f"{key} = {value}  # here", DYNAMIC, flags=re.MULTILINE).splitlines()


BAD: dict[str, tuple[list[str], str]] = {
    # Ranks, shapes and contents.
    "stride of three on a 2D kernel": (
        ["set.stride_nd = [2, 2, 2]  # here"],
        "set.stride_nd has 3 values, but the kernel is 2D: expected 2",
    ),
    "padding of one": (
        ["set.pre_padding = [1]  # here"],
        "set.pre_padding has 1 value, but the kernel is 2D: expected 2",
    ),
    "kernel of rank 3": (
        ["kernel.shape = [1, 1, 3]  # here"],
        "kernel.shape has 3 dimensions, expected 4 (K, C/groups, H, W) or 5 (K, C/groups, D, H, W)",
    ),
    "kernel of rank 6": (["kernel.shape = [1, 1, 1, 1, 3, 3]  # here"], "kernel.shape has 6 dimensions, expected 4"),
    "refused kernel of rank 2": (
        ["kernel.shape = [1, 1]  # here", 'reject = { phase = "network", error = "some error" }'],
        "kernel.shape has 2 dimensions",
    ),
    "input of rank 3": (
        ["input.shape = [1, 6, 9]  # here"],
        "input.shape has 3 dimensions, but a 2D kernel needs at least 4",
    ),
    "window that does not fit": (["# here", "kernel.shape = [1, 1, 7, 3]"], "no valid convolution of [1, 1, 6, 9]:"),
    "channels that do not fit": (["# here", "kernel.shape = [1, 2, 3, 3]"], "the kernel holds 2 channels a group"),
    "stride 0": (["# here", "set.stride_nd = [0, 1]"], "stride 0 and dilation 1 must be at least 1"),
    "neither fill nor values": (["[case.bias]  # here", "seed = 1"], "bias has neither fill nor values"),
    "both fill and values": (['input = { fill = "ones", values = [1] }  # here'], "input has both fill and values"),
    "weights too few": (
        ["kernel.values = [1, 2, 3, 4, 5, 6, 7, 8]  # here"],
        "kernel.values: 8 values for shape [1, 1, 3, 3], expected 9",
    ),
    "input too few": (["input.values = [1]  # here"], "input.values: 1 value for shape [1, 1, 6, 9], expected 54"),
    "bias too many": (["bias.values = [1, 2]  # here"], "bias.values: 2 values for shape [1], expected 1"),
    "bias that needs a plane": (['bias.fill = "tiled_1_to_9"  # here'], "tiled_1_to_9 needs two dimensions"),
    "input of 10^12 elements": (
        ["input.shape = [1000, 1000, 1000, 1000]  # here"],
        "input.shape: [1000, 1000, 1000, 1000] has 1000000000000 elements, more than the 2147483648 allowed",
    ),
    "kernel above 2^31 elements": (["kernel.shape = [65536, 32769, 1, 1]  # here"], "has 2147549184 elements"),
    "refused input of 10^12 elements": (
        ["input.shape = [1000, 1000, 1000, 1000]  # here", 'reject = { phase = "network", error = "some error" }'],
        "has 1000000000000 elements",
    ),
    "another constraint than stated": (
        [
            "input.shape = [1, 2, 6, 9]",
            'reject = { phase = "network", error = "some error", constraint = "window_fits" }  # here',
        ],
        "reject.constraint: the case violates kernel_fits_groups, not window_fits",
    ),
    "a constraint that holds": (
        ['reject = { phase = "network", error = "some error", constraint = "window_fits" }  # here'],
        "reject.constraint: the case violates no constraint, not window_fits",
    ),
    "output above 2^31 elements": (
        ["# here", "input.shape = [1, 1, 32768, 32768]", "kernel.shape = [4, 1, 1, 1]"],
        "the output [1, 4, 32768, 32768] has 4294967296 elements",
    ),
    "empty output": (["# here", "input.shape = [0, 1, 6, 9]"], "the output [0, 1, 4, 7] has 0 elements"),
    # Dynamic shapes.
    "dynamic without max": (
        ["[case.dynamic]  # here", *DYNAMIC.splitlines()[1:4], "run = [[1, 1, 3, 9]]"],
        '"max" is missing',
    ),
    "dynamic shape of rank 3": (
        dynamic("shape", "[1, 1, -1]"),
        "dynamic.shape has 3 dimensions, but input.shape has 4",
    ),
    "dynamic min of rank 3": (dynamic("min", "[1, 1, 3]"), "dynamic.min has 3 dimensions, but input.shape has 4"),
    "dynamic run of rank 5": (dynamic("run", "[[1, 1, 1, 3, 9]]"), "dynamic.run[0] has 5 dimensions"),
    "no dynamic dimension": (dynamic("shape", "[1, 1, 6, 9]"), "dynamic.shape: [1, 1, 6, 9] has no -1"),
    "dynamic dimension -2": (dynamic("shape", "[1, 1, -1, -2]"), "may contain only -1 and sizes of at least 1"),
    "opt above max": (dynamic("opt", "[1, 1, 13, 9]"), "dynamic.opt [1, 1, 13, 9] is outside the profile"),
    "min above max": (dynamic("max", "[1, 1, 2, 9]"), "dynamic.max [1, 1, 2, 9] is outside the profile"),
    "run above max": (
        dynamic("run", "[[1, 1, 3, 9], [1, 1, 13, 9]]"),
        "dynamic.run[1] [1, 1, 13, 9] is outside the profile",
    ),
    "static dimension of opt": (dynamic("opt", "[1, 1, 6, 8]"), "dynamic.opt[3] is 8, but dynamic.shape fixes it at 9"),
    "static dimension of run": (
        dynamic("run", "[[1, 2, 3, 9]]"),
        "dynamic.run[0][1] is 2, but dynamic.shape fixes it at 1",
    ),
    "static dimension of input": (
        ["input.shape = [1, 1, 6, 8]  # here", *DYNAMIC.splitlines()],
        "input.shape[3] is 8, but dynamic.shape fixes it at 9",
    ),
    "min that is no convolution": (dynamic("min", "[1, 1, 2, 9]"), "no valid convolution of [1, 1, 2, 9]"),
    "run above 2^31 elements": (
        dynamic("run", "[[1, 1, 1000000000, 9]]"),
        "dynamic.run[0]: [1, 1, 1000000000, 9] has 9000000000 elements",
    ),
    "no runs": (dynamic("run", "[]"), "dynamic.run: needs at least 1 value, got 0"),
    "run of negative size": (dynamic("run", "[[1, 1, -1, 9]]"), "dynamic.run[0][2]: must be at least 0, got -1"),
    "values for one run only": (
        [f"input.values = {list(range(54))}  # here", *DYNAMIC.splitlines()],
        "input.values fit only [1, 1, 6, 9]: dynamic.run needs a fill",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_fault_of_an_entry_has_its_line_and_reason(kind: str, tmp_path: Path) -> None:
    check_fault(*BAD[kind], tmp_path)
