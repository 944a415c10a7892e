"""The page of NVIDIA's statements counts the claims and their cases as they are, and lists those without one."""

from __future__ import annotations

import re

import pytest

from benchmarks.statements_table import COLUMNS, PAGE, WITHOUT_GPU, of_target, replaced, rows, table, updated
from tests.support.runs import TARGET, verdict
from tests.support.suite import suite_catalog
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.claims import states

REDO = "python benchmarks/statements_table.py, and commit docs/statements.md"


def test_the_page_has_what_the_claims_their_cases_and_the_published_records_give() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page, suite_catalog()) == page, REDO


def test_a_run_gives_the_states_of_the_claims() -> None:
    claim, other = "nvinfer_h.dla_maps", "nvinfer_h.bias_per_map"
    assert {claim, other} <= set(suite_catalog().claims)
    found = (
        verdict(claims=(claim,), check="build", phase="build", status="not run"),
        verdict(claims=(other,), check="forward", phase="compare", status="fail", known="some_difference"),
    )
    assert found[0].target == TARGET
    row = next(row for row in rows(suite_catalog(), found) if row[0].startswith("TensorRT's headers"))
    said = dict(zip(COLUMNS, row, strict=True))
    assert (said["not run"], said["differ"], said["hold"]) == ("1", "1", "0")


def test_a_block_is_replaced_alone_and_a_missing_one_is_named() -> None:
    page = "a\n<!-- statements: documents -->\nold\n<!-- end -->\nb\n"
    text = table([["x"] * len(COLUMNS)])
    assert replaced(page, "documents", text) == f"a\n<!-- statements: documents -->\n{text}<!-- end -->\nb\n"
    with pytest.raises(AssertionError, match="no block 'open'"):
        replaced(page, "open", text)


def contradicting() -> list[Verdict]:
    """The known differences of the published record without a GPU."""
    return [verdict for verdict in of_target(WITHOUT_GPU) if verdict.known]


def smallest_cases(page: str) -> list[Case]:
    """The cases in the last column of the table of differences of TensorRT-RTX, in each of their precisions."""
    section = page.partition("\n## Where TensorRT-RTX")[2].partition("\n## ")[0]
    cells = [line.split("|")[-2] for line in section.splitlines() if line.startswith("| ") and "`" in line]
    named = []
    for cell in cells:
        first, *others = re.findall(r"`([^`]+)`", cell)
        folder = first.partition("/")[0]
        named += [first, *(other if "/" in other else f"{folder}/{other}" for other in others)]
    found = [[case for case in suite_catalog().cases if case.base_id == name] for name in named]
    assert all(found), [name for name, cases in zip(named, found, strict=True) if not cases]
    return [case for cases in found for case in cases]


def unlisted(page: str) -> set[str]:
    """The claims that TensorRT-RTX contradicts in the published record, of which the page's table has no case."""
    found = states(of_target(WITHOUT_GPU), suite_catalog().claims)
    listed = {claim for case in smallest_cases(page) for claim in case.claims}
    return {claim for claim, state in found.items() if state in ("differs", "known")} - listed


def test_every_contradiction_of_tensorrt_rtx_is_listed_with_a_case_that_shows_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    known = {verdict.case.rpartition("-")[0] for verdict in contradicting()}
    assert unlisted(page) == set()
    assert {case.base_id for case in smallest_cases(page)} - known == set()


def test_a_contradiction_that_the_table_lacks_is_named() -> None:
    page = PAGE.read_text(encoding="utf-8")
    without = "".join(line for line in page.splitlines(keepends=True) if "layer_inputs/bias_reset`" not in line)
    assert without != page
    assert unlisted(without) == {"docstring.bias_reset_empty"}
