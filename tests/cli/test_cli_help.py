"""Help for people at a terminal: its texts, the version, and what a shell completes."""

import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from trt_conformance import __version__
from trt_conformance.cli import app
from trt_conformance.core.paths import ROOT


def commands(group, before=()):
    found = getattr(group, "commands", None)
    if found is None:
        return {before: group}
    below = {name: one for key, group_of in found.items() for name, one in commands(group_of, (*before, key)).items()}
    return {before: group} | below


ALL = commands(typer.main.get_command(app))
PYTEST = ("run",)
"""Its help is pytest's."""


@pytest.mark.parametrize("name", [name for name in ALL if name != PYTEST], ids=" ".join)
def test_help_fits_a_terminal_and_says_what_each_part_is(monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, [*name, "--help"], terminal_width=80)
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    for option in ALL[name].params:
        assert getattr(option, "help", ""), f"{option.name} has no help"


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_the_list_of_commands_has_whole_sentences(name):
    said = ALL[name].get_short_help_str(66)
    assert not said.endswith("..."), f"the first line of {' '.join(name)} is too long for the list of commands: {said}"


def test_brackets_survive():
    """Rich would read them as its markup."""
    said = CliRunner().invoke(app, ["compare", "--help"]).output
    assert "[BASE] NEW" in said
    assert "[latency]" in said


def test_the_help_of_run_says_where_the_suites_options_are(monkeypatch):
    started = []
    monkeypatch.setattr(os, "execv", lambda program, command: started.append(command))
    shown = CliRunner().invoke(app, ["run", "--help"])
    assert shown.output.startswith("trt-conformance run [pytest's options and those of the suite] [tests]")
    assert CliRunner().invoke(app, ["run", "-x"]).output == ""
    assert [command[-1] for command in started] == ["--help", "-x"]


def test_the_version():
    assert CliRunner().invoke(app, ["--version"]).output == f"trt-conformance {__version__}\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [("", "explore"), ("golden up", "update"), ("compare --gat", "--gate"), ("export --format jun", "junit")],
)
def test_a_shell_completes_commands_options_and_values(words, offered):
    line = f"trt-conformance {words}"
    done = subprocess.run(
        [sys.executable, "-c", "from trt_conformance.cli import app; app(prog_name='trt-conformance')"],
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT / "harness"),
            "_TRT_CONFORMANCE_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert offered in done.stdout.split(), done.stderr
