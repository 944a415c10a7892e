"""The progress line of a command: redrawn on a terminal, printed from time to time elsewhere, and gone at the end."""

import io
import sys

import pytest

from trt_conformance.cli import progress
from trt_conformance.cli.progress import ProgressLine


class Stream(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def shown(monkeypatch):
    """Shows states at the given seconds, and returns what was written on stderr."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")

    def run(is_terminal, *times):
        stream = Stream(is_terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        now = iter((0.0, *times))
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
        with ProgressLine() as line:
            for time in times:
                line.show(f"state at {time:g}, which is too long for a narrow terminal")
        return stream.getvalue()

    return run


def test_a_file_gets_a_line_each_half_minute(shown):
    assert shown(False, 1, 29, 31, 60, 62) == "".join(
        f"state at {time}, which is too long for a narrow terminal\n" for time in (31, 62)
    )


def test_a_terminal_gets_a_line_that_is_cut_and_erased(shown):
    text = shown(True, 0.1, 1, 1.1, 2)
    assert "state at 1, which is too long" in text
    assert "state at 2" in text
    assert "state at 0.1" not in text
    assert "state at 1.1" not in text
    assert "narrow terminal" not in text
    assert text.endswith("\x1b[2K")
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0
