"""A run tells how far it is, and Ctrl-C leaves a whole record and a report."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tests.support.helpers import make_case
from trt_conformance.core.live import live_console
from trt_conformance.core.paths import ROOT
from trt_conformance.core.tensors import feeds_of
from trt_conformance.runner.progress import Progress
from trt_conformance.runner.progress_choice import progress_for
from trt_conformance.targets.isolation.proxy import IsolatedTarget

pty = pytest.importorskip("pty")

SLOW = ROOT / "tests" / "doubles" / "slow.py"
CONTROL = re.compile(r"[^\x20-\x7e\n]")
PATIENCE_S = 600


def start(folder, *arguments, stdout, term="xterm", target="Slow"):
    command = [sys.executable, "-m", "pytest", "cases/test_forward.py", "-p", "no:cacheprovider"]
    command += ["--case", "stride_nd/*", "--target", f"{SLOW}:{target}", "--record-root", str(folder), *arguments]
    environ = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS", "COLUMNS"}}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ | {"TERM": term},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )


def on_terminal(folder, *arguments, term="xterm", interrupt_at=None):
    """The exit code and all that a terminal got; Ctrl-C is pressed when it shows a text."""
    ours, theirs = pty.openpty()
    # What is to be interrupted does not end before, however long this process waits for its turn.
    target = "Slow" if interrupt_at is None else "Halting"
    process = start(folder, *arguments, stdout=theirs, term=term, target=target)
    os.close(theirs)
    shown = ""
    try:
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # how Linux tells that the other end is closed
                chunk = b""
            if not chunk:
                return process.wait(PATIENCE_S), shown.replace("\r\n", "\n")
            shown += chunk.decode()
            if interrupt_at is not None and interrupt_at in shown:
                interrupt_at = None
                os.killpg(process.pid, signal.SIGINT)
    finally:
        os.close(ours)
        process.kill()


ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def left_on_screen(shown):
    """The rows as a terminal shows them at the end: what was overwritten or erased is gone."""
    rows, row, column = [""], 0, 0
    for part in re.findall(rf"{ESCAPE.pattern}|[\r\n]|[^\x1b\r\n]+", shown):
        if part == "\n":
            row, column = row + 1, 0
            rows += [""] * (row == len(rows))
        elif part == "\r":
            column = 0
        elif part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[2K":
            rows[row] = ""
        elif not part.startswith("\x1b"):
            rows[row] = rows[row][:column].ljust(column) + part + rows[row][column + len(part) :]
            column += len(part)
    return rows


def lines_of(shown):
    """Every state that the line had, without colors."""
    return [ESCAPE.sub("", part).strip() for part in re.split(r"[\r\n]", shown) if "/12" in part]


def verdicts_of_interrupted(folder):
    (path,) = folder.rglob("record.jsonl")
    *lines, end = [json.loads(line) for line in path.read_text().splitlines()]
    assert end["kind"] == "end"
    assert end["exit"] == 2
    assert end["counts"] == {"pass": len(lines) - 1}
    assert path.with_name("report.html").is_file()
    return lines[1:]


def test_line_on_a_terminal(tmp_path):
    code, shown = on_terminal(tmp_path, "-q", "--tb", "short", "--no-record")
    assert code == 0
    lines = lines_of(shown)
    running = re.compile(r"[23]/12  [23] pass  [\d.]+/s  0:0\d left  stride_nd/h\d_w\d-\w+-slow")
    assert [line for line in lines if running.fullmatch(line)], lines
    assert re.match(r"12/12  12 pass  [\d.]+/s  0:00 left", lines[-1])
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h"), "the cursor is shown again"
    screen = left_on_screen(shown)
    assert not [row for row in screen if "/12" in row or row.startswith(".")]
    assert any("12 passed" in row for row in screen)


@pytest.mark.slow
def test_ctrl_c_on_a_terminal_with_two_workers(tmp_path):
    code, shown = on_terminal(tmp_path, "-n", "2", interrupt_at="3 pass")
    assert code == 2
    assert [line for line in lines_of(shown) if re.match(r" *3/12 .* 3 pass .* stride_nd/h\d_w\d-\w+-\w+", line)]
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h"), "the cursor is shown again"
    screen = left_on_screen(shown)
    assert not [row for row in screen if "/12 " in row]
    assert any("KeyboardInterrupt" in row for row in screen)
    assert any(row.startswith("report: ") for row in screen)
    assert 3 <= len(verdicts_of_interrupted(tmp_path)) < 12


def test_ctrl_c_without_a_terminal(tmp_path):
    process = start(tmp_path, stdout=subprocess.PIPE, target="Halting")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while sum(path.read_text().count("\n") for path in tmp_path.rglob("record.jsonl")) < 4:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        output = process.communicate(timeout=PATIENCE_S)[0].decode()
    finally:
        process.kill()
    assert process.returncode == 2, output
    assert not CONTROL.search(output)
    assert "\n..." in output
    assert " left" not in output
    assert "report: " in output
    assert 3 <= len(verdicts_of_interrupted(tmp_path)) < 12


@pytest.mark.slow
def test_dumb_terminal_gets_dots(tmp_path):
    code, shown = on_terminal(tmp_path, "--no-record", "-x", term="dumb")
    assert code == 0
    assert "\x1b" not in shown
    assert "............" in shown
    assert " left" not in shown


class Clock:
    """A time that only the test moves on."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def progress_of(names, terminal=None):
    reporter = SimpleNamespace(text="", showfspath=True, flush=lambda: None)

    def write_line(text):
        reporter.text += f"{text}\n"

    reporter.write_line = write_line
    progress = Progress(SimpleNamespace(rootpath=ROOT), reporter, terminal, Clock())
    progress.expect(names)
    return progress


def finish(progress, name, **call):
    progress.pytest_runtest_logstart(name)
    for when, fields in (("setup", {}), ("call", call), ("teardown", {})):
        given = {"nodeid": name, "when": when, "failed": False, "skipped": False} | fields
        progress.pytest_runtest_logreport(SimpleNamespace(**given))


def found(status, known=""):
    return {"verdicts": [{"status": status, "known": known}]}


def test_plain_lines_come_at_tenths():
    names = [f"cases/test_forward.py::test_forward[case{n}]" for n in range(40)]
    progress = progress_of(names)
    for name in names:
        finish(progress, name, **found("pass"))
    lines = progress.reporter.text.splitlines()
    assert [line.split()[0] for line in lines] == [f"{n}/40" for n in range(4, 41, 4)]
    assert not CONTROL.search(progress.reporter.text)


def test_plain_lines_break_silence():
    names = [f"cases/test_forward.py::test_forward[case{n}]" for n in range(1000)]
    progress = progress_of(names)
    finish(progress, names[0], **found("pass"))
    assert not progress.reporter.text
    progress.clock.now += 11
    finish(progress, names[1], **found("pass"))
    finish(progress, names[2], **found("pass"))
    assert re.fullmatch(r"2/1000  2 pass  0\.0909/s  18\d:\d\d left\n", progress.reporter.text)


def test_every_outcome_is_counted():
    name = "cases/test_forward.py::test_forward[a/b-fp32]"
    progress = progress_of([name] * 9)
    for status in ("pass", "fail", "error", "fallback", "unsupported", "not run"):
        finish(progress, name, **found(status))
    finish(progress, name, **found("fail", known="a difference"))
    finish(progress, name, failed=True)
    progress.pytest_runtest_logstart(name)
    assert progress.line() == "8/9  1 pass, 1 fail, 2 error, 1 known, 3 no result  a/b-fp32"
    progress.pytest_runtest_logreport(SimpleNamespace(nodeid=name, when="???", failed=True, skipped=False))
    assert progress.line().startswith("9/9  1 pass, 1 fail, 3 error, ")


def test_a_narrow_terminal_cuts_the_case_and_nothing_else(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    stream.isatty = lambda: True
    name = f"cases/test_forward.py::test_forward[{'long_name/' * 9}[bold]-fp32]"
    progress = progress_of([name] * 4, live_console(stream))
    for _ in range(3):
        finish(progress, name, **found("pass"))
        progress.clock.now += 1
    progress.pytest_runtest_logstart(name)
    progress.erase()
    last = [line for line in ESCAPE.sub("", stream.getvalue()).splitlines() if "pass" in line][-1]
    assert len(last.rpartition("\r")[2]) <= 72
    assert re.search(r"3/4  3 pass  1/s  0:01 left  long_name/.*…", last)


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"CI": "true", "TERM": "xterm"}])
def test_where_no_line_can_be_redrawn(monkeypatch, variables):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.delenv("CI", raising=False)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    assert live_console(stream) is None
    assert live_console(io.StringIO()) is None
    assert live_console(None) is None


def test_other_tests_keep_their_dots():
    progress = progress_of(["tests/numerics/test_shape.py::test_a", "cases/test_forward.py::test_b[c]"])
    finish(progress, "tests/numerics/test_shape.py::test_a")
    assert not progress.is_on
    assert not progress.reporter.text
    assert progress.reporter.showfspath


def test_plain_progress_without_a_conformance_test_keeps_the_dots():
    name = "tests/numerics/test_shape.py::test_a"
    progress = progress_of([name])
    finish(progress, name)
    assert not progress.reporter.text


def test_a_closed_output_has_no_progress(monkeypatch):
    reporter = SimpleNamespace(verbosity=0)
    config = SimpleNamespace(
        pluginmanager=SimpleNamespace(get_plugin=lambda name: reporter), getoption=lambda name, default="fd": default
    )
    monkeypatch.setattr(sys, "stdout", None)
    assert progress_for(config, "auto") is None


def test_ctrl_c_ends_a_stuck_call(monkeypatch):
    target = IsolatedTarget(f"{SLOW}:Stuck")
    try:
        case = make_case()
        engine = target.build(case)

        def interrupted(*_arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(target._worker._channel, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.run(feeds_of(case))
        assert not target.is_alive
        engine.close()
    finally:
        target.close()
