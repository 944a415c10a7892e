"""``trt-conformance golden``: what it prints, how it ends, and what it leaves on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.helpers import SMALL_FILE
from trt_conformance.cli.golden import app
from trt_conformance.core.errors import ConformanceError

pytestmark = pytest.mark.usefixtures("shared_suite")

CASES = (
    SMALL_FILE
    + """\
[[case]]
id = "stride"
doc = "stride 2 on H and W"
precision = ["fp32", "bf16"]
set.stride_nd = [2, 2]
expect.printed = \"\"\"
12345.679 31264.598 23156.49 12345.679
78912.34  97831.27  89723.16 78912.34
\"\"\"
[[case]]
id = "padding"
doc = "padding 1 on H and W"
set.padding_nd = [1, 1]
[[case]]
id = "refused"
doc = "a window that does not fit"
kernel.shape = [1, 1, 9, 9]
set.padding_nd = [1, 1]
reject = { phase = "build", error = "image size is smaller", neighbor = "one/padding" }
"""
)
FAILING = """\
class Breaks:
    name = "breaks"

    def supports(self, case):
        return "no padding" if case.name == "padding" else None

    def build(self, case):
        raise RuntimeError("out of order")
"""


class Store:
    """A directory of cases and one of goldens."""

    def __init__(self, path: Path) -> None:
        self.cases, self.golden = path / "cases", path / "golden"
        (self.cases / "family").mkdir(parents=True)
        self.write(CASES)

    def write(self, text: str) -> None:
        (self.cases / "family" / "one.toml").write_text(text, encoding="utf-8")

    def run(self, *arguments: str, code: int = 0) -> str:
        result = self.try_(*arguments)
        assert result.exit_code == code, (result.output, result.exception)
        return str(result.output)

    def try_(self, *arguments: str) -> Any:
        options = ["--cases", str(self.cases), "--golden", str(self.golden)]
        return CliRunner().invoke(app, [*arguments, *options])

    def fails(self, *arguments: str) -> str:
        """The message of bad input, which the command's door turns into exit code 2."""
        fault = self.try_(*arguments).exception
        assert isinstance(fault, ConformanceError)
        return str(fault)

    def bytes(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.golden.rglob("*") if path.is_file()}


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def filled(empty: Store) -> Store:
    empty.run("update")
    return empty


def test_update_says_what_it_adds_and_then_has_nothing_to_do(empty: Store) -> None:
    assert empty.run("update").splitlines() == [
        "add documented/family/one.h5:stride/bfloat16 (new)",
        "add documented/family/one.h5:stride/float32 (new)",
        "add reference/family/one.h5:padding/float32 (new)",
        "add reference/family/one.h5:stride/bfloat16 (new)",
        "add reference/family/one.h5:stride/float32 (new)",
    ]
    before = empty.bytes()
    assert empty.run("update") == "nothing to do\n"
    assert json.loads(empty.run("update", "--json")) == []
    assert empty.bytes() == before


def test_update_of_chosen_cases(empty: Store) -> None:
    assert empty.run("update", "one/padding").splitlines() == ["add reference/family/one.h5:padding/float32 (new)"]
    assert "no case matches 'one/paddin'" in empty.fails("update", "one/paddin")


def test_verify(empty: Store) -> None:
    problems = json.loads(empty.run("verify", "--json", code=1))
    assert [problem["kind"] for problem in problems] == ["manifest", "missing", "missing"]
    text = empty.run("verify", code=1)
    assert "missing: one/stride-bf16: documented/family/one.h5 does not exist, 2 goldens needed there; run " in text
    empty.run("update")
    assert empty.run("verify") == "all goldens are present, listed, used and correct\n"
    assert json.loads(empty.run("verify", "--json")) == []


def test_verify_of_chosen_cases(empty: Store) -> None:
    empty.run("update", "one/padding")
    assert empty.run("verify", "one/padding") == "the goldens of these cases are present, listed and correct\n"
    assert "missing: one/stride-bf16: " in empty.run("verify", "one/padding", "one/stride-bf16", code=1)
    assert "no case matches 'one/paddin'" in empty.fails("verify", "one/paddin")
    listed = f"no case matches 'zzz'; `trt-conformance cases list --cases {empty.cases}` lists them"
    assert empty.fails("verify", "zzz") == listed
    assert "give no CASE with it" in empty.fails("verify", "one/padding", "--archive", "goldens.tar.gz")


def test_diff_states_how_much_values_change(filled: Store) -> None:
    assert filled.run("diff") == "nothing would change\n"
    filled.write(CASES.replace("set.padding_nd = [1, 1]", 'set.padding_nd = [1, 1]\nbias = { fill = "ones" }'))
    before = filled.bytes()
    line = (
        "change reference/family/one.h5:padding/float32 "
        "(the case's data changed since the golden was written; values change by at most 1)\n"
    )
    assert filled.run("diff", code=1) == line
    assert filled.run("diff", "one/stride") == "nothing would change\n"
    (change,) = json.loads(filled.run("diff", "--json", code=1))
    assert change["difference"] == pytest.approx(1)
    assert "stale: one/padding-fp32: reference/family/one.h5" in filled.run("verify", code=1)
    assert filled.bytes() == before
    assert filled.run("update") == line
    assert filled.run("verify") == "all goldens are present, listed, used and correct\n"


def test_show(filled: Store) -> None:
    text = filled.run("show", "one/stride-bf16")
    assert text.startswith("one/stride-bf16: stride 2 on H and W (")
    assert "documented/family/one.h5:stride/bfloat16" in text
    assert "reference/family/one.h5:stride/bfloat16" in text
    assert "run0/output    float64[1,1,2,4]" in text
    assert "12345.67" in text
    assert "a source" in text
    shown = json.loads(filled.run("show", "one/padding", "--json"))
    output = shown["reference/family/one.h5:padding/float32"]["run0"]["datasets"]["output"]
    assert output["type"] == "float64[1,1,6,9]"
    assert output["values"][0][0][1][1] == pytest.approx(12345.6789)
    assert "no golden: the case is refused" in filled.run("show", "one/refused")


def test_show_of_no_case_and_of_several(filled: Store) -> None:
    assert "no case matches 'one/strid'" in filled.fails("show", "one/strid")
    text = filled.run("show", "one/stride")
    assert "one/stride-fp32: stride 2" in text
    assert "one/stride-bf16: stride 2" in text


def test_show_of_a_file(filled: Store) -> None:
    file = filled.golden / "reference" / "family" / "one.h5"
    text = filled.run("show", str(file))
    assert f"{file}:padding/float32" in text
    assert set(json.loads(filled.run("show", "--json", str(file)))) == {
        f"{file}:{group}" for group in ("padding/float32", "stride/bfloat16", "stride/float32")
    }
    assert "nothing.h5 does not exist" in filled.fails("show", "nothing.h5")
    (filled.golden / "folder.h5").mkdir()
    assert "folder.h5 cannot be read: it is not a regular file" in filled.fails("show", f"{filled.golden}/folder.h5")


@pytest.mark.parametrize("pattern", ["one/padding-fp32", "one/padding", "*/padding", "*/family/one.toml", "*/family"])
@pytest.mark.parametrize("command", ["update", "diff", "show", "verify"])
def test_every_command_takes_the_same_patterns(filled: Store, command: str, pattern: str) -> None:
    filled.run(command, pattern)


def test_verify_of_chosen_cases_generates_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    monkeypatch.setattr(
        "trt_conformance.golden.verify", lambda catalog, cases, show: read.append((catalog, cases)) or []
    )
    assert CliRunner().invoke(app, ["verify", "stride_nd/h2_w2", "modes/*-fp32"]).exit_code == 0
    ((catalog, chosen),) = read
    generated = {case.id for case in catalog.cases if case.tier is not None}
    assert generated and all(case_id.startswith("modes/") and case_id.endswith("-fp32") for case_id in generated)
    assert {case.id for case in chosen} == {"stride_nd/h2_w2-fp32", "stride_nd/h2_w2-tf32", *generated}


def test_a_folder_of_cases_is_a_pattern(filled: Store) -> None:
    folder = filled.cases / "family"
    for name in (f"{folder}", f"{folder}/", f"{folder}/one.toml"):
        assert "one/padding-fp32" in filled.run("show", name)
    assert "no case matches" in filled.fails("show", f"{filled.cases}/famil")


def test_show_of_a_missing_golden(empty: Store) -> None:
    assert "reference/family/one.h5 does not exist; write it again" in empty.fails("show", "one/padding")


def test_observe(filled: Store) -> None:
    assert filled.run("observe", "--target", "numpy").splitlines() == [
        "observed      one/stride-fp32",
        "observed      one/stride-bf16",
        "observed      one/padding-fp32",
        "not observed  one/refused-fp32  the target must refuse it",
    ]
    assert filled.run("verify") == "all goldens are present, listed, used and correct\n"
    before = filled.bytes()
    (outcome,) = json.loads(filled.run("observe", "--target", "numpy", "--json", "one/padding"))
    assert outcome == {"case": "one/padding-fp32", "status": "unchanged", "reason": ""}
    assert filled.bytes() == before
    text = filled.run("show", "one/padding")
    assert "observed/numpy/family/one.h5:padding/fp32" in text
    assert "run0/environment/numpy" in text


def test_observe_goes_on_after_a_failure(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FAILING)
    text = filled.run("observe", "--target", f"{tmp_path / 'mine.py'}:Breaks", "one/*", code=1)
    where = f'  at build ({tmp_path / "mine.py"}:8): raise RuntimeError("out of order")'
    assert text.splitlines() == [
        "error         one/stride-fp32  RuntimeError: out of order",
        where,
        "error         one/stride-bf16  RuntimeError: out of order",
        where,
        "not observed  one/padding-fp32  no padding",
        "not observed  one/refused-fp32  the target must refuse it",
    ]


def test_observe_on_no_target(filled: Store) -> None:
    assert "no such target" in filled.fails("observe", "--target", "numpi")
    assert "no such target" in filled.fails("observe", "--target", "numpi", "no/such"), "cases are read later"
