"""Where a command prints to: terminals, readers that leave, full disks, closed streams and narrow encodings."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.support.commands import CASES, run, written
from tests.support.helpers import slow
from trt_conformance.cli.output import print_table
from trt_conformance.core.paths import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return written(tmp_path)


def test_output_survives_an_encoding_that_lacks_its_characters(root: Path) -> None:
    result = run("cases", "show", "one/stride-fp32", "--cases", root, PYTHONIOENCODING="latin-1")
    assert result.returncode == 0, result.stderr
    assert r"\u6b65\u957f" in result.stdout


def test_reader_that_leaves_early_is_no_error(root: Path) -> None:
    many = "".join(f'[[case]]\nid = "c{i}"\ndoc = "case number {i} of many"\n' for i in range(3000))
    (root / "many.toml").write_text(CASES.partition("[[case]]")[0] + many, encoding="utf-8")
    command = [sys.executable, "-m", "trt_conformance.cli", "cases", "list", "--cases", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_reader_that_leaves_is_not_a_regression(root: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "trt_conformance.cli", "cases", "list", "--cases", str(root)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_stdout_is_one_line(root: Path, unbuffered: str) -> None:
    command = [sys.executable, "-m", "trt_conformance.cli", "cases", "list", "--cases", str(root)]
    with open("/dev/full", "wb") as full:
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 74
    assert done.stderr.startswith(b"the output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("case", "code"), [("one/*", 0), ("two/*", 2)])
def test_closed_streams_change_nothing_but_what_is_printed(root: Path, closed: str, case: str, code: int) -> None:
    command = f'exec "$0" -m trt_conformance.cli cases list --cases "$1" --case "$2" {closed}'
    done = subprocess.run(["sh", "-c", command, sys.executable, root, case], capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert bool(done.stdout) == (code == 0 and ">&-" not in closed.replace("2>&-", ""))


def test_a_file_does_not_take_the_place_of_a_closed_stdout(root: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from trt_conformance.cli.streams import open_closed_streams; open_closed_streams(); "
        "file = open(sys.argv[1], 'w'); print('printed'); sys.stdout.flush(); file.write('written')"
    )
    target = tmp_path / "file"
    subprocess.run(["sh", "-c", 'exec "$0" -c "$1" "$2" >&-', sys.executable, code, target], cwd=ROOT, check=True)
    assert target.read_text() == "written"


@pytest.mark.parametrize(
    "command", [["cases", "list"], slow(["cases", "lint"]), slow(["cases", "show", "one/stride-fp32"])]
)
def test_a_bare_environment_is_enough(root: Path, command: list[str]) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "trt_conformance.cli", *command, "--cases", root],
        env={**environment, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def on_a_terminal(columns: int, *arguments: str | Path) -> list[str]:
    """The lines that a command prints on a terminal of a width."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "trt_conformance.cli", *map(str, arguments)]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, cwd=ROOT, env=environment | {"TERM": "dumb"}):
        os.close(its)
        printed = b""
        try:
            while part := os.read(ours, 4096):
                printed += part
        except OSError:  # Linux reports the end of a terminal's output as an error
            pass
    os.close(ours)
    return printed.decode().splitlines()


def test_a_table_fits_the_terminal(root: Path) -> None:
    name = "a" * 80
    (root / "two.toml").write_text(CASES.replace('"runs"', f'"{name}"').replace("stride", "step", 1), encoding="utf-8")
    lines = on_a_terminal(80, "cases", "list", "--cases", root, "--case", "two/*")
    assert any("aaaa" in line for line in lines), lines
    assert max(map(len, lines)) <= 80


def test_one_long_cell_does_not_widen_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["id", "doc"], [("a" * 300, "long"), ("b", "short")])
    assert capsys.readouterr().out.splitlines() == [
        "id".ljust(40) + "  doc",
        "a" * 300 + "  long",
        "b".ljust(40) + "  short",
    ]
