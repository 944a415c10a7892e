"""Commands as a person can paste them, in the way in which this program was started."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from trt_conformance.core import paths

MAKE_VARIABLE = "TRT_CONFORMANCE_MAKE"
"""An environment variable: the command of `make` that started this program, which the Makefile sets."""


def install_command(extra: str) -> str:
    """The command that installs an extra of this package: ``pip install 'trt-conformance[cpu]'``.

    Started by `make`, the same command with ``EXTRA=``: it makes an environment for each choice of extras.
    """
    if made_by := os.environ.get(MAKE_VARIABLE):
        return f"{made_by} EXTRA={extra}"
    package = f"-e {shlex.quote(f'{paths.from_here(paths.ROOT)}[{extra}]')}"
    return f"{program('pip')} install {package if paths.IS_CHECKOUT else shlex.quote(f'trt-conformance[{extra}]')}"


def help_command(command: str) -> str:
    """What prints a command's help: ``trt-conformance compare --help``; by `make`, ``make compare ARGS=--help``."""
    made_by = os.environ.get(MAKE_VARIABLE)
    return f"{made_by} ARGS=--help" if made_by else f"{command} --help"


def program(name: str) -> str:
    """How a shell reaches a program of this environment: by its name if PATH leads to it, otherwise by its path."""
    mine, found = Path(sys.executable).parent / name, shutil.which(name)
    if not mine.exists() or (found is not None and Path(found).resolve() == mine.resolve()):
        return name
    return shlex.quote(paths.from_here(mine))


def pasted(command: str) -> str:
    """A command that begins with the name of a program of this environment, for the shell of this machine."""
    name, space, rest = command.partition(" ")
    return f"{program(name)}{space}{rest}"
