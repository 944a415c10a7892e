"""Reads the commit of the checkout and the state of its tree from git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from trt_conformance.core.paths import ROOT


def commit() -> dict[str, Any]:
    """The checkout's commit, and whether its tree was clean.

    Outside a checkout, the environment variable TRT_CONFORMANCE_COMMIT gives the commit; empty if it is not set.
    """
    try:
        if _is_own():
            return {"commit": _git("rev-parse", "HEAD"), "clean": not _git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pass
    stated = os.environ.get("TRT_CONFORMANCE_COMMIT")
    return {"commit": stated, "clean": None} if stated else {}


def uncommitted(folder: Path) -> list[str] | None:
    """The lines of ``git status --porcelain`` for a folder; None outside a checkout."""
    try:
        return _git("status", "--porcelain", "--", str(folder)).splitlines() if _is_own() else None
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _is_own() -> bool:
    """Whether the repository is the suite's own, and not one that contains the installed package."""
    return _git("rev-parse", "--show-toplevel") == str(ROOT)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
