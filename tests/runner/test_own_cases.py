"""Runs over folders of cases of one's own: what runs, what the record says, and how a failure is run again."""

import json
import shlex
import shutil

import pytest

from tests.support.helpers import SMALL_FILE, run_pytest_often
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.paths import ROOT
from trt_conformance.golden import update
from trt_conformance.results.record.record import read_record

PLAIN = """\
[[case]]
id = "plain"
doc = "convolves without any attribute"
claims = ["example.values"]
"""
FLIPPED = str(ROOT / "tests" / "doubles" / "flipped.py") + ":FlippedKernel"
MARK = "import pathlib\npathlib.Path(__file__).with_name('mark').touch()\n"


@pytest.fixture
def here(tmp_path):
    """A working folder with two folders of cases, of which the first has a conftest.py that must not run."""
    for name, file in (("my cases", "one"), ("other", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{file}.toml").write_text(SMALL_FILE + PLAIN)
        update(load_catalog(CaseFolder.at(tmp_path / name)))
    (tmp_path / "my cases" / "conftest.py").write_text(MARK)
    return tmp_path


def records(folder):
    return [read_record(path) for path in sorted(folder.glob("records/*"))]


def test_only_the_named_folders_run_and_the_record_names_them(here):
    tests = [str(ROOT / "cases"), "--target", "numpy", "--no-isolation", "--record-root=records"]
    runs = [
        [*tests, "--cases", "my cases", "--cases=other"],
        [*tests, f"--cases={here}/other", "--case", "other/two.toml"],
        [*tests, f"--cases={here}/other", "--golden", str(here / "other" / "golden"), "--case", "two/plain-fp32"],
    ]
    for code, output in run_pytest_often(runs, here):
        assert code == 0, output
    first, second, third = records(here)
    assert {v.case for v in first.verdicts} == {"one/plain-fp32", "two/plain-fp32", "golden/store"}
    assert {v.location for v in first.verdicts if v.case == "one/plain-fp32"} == {"my cases/one.toml:6"}
    assert {v.case for v in second.verdicts} == {"two/plain-fp32", "golden/store"}
    assert [folder.path for folder in second.folders] == [here / "other"]
    assert second.folders == third.folders
    assert [str(folder.path) for folder in first.folders] == ["my cases", "other"]
    assert first.header.to_json()["case_folders"] == [
        {"path": "my cases", "golden": "my cases/golden"},
        {"path": "other", "golden": "other/golden"},
    ]
    assert not list(here.rglob("mark"))


def test_the_rerun_line_names_the_folder(here):
    tests = [str(ROOT / "cases" / "test_forward.py"), "--no-isolation", "--record-root=records"]
    ((code, output),) = run_pytest_often([[*tests, "--target", FLIPPED, "--cases", "my cases"]], here)
    assert code == 1, output
    (failed,) = (v for v in records(here)[0].verdicts if v.is_fault and v.check == "forward")
    program, *words = shlex.split(failed.figures["rerun"])
    assert program == "pytest"
    assert words[words.index("--cases") + 1] == "my cases"
    ((code, output),) = run_pytest_often([[*words, "--no-isolation", "--record-root=records"]], here)
    assert code == 1, output
    (again,) = (v for v in records(here)[1].verdicts if v.is_fault)
    assert (again.case, again.check, again.message) == (failed.case, failed.check, failed.message)


OWN_DIFFERENCE = """\
[[expectation]]
id = "flips"
cause = "deviation"
doc = "our library flips the kernel"
targets = ["flipped*"]
cases = ["one/plain-fp32"]
checks = ["forward", "inputs"]
phase = "compare"
difference = "kernel_flipped|second input"
"""


RIGHT = """\
from trt_conformance.targets.numpy import NumpyTarget

class Right(NumpyTarget):
    name = "flipped_no_more"
"""


def test_own_expectations_name_an_own_target(here):
    """The difference is known; where it is gone, the run fails until the entry is removed."""
    (here / "my cases" / "expectations").mkdir()
    (here / "my cases" / "expectations" / "ours.toml").write_text(OWN_DIFFERENCE)
    run = [str(ROOT / "cases" / "test_forward.py"), "--no-isolation", "--record-root=records", "--cases", "my cases"]
    (here / "right.py").write_text(RIGHT)
    known, gone = run_pytest_often([[*run, "--target", FLIPPED], [*run, "--target", "right.py:Right"]], here)
    assert known[0] == 0, known[1]
    assert {v.known for v in records(here)[0].verdicts if v.check == "forward"} == {"flips"}
    assert gone[0] == 1, gone[1]
    assert "flips" in gone[1]


def test_what_cannot_be_run_is_refused_in_words(here):
    shutil.rmtree(here / "my cases" / "golden")
    tests = [str(ROOT / "cases"), "--target", "numpy", "--no-isolation", "--no-record"]
    (here / "broken").mkdir()
    (here / "broken" / "three.toml").write_text("section = 5\n")
    for arguments, code, message in (
        (["--cases", "missing"], 2, "missing: no such directory"),
        (["--cases", "other", "--cases", "./other/"], 2, "the folder other is named twice"),
        (["--cases=broken"], 2, "broken/three.toml:1: section: expected a non-empty string, got 5"),
        (["--cases=other", "--case", "one/plain"], 2, 'did you mean "two/plain"?'),
        (["--cases=other", "--case", "absent"], 2, "see `trt-conformance cases list --cases other`"),
        (["--golden", "other/golden"], 4, "--golden names the goldens of one folder of cases"),
        (["--cases", "my cases"], 1, "golden update one/plain-fp32 --cases 'my cases'`"),
    ):
        ((found, output),) = run_pytest_often([[*tests, *arguments]], here)
        assert found == code, output
        assert message in output
        assert "Traceback" not in output


def test_a_record_of_the_suites_own_cases_names_no_folder():
    path = next((ROOT / "reports" / "published").glob("*-documented"))
    found = read_record(path)
    assert found.folders == (SUITE,)
    assert "case_folders" not in json.dumps(found.header.to_json())
