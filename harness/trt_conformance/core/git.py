"""The commit of the checkout, and whether the tree was clean."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from trt_conformance.core.paths import ROOT


def commit() -> dict[str, Any]:
    """The checkout's commit and whether its tree was clean.

    Without a repository of its own, the environment variable TRT_CONFORMANCE_COMMIT states the commit; empty if unset.
    """
    try:
        if _is_own():
            return {"commit": _git("rev-parse", "HEAD"), "clean": not _git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pass
    stated = os.environ.get("TRT_CONFORMANCE_COMMIT")
    return {"commit": stated, "clean": None} if stated else {}


def uncommitted(folder: Path) -> list[str] | None:
    """Files of a folder that differ from the last commit, as git names them; None outside a checkout."""
    try:
        return _git("status", "--porcelain", "--", str(folder)).splitlines() if _is_own() else None
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _is_own() -> bool:
    """Whether the repository is the suite's own, not one in which the package happens to be installed."""
    return _git("rev-parse", "--show-toplevel") == str(ROOT)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
