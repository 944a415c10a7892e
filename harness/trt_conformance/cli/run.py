"""``trt-conformance run``: runs the suite from any folder, with pytest's options."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import typer

ABOUT_HELP = """\
trt-conformance run [pytest's options and those of the suite] [tests]
The suite's options come last, under "TensorRT convolution conformance".
"""


def run(context: typer.Context) -> None:
    """Run the suite: everything after `run` goes to pytest.

    For example: trt-conformance run --target tensorrt --case 'padding_mode/*' -x
    """
    if {"-h", "--help"} & {*context.args}:
        typer.echo(ABOUT_HELP)
        sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", *arguments(context.args)]
    if os.name == "nt":
        raise typer.Exit(subprocess.call(command))
    os.execv(sys.executable, command)  # pytest receives the signals and sets the exit code


def arguments(given: list[str]) -> list[str]:
    """The arguments for pytest: the suite's configuration, its tests unless some are named, and what was given.

    A test's id is relative to the suite's folder (``cases/test_forward.py::test_forward[...]``), as failures print it.
    pytest's own cache goes into the working folder, so that ``--lf`` works if the package is read-only.
    """
    from trt_conformance.core.paths import CASES, ROOT

    located = [_located(argument, ROOT) for argument in given]
    tests = [] if located != given or any(map(_names_tests, given)) else [str(CASES)]
    cache = Path.cwd() / ".pytest_cache"
    return ["-c", str(ROOT / "pytest.ini"), "--rootdir", str(ROOT), "-o", f"cache_dir={cache}", *tests, *located]


def _names_tests(argument: str) -> bool:
    file = argument.partition("::")[0]
    return not argument.startswith("-") and file.endswith(".py") and Path(file).name.startswith("test_")


def _located(argument: str, root: Path) -> str:
    """Replace the id of one of the suite's tests by its full path; return any other argument unchanged."""
    file, separator, rest = argument.partition("::")
    if not _names_tests(argument) or Path(file).exists() or not (root / file).exists():
        return argument
    return f"{root / file}{separator}{rest}"
