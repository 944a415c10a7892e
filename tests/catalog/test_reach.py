"""Ranges between edges: which a number lies in, which cases reach, and what a folder says that it leaves out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.helpers import make_case
from tests.support.sweeps import HEAD, MATRIX, expanded
from trt_conformance.catalog.edges import EVERY, around, cell, numbers_of, ranges
from trt_conformance.catalog.reach import ALL, Reach, reach_of, read_unreached
from trt_conformance.catalog.source import CaseFileError
from trt_conformance.cli.cases import app
from trt_conformance.core.case_folder import CaseFolder


def test_edges_are_powers_of_two_with_one_less_and_one_more() -> None:
    assert around([3, 5]) == [7, 8, 9, 31, 32, 33]
    assert around([0]) == [1, 2]
    assert [cell(n) for n in (3, 15, 16, 17, 18, 30, 31, 100)] == [
        "3", "15", "16", "17", "18..30", "18..30", "31", "66..126",
    ]  # fmt: skip


def test_numbers_of_a_case_are_those_of_one_group_and_of_every_run() -> None:
    case = make_case(
        input={"shape": [2, 6, 9, 70_000], "fill": "ones"},
        kernel={"shape": [4, 3, 2, 5], "fill": "ones"},
        set={"num_groups": 2, "stride_nd": [1, 16], "dilation_nd": [3, 1], "pre_padding": [1, 0]},
        dynamic={
            "shape": [-1, 6, 9, 70_000],
            "min": [1, 6, 9, 70_000],
            "opt": [2, 6, 9, 70_000],
            "max": [7, 6, 9, 70_000],
            "run": [[2, 6, 9, 70_000], [7, 6, 9, 70_000]],
        },
    )
    found = set(ranges(numbers_of(case)))
    expected = {("groups", "2"), ("channels", "3"), ("maps", "2"), ("terms", "18..30"), ("window H", "2")}
    expected |= {("window W", "5"), ("stride W", "16"), ("dilation H", "3"), ("pre H", "1"), ("post H", "0")}
    expected |= {("batch", "2"), ("batch", "7"), ("size H", "9"), ("size W", "> 65535")}
    assert expected <= found
    assert {name for name, _ in found} <= {name for name, _ in EVERY}


def test_more_pixels_than_16_bits_are_a_range_of_their_own() -> None:
    def pixels(height: int) -> set[Any]:
        case = make_case(
            input={"shape": [1, 1, height, 256], "fill": "ones"}, kernel={"shape": [1, 1, 1, 1], "fill": "ones"}
        )
        return {one for name, one in ranges(numbers_of(case)) if name == "pixels"}

    assert pixels(255) == set()
    assert pixels(256) == {"> 65535"}


def test_spans_join_neighbors() -> None:
    names = ["1", "2", "7", "10..14", "15", "> 65535"]
    found = Reach(frozenset(("batch", name) for name in names), None)
    assert found.spans["batch"] == ["1..2", "7", "10..15", "> 65535"]
    assert found.spans["channels"] == []
    assert "9" in found.unreached["batch"] and "7" not in found.unreached["batch"]


def write(tmp_path: Path, text: str) -> CaseFolder:
    (tmp_path / "unreached.toml").write_text(text, encoding="utf-8")
    return CaseFolder.at(tmp_path)


def entry(**fields: Any) -> str:
    given = {"number": "batch", "ranges": ["9"], "reason": "no kernel branches there, as a test says"} | fields
    return "[[unreached]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())


def test_a_range_is_left_out_for_a_reason(tmp_path: Path) -> None:
    found = reach_of([], write(tmp_path, entry()))
    assert "9" not in found.unreached["batch"] and "8" in found.unreached["batch"]
    assert found.left_out == {"no kernel branches there, as a test says": {"batch": ["9"]}}
    assert found.stale == {}


def test_a_range_that_is_reached_may_not_be_left_out(tmp_path: Path) -> None:
    case = make_case(input={"shape": [9, 1, 2, 2], "fill": "ones"}, kernel={"shape": [1, 1, 1, 1], "fill": "ones"})
    found = reach_of([case], write(tmp_path, entry()))
    assert found.stale == {"batch": ["9"]} and found.left_out == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (entry(number="batches"), 'unknown number "batches"; did you mean "batch"?'),
        (entry(ranges=["10"]), "batch has no range"),
        (entry(ranges=[]), "ranges"),
        (entry(reason="none"), "at least 20"),
        (entry(wy="x"), "wy"),
        (entry() + entry(), "left out twice"),
        ("left = 1\n" + entry(), "unknown key"),
        ("unreached = 3\n", "expected [[unreached]] tables"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CaseFileError) as caught:
        read_unreached(write(tmp_path, text))
    assert message in str(caught.value) and "unreached.toml:" in str(caught.value)


def coverage(tmp_path: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["coverage", "--cases", str(tmp_path), *arguments])


def everything_but(tmp_path: Path, *kept: tuple[str, str]) -> str:
    """An unreached.toml that names every range that the sweep does not reach, except some."""
    reached = reach_of(expanded(tmp_path, HEAD + MATRIX).cases, CaseFolder.at(tmp_path)).reached
    left = {name: [one for one in names if (name, one) not in reached | set(kept)] for name, names in ALL.items()}
    return "".join(entry(number=name, ranges=names) for name, names in left.items() if names)


def test_coverage_fails_where_a_range_is_neither_reached_nor_left_out(tmp_path: Path) -> None:
    text = everything_but(tmp_path)
    assert coverage(tmp_path).exit_code == 0, "a folder without the file promises nothing"
    write(tmp_path, text)
    found = coverage(tmp_path)
    assert found.exit_code == 0, found.output
    assert "left out: " in found.output and "NOT REACHED" not in found.output
    write(tmp_path, everything_but(tmp_path, ("stride W", "17")))
    found = coverage(tmp_path)
    assert found.exit_code == 1 and "NOT REACHED: stride W 17" in found.output
    assert coverage(tmp_path, "--tier", "ci").exit_code == 0, "only the largest tier promises all"


def test_coverage_fails_where_a_range_is_left_out_and_reached(tmp_path: Path) -> None:
    write(tmp_path, everything_but(tmp_path) + entry(number="stride W", ranges=["2"]))
    found = coverage(tmp_path)
    assert found.exit_code == 1 and "REACHED, but left out in unreached.toml: stride W 2" in found.output


def test_coverage_as_json_has_sweeps_and_ranges(tmp_path: Path) -> None:
    expanded(tmp_path, HEAD + MATRIX)
    found = json.loads(coverage(tmp_path, "--json").output)
    assert [sweep["sweep"] for sweep in found["sweeps"]] == ["tiny"]
    (own,) = found["ranges"]
    assert own["counted"] == len(EVERY) and own["reached"] + sum(map(len, own["unreached"].values())) == len(EVERY)
    assert "2" in ",".join(own["spans"]["stride W"])
