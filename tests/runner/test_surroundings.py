"""A run in unfriendly surroundings: closed streams, folders that cannot be read or written, names of targets."""

import os
import subprocess
import sys

import pytest

from tests.support.helpers import run_pytest, run_pytest_often
from trt_conformance.core.paths import ROOT

CHOICE = ("cases/test_forward.py", "--case", "stride_nd/h2_w2")
NUMPY = (*CHOICE, "--target", "numpy")


def started(*command):
    """A command that runs pytest in a way of its own, as if no other pytest were running."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("closed", "more"),
    [
        (">&-", ""),
        (">&-", "--progress plain"),
        ("2>&-", ""),
        ("<&-", ""),
        ("<&- >&- 2>&-", ""),
        ("<&- >&- 2>&-", "-n 2"),
    ],
)
def test_a_closed_stream_changes_nothing(tmp_path, closed, more):
    command = f'exec "$0" -m pytest -p no:cacheprovider --record-root="$1" "${{@:2}}" {more} {closed}'
    done = started("bash", "-c", command, sys.executable, str(tmp_path), *NUMPY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert ("4 passed" in done.stdout) == (closed in {"2>&-", "<&-"})
    (path,) = tmp_path.glob("*/record.jsonl")
    assert path.read_text(encoding="utf-8").count('"kind": "verdict"') == 4


@pytest.mark.slow
def test_caches_that_cannot_be_written_change_nothing(tmp_path, monkeypatch):
    """As in a checkout that is read-only: a file is where pytest, Python and the suite would make their folders."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "file"))
    written = (f"--cache-dir={tmp_path}/file/cache", f"--record-root={tmp_path}/records")
    own = ("-o", f"cache_dir={tmp_path}/file/pytest")
    done = started(sys.executable, "-m", "pytest", *NUMPY, *written, *own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert "warning" not in done.stdout.lower()
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.slow
def test_a_record_that_cannot_be_written_ends_the_run(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run_pytest(*NUMPY, f"--record-root={tmp_path}/file/records")
    assert done.returncode == 2, done.stdout
    assert "the record cannot be written: Not a directory" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["cases/convolution", "cases/networks", "cases/expectations", "cases/sweeps"])
def test_an_unreadable_folder_is_named(tmp_path, monkeypatch, folder):
    """A run without its cases must not pass."""
    monkeypatch.setenv("UNREADABLE", folder)
    done = run_pytest("-p", "tests.support.unreadable", *NUMPY, f"--record-root={tmp_path}/records")
    assert done.returncode == 2, done.stdout
    assert f"{folder}:1: cannot be read: Permission denied" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "records").exists()


@pytest.mark.slow
def test_plain_progress_without_conformance_tests():
    done = run_pytest("tests/numerics/test_shape.py", "--progress", "plain", "-k", "caffe", "--no-record")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


NAMED = """
from trt_conformance.targets.numpy import NumpyTarget


class Named(NumpyTarget):
    name = {name!r}
"""
NAMES = [
    None, b"bytes", 7, ["a"], "", "n\x00l", "half \ud800", "two\nlines", "\x1b[31mred", "..", ".", "a/b", "../a",
    "a\\b", "-n", "x" * 101, "a:b", "\u202ereversed",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("isolation", [(), ("--no-isolation",)], ids=["isolated", "inside"])
def test_a_target_of_an_unusable_name_is_refused(tmp_path, isolation):
    """In one message, with nothing run and nothing written."""
    runs = []
    for number, name in enumerate(NAMES):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "mine.py").write_text(NAMED.format(name=name), encoding="utf-8")
        runs.append([*CHOICE, "--target", f"{folder}/mine.py:Named", f"--record-root={folder}/in/records", *isolation])
    before = sorted(tmp_path.rglob("*"))
    for name, (code, output) in zip(NAMES, run_pytest_often(runs), strict=True):
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


@pytest.mark.slow
@pytest.mark.parametrize("isolation", [(), ("--no-isolation",)], ids=["isolated", "inside"])
def test_what_a_target_says_cannot_command_the_terminal(tmp_path, isolation):
    (tmp_path / "mine.py").write_text(TALKING, encoding="utf-8")
    expected = {"Fails": (1, 2), "Declines": (0, 3), "Opens": (2, 1)}
    options = (*isolation, "-ra", "--min-claims=0", "--progress=plain")
    runs = [
        [*CHOICE, "--target", f"{tmp_path}/mine.py:{name}", f"--record-root={tmp_path}/{name}", *options]
        for name in expected
    ]
    for name, (code, output) in zip(expected, run_pytest_often(runs), strict=True):
        wanted, times = expected[name]
        assert code == wanted, output
        assert output.count(r"\x1b[31mred\u202e") >= times, output
        assert not [c for c in output if not c.isprintable() and c not in "\n\t"], output
