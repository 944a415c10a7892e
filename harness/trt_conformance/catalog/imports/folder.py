"""Writes the files of an import into a folder: all of them, or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from trt_conformance.core.errors import ConformanceError, WriteError


def write_all(folder: Path, files: Mapping[str, bytes], replace: bool = False) -> None:
    """Write files below a folder, which is made if it is missing. After an error the folder is as it was before.

    Args:
        folder: where to write.
        files: the content of each file, by its path below the folder.
        replace: whether existing files are replaced; otherwise an existing file is an error.

    Raises:
        ConformanceError: the folder is no directory, or a file exists.
        WriteError: a file cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ConformanceError(f"{folder}: is not a directory: choose another folder with -o")
    existing = [name for name in files if os.path.lexists(folder / name)]
    if existing and not replace:
        raise ConformanceError(
            f"{folder / existing[0]}: exists already: --force replaces it, -o chooses another folder"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    except OSError as fault:
        raise _unwritable(folder, fault) from fault
    try:
        for name, content in files.items():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            (staged / name).write_bytes(content)
        staged.chmod(0o777 & ~_umask())
        if folder.exists():
            _move(staged, folder, files)
        else:
            os.rename(staged, folder)
    except OSError as fault:
        raise _unwritable(folder, fault) from fault
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _move(staged: Path, folder: Path, files: Mapping[str, bytes]) -> None:
    """Move complete files into a folder, and take back what was moved if one cannot be."""
    before = {name: (folder / name).read_bytes() if (folder / name).is_file() else None for name in files}
    moved: list[str] = []
    try:
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged / name, folder / name)
            moved.append(name)
    except OSError:
        for name in moved:
            content = before[name]
            if content is None:
                (folder / name).unlink()
            else:
                (folder / name).write_bytes(content)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _unwritable(folder: Path, fault: OSError) -> WriteError:
    reason = fault.strerror or str(fault)
    return WriteError(f"{folder}: cannot be written: {reason}", reason)
