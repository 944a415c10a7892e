"""Environments made by pip as users make them, outside this one."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

import pytest

from trt_conformance.core.paths import ROOT

# How pip reaches an index is this machine's matter, and all that a fresh environment takes from here.
NETWORK = ("PIP_", "SSL_", "REQUESTS_", "CURL_", "HTTP_", "HTTPS_", "NO_PROXY", "http_", "https_", "no_proxy")


class Environment:
    """A virtual environment of this Python with nothing in it, and a home folder of its own."""

    def __init__(self, folder: Path, with_pip: bool = True) -> None:
        self.folder = folder
        venv.create(folder / "venv", with_pip=with_pip)
        (folder / "home").mkdir()

    def run(self, *command: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment: without a folder of its own, in an empty one."""
        given = {name: value for name, value in os.environ.items() if name.startswith(NETWORK)}
        own = {"PATH": f"{self.folder / 'venv' / 'bin'}:/usr/bin:/bin", "HOME": str(self.folder / "home")}
        return subprocess.run(
            command,
            cwd=cwd or self.folder / "home",
            env=given | own | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def install(self, *arguments: str) -> None:
        """Install with pip. Skips the test if no package index can be reached."""
        done = self.run("pip", "install", "--quiet", "--disable-pip-version-check", *arguments)
        if done.returncode and not has_index(self):
            pytest.skip("no package index can be reached")
        assert done.returncode == 0, done.stdout + done.stderr


@cache
def has_index(environment: Environment) -> bool:
    """Whether pip finds a package that every installation needs."""
    return environment.run("pip", "download", "--no-deps", "--dest", "packages", "iniconfig").returncode == 0


def fresh_clone(folder: Path) -> Path:
    """A clone of what is committed here."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy of the suite is no checkout")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""The version of this Python."""
