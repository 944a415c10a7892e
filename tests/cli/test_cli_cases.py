"""``trt-conformance cases``: what it prints, how it ends, and that it never shows a traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import CASES, CLAIMS, run, written
from trt_conformance import __version__
from trt_conformance.cli import main
from trt_conformance.core import git
from trt_conformance.core.paths import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return written(tmp_path)


def test_list_prints_one_plain_line_a_case(root: Path) -> None:
    result = run("cases", "list", "--cases", root)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "id                claims           doc",
        "one/stride-fp32   stride_nd.h2_w2  stride 2 on H and W [sic]",
        "one/stride-fp16   stride_nd.h2_w2  stride 2 on H and W [sic]",
        "one/runs-fp32     -                a dynamic height",
        "one/refused-fp32  -                a window that does not fit",
    ]


def test_list_as_json(root: Path) -> None:
    found = json.loads(run("cases", "list", "--cases", root, "--json").stdout)
    assert [case["id"] for case in found] == [
        "one/stride-fp32",
        "one/stride-fp16",
        "one/runs-fp32",
        "one/refused-fp32",
    ]
    assert found[0] == {
        "id": "one/stride-fp32",
        "precision": "fp32",
        "file": f"{root}/one.toml",
        "line": 6,
        "section": "a section",
        "doc": "stride 2 on H and W [sic]",
        "claims": ["stride_nd.h2_w2"],
        "source": None,
    }


def test_list_selects_by_globs(root: Path) -> None:
    result = run("cases", "list", "--cases", root, "--json", "--case", "*-fp16", "--case", "one/runs")
    assert [case["id"] for case in json.loads(result.stdout)] == ["one/stride-fp16", "one/runs-fp32"]


def test_glob_that_matches_nothing_is_an_error(root: Path) -> None:
    result = run("cases", "list", "--cases", root, "--case", "one/strid", "--case", "*-fp16")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "no case matches 'one/strid'; did you mean \"one/stride\"?\n"


OTHER_CLAIM = """
[[claim]]
id = "guide.depth"
section = "A.1.6"
statement = "The layer has depth."
versions.tensorrt = ">=8,<9"
checkable = "dla"
unchecked = "needs a DLA"
"""


def test_claims_are_listed_with_their_cases_or_the_reason_for_none(root: Path) -> None:
    (root / "claims.toml").write_text(CLAIMS + OTHER_CLAIM, encoding="utf-8")
    result = run("cases", "claims", "--cases", root)
    assert result.stdout.splitlines() == [
        "id               checkable  cases  statement",
        "stride_nd.h2_w2  run        2      Stride 2 – 步长 – halves H and W.",
        "guide.depth      dla        -      The layer has depth. [needs a DLA]",
    ]
    for chosen in (["--document", "guide"], ["--unchecked"]):
        (found,) = json.loads(run("cases", "claims", "--cases", root, "--json", *chosen).stdout)
        assert found == {
            "id": "guide.depth",
            "section": "A.1.6",
            "statement": "The layer has depth.",
            "versions": {"tensorrt": ">=8,<9", "tensorrt_rtx": None},
            "checkable": "dla",
            "unchecked": "needs a DLA",
            "document": "guide",
            "cases": [],
        }
    wrong = run("cases", "claims", "--cases", root, "--document", "guides")
    assert (wrong.returncode, wrong.stderr) == (2, wrong.stderr)
    assert wrong.stderr.startswith('unknown document "guides"; did you mean "guide"?')


def test_lint_counts_what_it_found_right(root: Path) -> None:
    result = run("cases", "lint", "--cases", root)
    assert (result.returncode, result.stdout) == (0, "4 cases in 1 file, 1 claim, 0 expectations: no faults\n")
    assert json.loads(run("cases", "lint", "--cases", root, "--json").stdout) == {"faults": []}


def test_lint_names_every_fault_and_ends_with_2(root: Path) -> None:
    (root / "two.toml").write_text("section = \n", encoding="utf-8")
    (root / "three.toml").write_text(CASES.replace("stride_nd =", "strides =", 1), encoding="utf-8")
    result = run("cases", "lint", "--cases", root)
    assert (result.returncode, result.stderr) == (2, "")
    assert result.stdout.splitlines() == [
        f'{root}/three.toml:11: unknown attribute in set: "strides"; did you mean "stride_nd"?',
        f"{root}/two.toml:1: is not valid TOML: Invalid value",
        "2 faults in 2 files",
    ]
    result = run("cases", "lint", "--cases", root, "--json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["faults"][1] == {
        "file": f"{root}/two.toml",
        "line": 1,
        "message": "is not valid TOML: Invalid value",
        "cases": [],
        "case": "",
    }


@pytest.mark.parametrize("command", [["list"], ["show", "one/runs"], ["list", "--json"]])
def test_faults_end_every_other_command_with_2(command: list[str], root: Path) -> None:
    (root / "two.toml").write_text("section = \n", encoding="utf-8")
    result = run("cases", *command, "--cases", root)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"{root}/two.toml:1: is not valid TOML: Invalid value\n1 fault in 1 file\n"


@pytest.mark.parametrize("command", [["list"], ["lint"], ["show", "one/runs"]])
def test_root_that_does_not_exist(command: list[str], tmp_path: Path) -> None:
    result = run("cases", *command, "--cases", tmp_path / "missing")
    assert (result.returncode, result.stderr) == (2, f"{tmp_path}/missing: no such directory\n")


def test_show_prints_the_resolved_case(root: Path) -> None:
    result = run("cases", "show", "one/stride-fp16", "--cases", root)
    assert result.returncode == 0, result.stderr
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in (
        "id one/stride-fp16",
        "doc stride 2 on H and W [sic]",
        "claims stride_nd.h2_w2: Stride 2 – 步长 – halves H and W.",
        "kernel shape: [1, 1, 3, 3]",
        "fill: powers_of_ten",
        "bias none",
        "set stride_nd: [2, 2]",
        "precision fp16",
        "quantize -",
        "12345.679 31264.598 23156.49 12345.679",
        f"location {root}/one.toml:6",
        "attributes stride: [2, 2]",
        "mode: EXPLICIT_ROUND_DOWN",
        'runs {"input": [1, 1, 6, 9], "output": [1, 1, 2, 4]}',
    ):
        assert line in shown


def test_show_as_json_has_everything(root: Path) -> None:
    found = json.loads(run("cases", "show", "one/runs", "--cases", root, "--json").stdout)
    assert found["id"] == "one/runs-fp32"
    assert found["location"] == f"{root}/one.toml:16"
    assert found["attributes"]["stride"] == [1, 1]
    assert found["dynamic"]["shape"] == [1, 1, -1, 9]
    assert found["runs"] == [
        {"input": [1, 1, 3, 9], "output": [1, 1, 1, 7]},
        {"input": [1, 1, 6, 9], "output": [1, 1, 4, 7]},
    ]
    assert (found["claims"], found["statements"]) == ([], {})


def test_show_says_why_a_refused_case_has_no_output(root: Path) -> None:
    (output,) = json.loads(run("cases", "show", "one/refused", "--cases", root, "--json").stdout)["runs"]
    assert output["output"] is None
    assert "image size is smaller than filter size" in output["invalid"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("one/strid-fp32", "no case has the id 'one/strid-fp32'; did you mean \"one/stride-fp32\"?"),
        ("one/run", "no case has the id 'one/run'; did you mean \"one/runs\"?"),
        ("nothing like it", "no case has the id 'nothing like it'"),
        ("one/stride", "one/stride runs in several precisions; give one of one/stride-fp32, one/stride-fp16"),
    ],
)
def test_show_of_no_single_case_is_one_line(wanted: str, message: str, root: Path) -> None:
    result = run("cases", "show", wanted, "--cases", root)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", message + "\n")


@pytest.mark.slow
def test_the_suites_own_cases_are_the_default() -> None:
    result = run("cases", "lint")
    assert result.returncode == 0, result.stdout
    first, *sweeps = result.stdout.splitlines()
    assert first.endswith(": no faults")
    assert all(line.startswith("cases/sweeps/") for line in sweeps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cases", "nothing"], "trt-conformance cases: No such command 'nothing'."),
        (["cases", "show"], "trt-conformance cases show: Missing argument 'CASE'."),
        (["nothing"], "trt-conformance: No such command 'nothing'."),
        (["cases", "list", "--jason"], "trt-conformance cases list: No such option: --jason"),
        (["cases", "list", "--tier", "x"], 'unknown tier "x"; expected one of smoke, ci, nightly'),
        (["cases", "expand", "--cases", "/no/such"], "/no/such: no such directory"),
        (["export", "run", "--format", "x\ny"], "trt-conformance export: Invalid value for '--format' / '-f': "),
        (["compare", "a", "--tolerance", "many"], "trt-conformance compare: Invalid value for '--tolerance': "),
        (["golden", "observe"], "trt-conformance golden observe: Missing option '--target'."),
        (["golden", "observe", "--target", "nothing"], "--target nothing: no such target"),
        (["golden", "show", "/no/such.h5"], "/no/such.h5 does not exist"),
        (["report", "/no/such"], "/no/such: no such file or folder: "),
    ],
)
def test_bad_input_ends_with_2_and_one_line(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(message)


@pytest.mark.parametrize("arguments", [[], ["cases"], ["golden"]])
def test_a_command_without_arguments_shows_its_help(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("Usage: trt-conformance")


def test_version() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"trt-conformance {__version__}\n")


def test_help_shows_square_brackets() -> None:
    result = run("compare", "--help")
    assert "[BASE] NEW" in result.stdout
    assert "[latency]" in result.stdout


@pytest.mark.parametrize("command", [["cases", "list"], ["compare"], ["golden", "observe"], ["merge"]])
def test_help_fits_80_columns_of_ascii(command: list[str]) -> None:
    result = run(*command, "--help", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_completion_of_a_shell() -> None:
    words = {"COMP_WORDS": "trt-conformance cas", "COMP_CWORD": "1"}
    result = run(_TRT_CONFORMANCE_COMPLETE="complete_bash", **words)
    assert (result.returncode, result.stdout.split()) == (0, ["cases"])


def test_help_names_the_commands() -> None:
    assert "cases" in run("--help").stdout
    assert all(word in run("cases", "--help").stdout for word in ("list", "lint", "show"))


LintCommitted = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lint_committed(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> LintCommitted:
    """Lint with --committed while git lists certain changes. Returns exit code, stdout and stderr."""

    def lint(changed: list[str] | None, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(git, "uncommitted", lambda folder: changed if folder == root / "golden" else None)
        monkeypatch.setattr(sys, "argv", ["", "cases", "lint", "--committed", "--cases", str(root), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return lint


def test_lint_of_committed_goldens_is_no_fault(lint_committed: LintCommitted) -> None:
    assert lint_committed([]) == (0, "4 cases in 1 file, 1 claim, 0 expectations: no faults\n", "")


def test_lint_names_goldens_that_are_not_committed(lint_committed: LintCommitted) -> None:
    code, printed, _ = lint_committed(["golden/MANIFEST.json", "golden/reference/new.h5"])
    assert code == 2
    assert printed == (
        "golden/MANIFEST.json:1: not committed; review it (`git diff`) and commit it\n"
        "golden/reference/new.h5:1: not committed; review it (`git diff`) and commit it\n"
        "2 faults in 2 files\n"
    )
    _, printed, _ = lint_committed(["golden/reference/new.h5"], "--json")
    listed = json.loads(printed)
    assert [fault["file"] for fault in listed["faults"]] == ["golden/reference/new.h5"]


def test_lint_without_git_cannot_say_what_is_committed(lint_committed: LintCommitted) -> None:
    code, printed, message = lint_committed(None)
    assert (code, printed) == (2, "")
    assert re.fullmatch(r"--committed: .*/golden is not in a git checkout\n", message)


def test_starting_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, trt_conformance.cli; "
        "print([name for name in ('numpy', 'pydantic', 'tensorrt') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout == "[]\n"
