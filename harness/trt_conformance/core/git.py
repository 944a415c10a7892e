"""Reads the commit of the checkout and the state of its tree from git."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
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
    """The files of a folder that differ from the last commit, relative to the checkout; None outside a checkout.

    A file that was moved is listed under both names. A new folder is listed file by file. A folder of the suite counts
    only in the suite's own checkout.
    """
    # Separated by NUL, git quotes no name. Each entry is two letters of state, a space, and the name.
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    try:
        if folder.is_relative_to(ROOT) and not _is_own():
            return None
        return [entry[3:] for entry in _git("status", *options, "--", ".", folder=folder).split("\0") if entry]
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def has_commit(name: str) -> bool | None:
    """Whether a commit, given by its full hash, is one of the checkout's repository; None outside a checkout."""
    try:
        if not _is_own():
            return None
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name):
        return False
    try:
        _git("cat-file", "-e", f"{name}^{{commit}}")
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


def is_same_at(name: str, folder: str) -> bool | None:
    """Whether a folder of the checkout is the same at a commit as at HEAD; None if Git cannot tell."""
    try:
        return (
            _git("rev-parse", f"{name}:{folder}") == _git("rev-parse", f"HEAD:{folder}") if has_commit(name) else None
        )
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def files_at(name: str, folder: str) -> dict[str, bytes] | None:
    """The regular files of a folder of the checkout at a commit, by path in it; None if Git cannot tell."""
    if not has_commit(name):
        return None
    try:
        command = ["git", "-C", str(ROOT), "archive", "--format=tar", name, folder]
        done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        streams = ((member.name, archive.extractfile(member)) for member in archive if member.isreg())
        return {path.removeprefix(f"{folder}/"): stream.read() for path, stream in streams if stream is not None}


def _is_own() -> bool:
    """Whether the repository is the suite's own, and not one that contains the installed package."""
    return _git("rev-parse", "--show-toplevel") == str(ROOT)


def _git(*arguments: str, folder: Path | None = None) -> str:
    """What git prints in a folder, by default the checkout, without the line end.

    Leading spaces stay: the state of a changed file begins with one.

    Raises:
        OSError, CalledProcessError, TimeoutExpired: git is not there, fails, or takes over 10 s.
    """
    command = ["git", "-C", str(folder or ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, check=True, timeout=10)
    return os.fsdecode(done.stdout).rstrip("\n")
