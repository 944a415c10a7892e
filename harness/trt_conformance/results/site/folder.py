"""Writes a site's folder: completely or not at all, and never over a folder that is not a site."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trt_conformance import __version__
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import replacing_folder

MARKER = "site.json"
"""The file that marks a folder as a site."""
MADE_BY = "trt-conformance site"


def write_site(folder: Path, files: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    """Write the files into a folder, which they replace as a whole.

    They are written into a new folder beside it, which then takes its name. If that fails, the folder does not change.

    Args:
        folder: where to write. It is missing, empty, or a site.
        files: texts by their paths in the folder.
        facts: what the marker says beside who made it.

    Raises:
        ConformanceError: the folder is something else, or cannot be written.
    """
    _check_ours(folder)
    marker = json.dumps({"made_by": MADE_BY, "version": __version__, **facts}, indent=2) + "\n"
    with replacing_folder(folder) as partial:
        for name, text in {**files, MARKER: marker}.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def _check_ours(folder: Path) -> None:
    try:
        if not folder.name or folder.is_symlink():
            raise ConformanceError(f"{folder}: name the folder itself, not a link and not the current folder")
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        marker = None
    if not isinstance(marker, dict) or marker.get("made_by") != MADE_BY:
        raise ConformanceError(
            f"{folder}: exists and is not a site, so it is not replaced; name a new folder, or remove this one"
        )
