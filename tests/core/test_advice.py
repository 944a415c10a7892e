"""Commands that messages advise can be pasted into the shell that this program was started from."""

import os
import shlex
import subprocess
import sys

import pytest

from trt_conformance.core import advice, paths


@pytest.fixture(autouse=True)
def not_by_make(monkeypatch):
    monkeypatch.delenv(advice.MAKE_VARIABLE, raising=False)


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment of this Python below the working directory, with one program."""
    programs = tmp_path / "an env" / "bin"
    programs.mkdir(parents=True)
    (programs / "tool").write_text("#!/bin/sh\necho here\n")
    (programs / "tool").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.chdir(tmp_path)
    return programs


def test_a_program_that_path_does_not_find_has_its_path(environment):
    assert advice.pasted("tool --option 'a b'") == "'an env/bin/tool' --option 'a b'"
    done = subprocess.run(advice.pasted("tool"), shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "here\n"


def test_a_program_that_path_finds_has_its_name(environment, monkeypatch):
    monkeypatch.setenv("PATH", str(environment), prepend=os.pathsep)
    assert advice.program("tool") == "tool"


def test_a_program_of_another_environment_is_not_advised(environment, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "tool").write_text("")
    (other / "tool").chmod(0o755)
    monkeypatch.setenv("PATH", str(other), prepend=os.pathsep)
    assert shlex.split(advice.program("tool")) == ["an env/bin/tool"]


def test_a_program_that_the_environment_lacks_has_its_name(environment):
    assert advice.program("absent") == "absent"


@pytest.mark.skipif(not paths.IS_CHECKOUT, reason="an installed package has no folder to install from")
def test_the_checkout_is_named_from_where_the_command_is_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(paths.ROOT)
    assert advice.install_command("torch").endswith("install -e '.[torch]'")
    monkeypatch.chdir(tmp_path)
    assert shlex.split(advice.install_command("torch"))[-1] == f"{paths.ROOT}[torch]"


def test_by_make_an_extra_is_an_argument_of_make(monkeypatch):
    monkeypatch.setenv(advice.MAKE_VARIABLE, "make gpu")
    assert advice.install_command("torch") == "make gpu EXTRA=torch"
