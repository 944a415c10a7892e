"""A refused case is paired with an accepted one that differs in one thing. Anything else is a fault with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.helpers import SMALL_FILE, make_case
from tests.support.suite import suite_catalog
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.neighbors import differences
from trt_conformance.catalog.source import CaseFileError
from trt_conformance.core.case_folder import CaseFolder

HEADER = (
    SMALL_FILE
    + """\
[[case]]
id = "good"
doc = "an accepted case"
set.stride_nd = [1, 1]
[[case]]
id = "refused_too"
doc = "another refused case"
set.stride_nd = [0, 1]
reject = { phase = "set", error = "some error", neighbor = "one/good" }
[[case]]
id = "half"
doc = "an accepted case in another precision"
precision = "fp16"
set.stride_nd = [1, 1]
[[case]]
id = "bad"
doc = "the refused case under test"
"""
)


def faults(root: Path, *lines: str) -> list[str]:
    (root / "one.toml").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    try:
        load_catalog(CaseFolder.at(root))
    except CaseFileError as error:
        return [f"{fault.line}: {fault.message}" for fault in error.faults]
    return []


def reject(neighbor: str) -> str:
    return f'reject = {{ phase = "set", error = "some error", neighbor = "one/{neighbor}" }}'


def test_one_difference_is_right(tmp_path: Path) -> None:
    assert faults(tmp_path, "set.stride_nd = [-1, 1]", reject("good")) == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["set.stride_nd = [-1, 1]", 'reject = { phase = "set", error = "some error" }'],
            'reject needs "neighbor": the id of an accepted case',
        ),
        (["set.stride_nd = [-1, 1]", reject("goood")], 'neighbor "one/goood": no such case; did you mean "one/good"?'),
        (["set.stride_nd = [-1, 1]", reject("refused_too")], 'neighbor "one/refused_too": it is refused too'),
        (["set.stride_nd = [-1, 1]", reject("half")], 'neighbor "one/half": it does not run in fp32'),
        (["set.stride_nd = [1, 1]", reject("good")], "it must differ in exactly one thing, but differs in nothing"),
        (
            ["set.stride_nd = [-1, 1]", "set.dilation_nd = [2, 2]", reject("good")],
            "but differs in set.stride_nd, set.dilation_nd",
        ),
        (
            ["set.stride_nd = [1, 1]", 'weights = "setters"', "kernel.shape = [1, 1, 7, 3]", reject("good")],
            "but differs in shapes, weights",
        ),
    ],
)
def test_anything_else_is_a_fault(lines: list[str], message: str, tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, *lines)
    number, _, text = fault.partition(": ")
    assert message in text
    assert "reject" in (tmp_path / "one.toml").read_text(encoding="utf-8").splitlines()[int(number) - 1]


def test_shapes_and_contents_each_count_as_one() -> None:
    a = make_case()
    assert differences(a, a) == []
    shapes = make_case(input={"shape": [1, 2, 6, 9], "fill": "ones"}, kernel={"shape": [1, 2, 3, 3], "fill": "ones"})
    assert differences(a, shapes) == ["shapes", "input", "kernel"]
    values = make_case(kernel={"shape": [1, 1, 3, 3], "values": [1.0] * 9})
    assert differences(a, values) == ["kernel"]
    assert differences(a, make_case(runs_in="fp32", doc="another text", source="another source")) == []
    assert differences(a, make_case(misuse="misaligned")) == ["misuse"]


def test_every_refused_case_of_the_suite_has_one() -> None:
    refused = [case for case in suite_catalog().cases if case.reject is not None]
    assert len(refused) > 40
    assert all(case.reject is not None and case.reject.neighbor for case in refused)
