"""What a run's generated cases covered: pairs that passed, failed, were only built, or never had a result."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.runs import TARGET, record, verdict
from tests.support.sweeps import EXCLUDE, HEAD, MATRIX, expanded
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.sweeps.coverage import impossible
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.sweeps import Section, listed, sections, state_of
from trt_conformance.results.report.view import View


def view(root: Path, *verdicts: object) -> View:
    expanded(root, HEAD + EXCLUDE + MATRIX)
    return View((record(*verdicts),), load_catalog(CaseFolder.at(root), tier=None), ())  # type: ignore[arg-type]


def section(of: View) -> Section:
    (found,) = sections(of, of.targets)
    return found


def test_pairs_of_a_run(tmp_path: Path) -> None:
    of = view(
        tmp_path,
        verdict("tiny/2d_nobias-fp32"),
        verdict("tiny/2d_bias-fp32", status="fail"),
        verdict("tiny/3d_nobias-fp16", check="build", phase="build"),
        verdict("tiny/3d_nobias-fp16", status="not run"),
        verdict("tiny/3d_s2_nobias-int8", status="unsupported"),
    )
    (pairs,) = section(of).pairs
    # 2x2 + 2x2-1 + 2x3 of rank, 2x2 + 2x3 of stride, 2x3 of bias
    assert pairs.possible == 4 + 3 + 6 + 4 + 6 + 6
    assert pairs.counts["fail"] == 6, "every pair of the failed case, those of the passed one among them"
    assert pairs.counts["pass"] == 3, "nobias with 2d, s1 and fp32"
    assert "bias nobias × precision fp32" not in str(pairs.listed)
    assert pairs.counts["built"] == 5, "3d with s1, nobias, fp16, and fp16 with s1 and nobias"
    assert set(pairs.listed) == {"fail", "never"}
    assert "stride s2 × bias nobias" in pairs.listed["never"]
    assert section(of).impossible == {"no bias in three dimensions": ("rank 3d × bias bias",)}


def test_values_of_a_run(tmp_path: Path) -> None:
    of = view(tmp_path, verdict("tiny/2d_nobias-fp32"), verdict("tiny/2d_s2_bias-fp32", status="fail"))
    cells = {(value.axis, value.value): dict(value.cells[0]) for value in section(of).values}
    assert cells["rank", "2d"] == {"pass": 1, "fail": 1}
    assert cells["stride", "s2"] == {"fail": 1}
    assert cells["rank", "3d"] == {}


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ([{"check": "build"}, {}], "pass"),
        ([{"check": "build"}, {"status": "fallback"}], "fallback"),
        ([{"check": "build"}, {"status": "not run"}], "built"),
        ([{"check": "network"}, {"status": "not run"}], "never"),
        ([{"check": "network", "status": "fail"}, {}], "fail"),
        ([{"check": "build", "status": "error"}], "fail"),
        ([{"status": "fail", "known": "some_difference"}], "known"),
        ([{"status": "unsupported"}], "never"),
    ],
)
def test_state_of_a_case(tmp_path: Path, given: list[dict[str, str]], state: str) -> None:
    of = view(tmp_path, *(verdict("tiny/2d_nobias-fp32", **fields) for fields in given))
    assert state_of(of.rows[0]) == state


def test_run_without_generated_cases_has_no_section(tmp_path: Path) -> None:
    of = view(tmp_path, verdict())
    assert sections(of, of.targets) == ()


def test_page_says_what_is_covered(tmp_path: Path) -> None:
    page = report_page(view(tmp_path, verdict("tiny/2d_bias-fp32", status="fail", message="wrong")))
    assert 'id="sweeps"' in page
    assert "impossible: no bias in three dimensions" in page
    assert f"6 fail on {TARGET}" in page
    assert "rank 2d × bias bias" in page


def test_impossible_by_several_exclusions(tmp_path: Path) -> None:
    reason = '[[exclude]]\ndoc = "a reason of its own"\nwhere = { rank = ["3d"], bias = ["bias"], stride = ["%s"] }\n'
    text = HEAD + "".join(reason % stride for stride in ("s1", "s2"))
    found = impossible(expanded(tmp_path, text + MATRIX).sweeps[0].sweep)
    assert found == {(("rank", "3d"), ("bias", "bias")): "excluded by several exclusions together"}


def test_very_many_rows_are_listed_only_where_they_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = view(tmp_path, verdict(), verdict("tiny/2d_nobias-fp32"), verdict("tiny/2d_bias-fp32", status="fail"))
    assert listed(of) == of.rows
    monkeypatch.setattr("trt_conformance.results.report.sweeps.MOST_ROWS", 2)
    assert {row.case for row in listed(of)} == {"stride_nd/h2_w2-fp32", "tiny/2d_bias-fp32"}
    assert "1 more rows are not listed" in report_page(of)
