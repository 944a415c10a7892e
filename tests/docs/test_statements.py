"""The page of NVIDIA's statements counts the claims and their cases as they are, and lists those without one."""

from __future__ import annotations

import pytest

from benchmarks.statements_table import COLUMNS, PAGE, replaced, rows, table, updated
from tests.support.runs import TARGET, verdict
from tests.support.suite import suite_catalog

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
