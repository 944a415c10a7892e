"""The commit of the checkout, and whether the tree was clean."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from trt_conformance.core.paths import ROOT


def commit() -> dict[str, Any]:
    """The checkout's commit and whether its tree was clean.

    A copy without git says its commit by the variable TRT_CONFORMANCE_COMMIT; otherwise nothing is known.
    """
    try:
        head = _git("rev-parse", "HEAD")
        return {"commit": head, "clean": not _git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        said = os.environ.get("TRT_CONFORMANCE_COMMIT")
        return {"commit": said, "clean": None} if said else {}


def uncommitted(folder: Path) -> list[str] | None:
    """Files of a folder that differ from the last commit, as git names them; None outside a checkout."""
    try:
        if _git("rev-parse", "--show-toplevel") != str(ROOT):
            return None
        return _git("status", "--porcelain", "--", str(folder)).splitlines()
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
