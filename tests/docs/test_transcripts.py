"""The commands that the docs show with their output, on published records, print what the docs say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.helpers import slow
from trt_conformance.core.paths import ROOT

DOCS = ROOT / "docs"
PROGRAMS = ("promtool",)
"""What a transcript may need beside this environment."""


def transcripts(page: str) -> list[list[str]]:
    """The lines of each ``console`` block of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [block.splitlines() for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)]


def differences(lines: list[str], folder: Path) -> list[str]:
    """The lines of a transcript that its commands do not print, in this order; ``...`` stands for any lines.

    The commands run in a folder that has the published records alone.
    """
    for name in PROGRAMS:
        if any(name in line for line in lines) and shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    (folder / "bin").mkdir(exist_ok=True)
    for name, module in (("trt-conformance", "trt_conformance.cli"), ("junitparser", "junitparser.cli")):
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    (folder / "reports").mkdir(exist_ok=True)
    published = folder / "reports" / "published"
    if not published.exists():
        published.symlink_to(ROOT / "reports" / "published")
    found = (str(Path(sys.executable).parent), str(folder / "bin"), os.environ["PATH"])
    environment = os.environ | {"PATH": os.pathsep.join(found)}
    missing: list[str] = []
    for command, *shown in split(lines):
        run = ["bash", "-c", f"{{ {command}; }} 2>&1"]
        done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        printed = iter(done.stdout.splitlines())
        missing += [line for line in shown if line != "..." and line not in printed]
    return missing


def split(lines: list[str]) -> list[list[str]]:
    """Each command of a transcript, with the lines that follow it."""
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append([line.removeprefix("$ ")])
        else:
            found[-1].append(line)
    return found


@pytest.mark.parametrize("page", ["upgrade.md", slow("ci.md"), slow("contributing.md"), slow("own-cases.md")])
def test_the_commands_of_a_page_print_what_it_says(page: str, tmp_path: Path) -> None:
    found = transcripts(page)
    assert found
    for lines in found:
        assert differences(lines, tmp_path) == []


def test_a_line_that_is_not_printed_is_found(tmp_path: Path) -> None:
    lines = ["$ printf 'one\\ntwo\\nthree\\n'; echo $?", "one", "...", "three", "two", "1"]
    assert differences(lines, tmp_path) == ["two", "1"]
