"""The standard streams of a command."""

import subprocess
import sys

KEPT = """
import os, sys
from trt_conformance.cli.streams import captured_stderr
with captured_stderr() as kept:
    os.write(2, b"noise of a library\\n")
    print("progress", file=sys.stderr)
    kept.seek(0)
    print("kept:", kept.read().decode().strip())
    {then}
os.write(2, b"after\\n")
"""


def ran(then="pass"):
    done = subprocess.run([sys.executable, "-c", KEPT.format(then=then)], capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


def test_what_libraries_say_is_kept_and_what_the_command_says_is_shown():
    assert ran() == ("kept: noise of a library\n", "progress\nafter\n")


def test_what_was_kept_is_shown_where_the_command_fails():
    _, shown = ran("raise SystemExit(2)")
    assert shown == "progress\nnoise of a library\n"


def test_nothing_is_kept_where_stderr_is_not_the_own():
    done, shown = (
        ran("pass"),
        subprocess.run(
            [sys.executable, "-c", "import io, sys\nsys.stderr = io.StringIO()" + KEPT.format(then="pass")],
            capture_output=True,
            text=True,
            check=False,
        ),
    )
    assert shown.stdout == "kept: \n"
    assert shown.stderr == "noise of a library\nafter\n"
    assert done[0] != shown.stdout
