"""A run in unfriendly surroundings: closed streams, folders that cannot be read or written, names of targets."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tests.support.helpers import pytest_environment, run_pytest, run_pytest_often, run_python, slow
from tests.support.suite import small_cases
from trt_conformance.cli import app
from trt_conformance.core.paths import ROOT
from trt_conformance.results.record.record import read_record

FORWARD = str(ROOT / "cases" / "test_forward.py")


def choice():
    """The arguments of a run of four checks of each target."""
    return (FORWARD, "--cases", small_cases())


def numpy_run():
    """The arguments of a run of four checks, in one process."""
    return (*choice(), "--target", "numpy", "--no-isolation")


def started(*command, **environment):
    """A command that runs pytest in a way of its own, as if no other pytest were running."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=pytest_environment() | environment,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize(
    ("closed", "more"),
    [
        slow(">&-", ""),
        slow(">&-", "--progress plain"),
        slow("2>&-", ""),
        slow("<&-", ""),
        ("<&- >&- 2>&-", ""),
        slow("<&- >&- 2>&-", "-n 2"),
    ],
)
def test_a_closed_stream_changes_nothing(tmp_path, closed, more):
    command = f'exec "$0" -m pytest -p no:cacheprovider --record-root="$1" "${{@:2}}" {more} {closed}'
    done = started("bash", "-c", command, sys.executable, str(tmp_path), *numpy_run())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert ("4 passed" in done.stdout) == (closed in {"2>&-", "<&-"})
    (path,) = tmp_path.glob("*/record.jsonl")
    assert path.read_text(encoding="utf-8").count('"kind": "verdict"') == 4


def test_caches_that_cannot_be_written_change_nothing(tmp_path, monkeypatch):
    """As in a checkout that is read-only: a file is where pytest, Python and the suite would make their folders."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BYTECODE_IN", str(tmp_path / "file"))
    written = (f"--cache-dir={tmp_path}/file/cache", f"--record-root={tmp_path}/records")
    own = ("-o", f"cache_dir={tmp_path}/file/pytest")
    done = run_python("pytest", "-p", "tests.support.bytecode", *numpy_run(), *written, *own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert "warning" not in done.stdout.lower()
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_home_that_is_no_folder_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    done = run_pytest(*numpy_run(), f"--record-root={tmp_path}/records")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert "warning" not in done.stdout.lower()


def test_a_user_without_a_home_has_a_cache_for_one_run(tmp_path, monkeypatch):
    """As in a container with any user number: neither the environment nor the system knows a home folder."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    folder = ROOT / "tests"
    arguments = (*numpy_run(), f"--record-root={tmp_path}")
    done = run_pytest("-p", "tests.support.homeless", *arguments, root=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert not (folder / "~").exists()


@pytest.mark.parametrize("name", ["größe\u4e2d", slow("größe")])
def test_a_locale_without_the_characters_of_a_name_changes_nothing(tmp_path, name):
    """Whatever the terminal cannot show is escaped there. The record and the report are in UTF-8."""
    (tmp_path / "mine.py").write_text(NAMED.format(name=name), encoding="utf-8")
    target = ("--target", f"{tmp_path}/mine.py:Named", "--progress=plain")
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *choice(), *target)
    done = started(*command, f"--record-root={tmp_path}/records", **ascii_only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert done.stdout.isascii()
    assert "Traceback" not in done.stdout + done.stderr
    (path,) = tmp_path.glob("records/*/record.jsonl")
    assert read_record(path).header.targets == [name]
    assert name in path.with_name("report.html").read_text(encoding="utf-8")


def test_a_clock_that_goes_back_changes_nothing(tmp_path):
    done = run_pytest("-p", "tests.support.clock_back", *numpy_run(), f"--record-root={tmp_path}/records")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    (folder,) = tmp_path.glob("records/*")
    found = read_record(folder / "record.jsonl")
    assert found.end.ended < found.header.started
    shown = " ".join((folder / "report.html").read_text(encoding="utf-8").split())
    assert "complete; how long it took is unknown: the clock was set back" in shown
    run = str(folder)
    for command in (["report", run], ["compare", run, run], ["history", run], ["merge", run, "-o", f"{tmp_path}/one"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, (command, done.output)


def test_a_record_that_cannot_be_written_ends_the_run(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run_pytest(*numpy_run(), f"--record-root={tmp_path}/file/records")
    assert done.returncode == 2, done.stdout
    assert "the record cannot be written: Not a directory" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "folder", ["cases/networks", *map(slow, ("cases/convolution", "cases/expectations", "cases/sweeps"))]
)
def test_an_unreadable_folder_is_named(tmp_path, monkeypatch, folder):
    """A run without its cases must not pass. A fresh one reads them itself."""
    monkeypatch.setenv("UNREADABLE", folder)
    suite = (FORWARD, "--case", "stride_nd/h2_w2", "--target", "numpy", f"--record-root={tmp_path}/records")
    done = run_pytest("-p", "tests.support.unreadable", *suite, fresh=True)
    assert done.returncode == 2, done.stdout
    assert f"{folder}:1: cannot be read: Permission denied" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "records").exists()


def test_plain_progress_without_conformance_tests():
    done = run_pytest("tests/numerics/test_shape.py", "--progress", "plain", "-k", "caffe", "--no-record")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_runs_without_conformance_tests_read_no_cases():
    done = run_pytest("tests/core/test_table.py", "-q", "--cases", "absent", "--no-record")
    assert done.returncode == 0, done.stdout + done.stderr


NAMED = """
from trt_conformance.targets.numpy import NumpyTarget


class Named(NumpyTarget):
    name = {name!r}
"""
# One of each kind; tests/targets/test_door.py has all of them.
NAMES = [None, ["a"], "n\x00l", "half \ud800", "two\nlines", "\x1b[31mred", "../a"]


@pytest.mark.parametrize(
    ("isolation", "names"), [((), NAMES[-2:]), slow((), NAMES[:-2]), slow(("--no-isolation",), NAMES[-2:])]
)
def test_a_target_of_an_unusable_name_is_refused(tmp_path, isolation, names):
    """In one message, with nothing run and nothing written."""
    runs = []
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "mine.py").write_text(NAMED.format(name=name), encoding="utf-8")
        runs.append(
            [*choice(), "--target", f"{folder}/mine.py:Named", f"--record-root={folder}/in/records", *isolation]
        )
    before = sorted(tmp_path.rglob("*"))
    for name, (code, output) in zip(names, run_pytest_often(runs), strict=True):
        assert code == 2, (name, output)
        assert output.count("a target's name must") == 1, (name, output)
        assert "INTERNALERROR" not in output
        assert "Traceback" not in output
        assert not [c for c in output if not c.isprintable() and c != "\n"], (name, output)
    assert sorted(path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts) == before


TALKING = """
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.numpy import NumpyTarget

BAD = "\\x1b]0;title\\x07\\x1b[31mred\\u202e"


class Fails(NumpyTarget):
    name = "fails"

    def build(self, case):
        raise RuntimeError(BAD)


class Declines(NumpyTarget):
    name = "declines"

    def supports(self, case):
        return BAD


class Opens(NumpyTarget):
    name = "opens"

    def __init__(self):
        raise RuntimeError(BAD)
"""


@pytest.mark.parametrize("isolation", [slow(()), ("--no-isolation",)], ids=["isolated", "inside"])
def test_what_a_target_says_cannot_command_the_terminal(tmp_path, isolation):
    (tmp_path / "mine.py").write_text(TALKING, encoding="utf-8")
    expected = {"Fails": (1, 2), "Declines": (0, 2), "Opens": (2, 1)}
    options = (*isolation, "-ra", "--min-claims=0", "--progress=plain")
    runs = [
        [*choice(), "--target", f"{tmp_path}/mine.py:{name}", f"--record-root={tmp_path}/{name}", *options]
        for name in expected
    ]
    for name, (code, output) in zip(expected, run_pytest_often(runs), strict=True):
        wanted, times = expected[name]
        assert code == wanted, output
        assert output.count(r"\x1b[31mred\u202e") >= times, output
        assert not [c for c in output if not c.isprintable() and c not in "\n\t"], output


@pytest.mark.slow
def test_two_runs_at_the_same_time_in_one_folder_have_a_record_each(tmp_path):
    command = [sys.executable, "-m", "pytest", *numpy_run(), f"--record-root={tmp_path}/records", "-q"]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=pytest_environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for run in both:
        output, _ = run.communicate(timeout=600)
        assert run.returncode == 0, output
    found = [read_record(path) for path in tmp_path.glob("records/*/record.jsonl")]
    assert [len(record.verdicts) for record in found] == [4, 4]
    assert all(record.complete for record in found)


def test_a_run_makes_no_folder_but_those_it_is_asked_for(tmp_path):
    """pytest-benchmark has one of its own, which a run gets if it stores latencies there."""
    arguments = ("-p", "no:cacheprovider", "-c", str(ROOT / "pytest.ini"), *numpy_run(), "--no-record", "-q")
    runs = {name: (*arguments, *more) for name, more in (("plain", ()), ("asked", ("--benchmark-save=first",)))}
    for name, run in runs.items():
        (tmp_path / name).mkdir()
        done = run_pytest(*run, root=tmp_path / name)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in tmp_path.rglob("*")].count(".benchmarks") == 1
    assert (tmp_path / "asked" / ".benchmarks").is_dir()
