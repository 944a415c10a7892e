"""``trt-conformance cases``: what it prints, how it ends, and that it never shows a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.helpers import SMALL_FILE
from trt_conformance.core.paths import ROOT

CASES = (
    SMALL_FILE
    + """\
[[case]]
id = "stride"
doc = "stride 2 on H and W [sic]"
claims = ["stride_nd.h2_w2"]
precision = ["fp32", "fp16"]
set.stride_nd = [2, 2]
expect.printed = \"\"\"
12345.679 31264.598 23156.49 12345.679
78912.34  97831.27  89723.16 78912.34
\"\"\"
[[case]]
id = "runs"
doc = "a dynamic height"
[case.dynamic]
shape = [1, 1, -1, 9]
min = [1, 1, 3, 9]
opt = [1, 1, 6, 9]
max = [1, 1, 12, 9]
run = [[1, 1, 3, 9], [1, 1, 6, 9]]
[[case]]
id = "refused"
doc = "a window that does not fit"
kernel.shape = [1, 1, 7, 7]
set = { stride_nd = [2, 2] }
reject = { phase = "build", error = "image size is smaller", neighbour = "one/stride" }
"""
)
CLAIMS = """\
[[claim]]
id = "stride_nd.h2_w2"
section = "stride_nd (步长)"
statement = "Stride 2 – 步长 – halves H and W."
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "one.toml").write_text(CASES, encoding="utf-8")
    (tmp_path / "claims.toml").write_text(CLAIMS, encoding="utf-8")
    return tmp_path


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as people start it, with its output captured."""
    result = subprocess.run(
        [sys.executable, "-m", "trt_conformance.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", **environment},
        timeout=60,
        check=False,
    )
    assert "Traceback" not in result.stderr + result.stdout, result.stderr
    return result


def test_list_prints_one_plain_line_a_case(root: Path) -> None:
    result = run("cases", "list", "--root", root)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "id                claims           doc",
        "one/stride-fp32   stride_nd.h2_w2  stride 2 on H and W [sic]",
        "one/stride-fp16   stride_nd.h2_w2  stride 2 on H and W [sic]",
        "one/runs-fp32     -                a dynamic height",
        "one/refused-fp32  -                a window that does not fit",
    ]


def test_list_as_json(root: Path) -> None:
    found = json.loads(run("cases", "list", "--root", root, "--json").stdout)
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
    result = run("cases", "list", "--root", root, "--json", "--case", "*-fp16", "--case", "one/runs")
    assert [case["id"] for case in json.loads(result.stdout)] == ["one/stride-fp16", "one/runs-fp32"]


def test_glob_that_matches_nothing_is_an_error(root: Path) -> None:
    result = run("cases", "list", "--root", root, "--case", "one/strid", "--case", "*-fp16")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "no case matches 'one/strid'; did you mean \"one/stride\"?\n"


def test_lint_counts_what_it_found_right(root: Path) -> None:
    result = run("cases", "lint", "--root", root)
    assert (result.returncode, result.stdout) == (0, "4 cases in 1 file, 1 claim, 0 expectations: no faults\n")
    assert json.loads(run("cases", "lint", "--root", root, "--json").stdout) == {"faults": []}


def test_lint_names_every_fault_and_ends_with_2(root: Path) -> None:
    (root / "two.toml").write_text("section = \n", encoding="utf-8")
    (root / "three.toml").write_text(CASES.replace("stride_nd =", "strides =", 1), encoding="utf-8")
    result = run("cases", "lint", "--root", root)
    assert (result.returncode, result.stderr) == (2, "")
    assert result.stdout.splitlines() == [
        f'{root}/three.toml:11: unknown attribute in set: "strides"; did you mean "stride"?',
        f"{root}/two.toml:1: is not valid TOML: Invalid value",
        "2 faults in 2 files",
    ]
    result = run("cases", "lint", "--root", root, "--json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["faults"][1] == {
        "file": f"{root}/two.toml",
        "line": 1,
        "message": "is not valid TOML: Invalid value",
        "cases": [],
    }


@pytest.mark.parametrize("command", [["list"], ["show", "one/runs"], ["list", "--json"]])
def test_faults_end_every_other_command_with_2(command: list[str], root: Path) -> None:
    (root / "two.toml").write_text("section = \n", encoding="utf-8")
    result = run("cases", *command, "--root", root)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"{root}/two.toml:1: is not valid TOML: Invalid value\n1 fault in 1 file\n"


@pytest.mark.parametrize("command", [["list"], ["lint"], ["show", "one/runs"]])
def test_root_that_does_not_exist(command: list[str], tmp_path: Path) -> None:
    result = run("cases", *command, "--root", tmp_path / "missing")
    assert (result.returncode, result.stderr) == (2, f"{tmp_path}/missing: no such directory\n")


def test_show_prints_the_resolved_case(root: Path) -> None:
    result = run("cases", "show", "one/stride-fp16", "--root", root)
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
    found = json.loads(run("cases", "show", "one/runs", "--root", root, "--json").stdout)
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
    (output,) = json.loads(run("cases", "show", "one/refused", "--root", root, "--json").stdout)["runs"]
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
    result = run("cases", "show", wanted, "--root", root)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", message + "\n")


def test_the_suites_own_cases_are_the_default() -> None:
    result = run("cases", "lint")
    assert result.returncode == 0, result.stdout
    first, *sweeps = result.stdout.splitlines()
    assert first.endswith(": no faults")
    assert all(line.startswith("cases/sweeps/") for line in sweeps)


@pytest.mark.parametrize(
    "arguments", [["cases", "nothing"], ["cases", "show"], ["nothing"], ["cases", "list", "--jason"]]
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).returncode == 2


def test_help_names_the_commands() -> None:
    assert "cases" in run("--help").stdout
    assert all(word in run("cases", "--help").stdout for word in ("list", "lint", "show"))


def test_output_survives_an_encoding_that_lacks_its_characters(root: Path) -> None:
    result = run("cases", "show", "one/stride-fp32", "--root", root, PYTHONIOENCODING="latin-1")
    assert result.returncode == 0, result.stderr
    assert r"\u6b65\u957f" in result.stdout


def test_reader_that_leaves_early_is_no_error(root: Path) -> None:
    many = "".join(f'[[case]]\nid = "c{i}"\ndoc = "case number {i} of many"\n' for i in range(3000))
    (root / "many.toml").write_text(CASES.partition("[[case]]")[0] + many, encoding="utf-8")
    command = [sys.executable, "-m", "trt_conformance.cli", "cases", "list", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_starting_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, trt_conformance.cli; "
        "print([name for name in ('numpy', 'pydantic', 'tensorrt') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout == "[]\n"
