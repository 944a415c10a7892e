"""What users name cases by means the same wherever cases are chosen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.helpers import SMALL_FILE
from tests.support.suite import suite_catalog
from trt_conformance.catalog.case_patterns import CasePatterns
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.cli import app
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import CASES, ROOT
from trt_conformance.runner.options import RunOptions
from trt_conformance.runner.selection import Selection

pytestmark = pytest.mark.usefixtures("shared_suite")

ENTRY = '[[case]]\nid = "{0}"\ndoc = "convolves without any attribute: {0}"\nprecision = ["fp32", "fp16"]\n'


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with cases in `mine/one.toml` and `mine/deep/two.toml`."""
    for file in ("mine/one.toml", "mine/deep/two.toml"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(SMALL_FILE + ENTRY.format("a") + ENTRY.format("b"))
    (tmp_path / "link").symlink_to(tmp_path / "mine" / "deep")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "count"),
    [
        ([], 8),
        (["one/a-fp32"], 1),
        (["one/a"], 2),
        (["two/*-fp16"], 2),
        (["mine/one.toml"], 4),
        (["./mine/one.toml"], 4),
        (["one.toml"], 4),
        (["deep"], 4),
        (["mine/deep/"], 4),
        (["mine"], 8),
        (["*.toml"], 8),
        (["link"], 4),
        (["link/two.toml"], 4),
        (["{here}/mine/one.toml"], 4),
        (["{here}/mine"], 8),
        (["one/a", "two/b-fp32"], 3),
        (["one"], 0),
        (["no/such", "nul\0"], 0),
    ],
)
def test_the_same_pattern_chooses_the_same_cases_everywhere(mine: Path, patterns: list[str], count: int) -> None:
    given = [pattern.format(here=mine) for pattern in patterns]
    catalog = load_catalog(CaseFolder.at(Path("mine")))
    chosen = catalog.select(given)
    assert len(chosen) == count
    if count:
        assert Selection(catalog, RunOptions(cases=tuple(given))).cases == chosen
    else:
        with pytest.raises(ConformanceError, match="no case matches"):
            _ = Selection(catalog, RunOptions(cases=tuple(given))).cases


def test_a_sweep_is_chosen_by_its_file_as_well() -> None:
    catalog = suite_catalog()
    every = Selection(catalog, RunOptions(tier="ci")).generated
    for name in ("cases/sweeps/modes.toml", "sweeps/modes.toml", str(CASES / "sweeps" / "modes.toml"), "modes/*"):
        found = Selection(catalog, RunOptions(cases=(name,), tier="ci"))
        assert found.generated == tuple(case for case in every if case.startswith("modes/")) != ()
        assert found.cases == ()
    assert Selection(catalog, RunOptions(cases=("cases/sweeps",), tier="ci")).generated == every
    assert Selection(catalog, RunOptions(cases=(str(ROOT / "cases/convolution"),), tier="ci")).generated == ()


def test_a_fault_is_found_by_an_id_with_or_without_precision() -> None:
    for pattern, found in (("one/a", True), ("one/a-fp32", True), ("one/*", True), ("one/b", False), ("a", False)):
        assert CasePatterns([pattern]).match_base("one/a") == found, pattern
    assert CasePatterns([]).match_base("one/a")


# cases lint CASE...


def lint(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["cases", "lint", "--cases", "mine", *arguments])


def test_lint_of_chosen_cases_counts_them(mine: Path) -> None:
    assert lint("one/a").output == "2 cases in 1 file: no faults\n"
    assert lint("mine").output == "8 cases in 2 files: no faults\n"
    assert "no case matches 'one/c'" in str(lint("one/c").exception)


def test_lint_of_chosen_cases_lists_their_faults_alone(mine: Path) -> None:
    bad = SMALL_FILE + ENTRY.format("a") + "stride = 1\n" + ENTRY.format("b") + "batch = 0\n"
    (mine / "mine" / "one.toml").write_text(bad)
    (mine / "mine" / "deep" / "two.toml").write_text(SMALL_FILE.replace("[1, 1, 6, 9]", '"x"') + ENTRY.format("c"))
    for patterns, count in (
        (["one/a"], 1),
        (["one/a-fp32"], 1),
        (["one/b"], 1),
        (["one/*"], 2),
        (["mine/one.toml"], 2),
        (["two/c"], 1),
        (["deep"], 1),
        ([], 3),
    ):
        done = lint(*patterns, "--json")
        assert done.exit_code == 2
        faults = json.loads(done.output)["faults"]
        assert len(faults) == count, (patterns, faults)
    assert {fault["case"] for fault in json.loads(lint("mine/one.toml", "--json").output)["faults"]} == {
        "one/a",
        "one/b",
    }
    said = str(lint("one/c").exception)
    assert said == "one/c: no faults, but the cases cannot be read because of 3 faults elsewhere; lint without CASE"


# golden diff, update and show CASE...


def golden(command: str, *arguments: str) -> Any:
    done = CliRunner().invoke(app, ["golden", command, "--cases", "mine", *arguments, "--json"])
    assert done.exit_code in (0, 1), (done.output, done.exception)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        ("one/a-fp16", ["one.h5:a/float16"]),
        ("one/a", ["one.h5:a/float16", "one.h5:a/float32"]),
        ("deep/two.toml", [f"deep/two.h5:{name}/{kind}" for name in "ab" for kind in ("float16", "float32")]),
        ("mine/deep", [f"deep/two.h5:{name}/{kind}" for name in "ab" for kind in ("float16", "float32")]),
        ("*/b-fp32", ["deep/two.h5:b/float32", "one.h5:b/float32"]),
    ],
)
def test_goldens_are_chosen_by_the_same_patterns(mine: Path, pattern: str, groups: list[str]) -> None:
    wanted = [f"reference/{group}" for group in groups]
    assert sorted(f"{one['file']}:{one['group']}" for one in golden("diff", pattern)) == wanted
    assert sorted(f"{one['file']}:{one['group']}" for one in golden("update", pattern)) == wanted
    assert sorted(golden("show", pattern)) == wanted
    assert golden("diff", pattern) == []
