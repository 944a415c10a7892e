"""The SHA-256 of every file of a store: recorded in a run's record, and checked when an archive is unpacked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from trt_conformance.core.errors import ConformanceError
from trt_conformance.golden import files, hashes, manifest
from trt_conformance.golden.files import KINDS

DIGITS = 16
"""Hexadecimal digits of a sum in a record."""


def expected_files(root: Path) -> list[str]:
    """The files of a store that runs compare with: the manifest, golden files and hashes; no observed goldens."""
    tensors = (file for file in files.files_in(root) if not file.startswith("observed/"))
    own = [manifest.NAME] if (root / manifest.NAME).is_file() else []
    return sorted([*own, *tensors, *hashes.files_in(root)])


def golden_sums(root: Path) -> dict[str, str]:
    """The SHA-256, in hexadecimal, of each file of a store that runs compare with.

    Raises:
        ConformanceError: a file cannot be read.
    """
    found = {}
    for file in expected_files(root):
        try:
            found[file] = hashlib.sha256((root / file).read_bytes()).hexdigest()
        except OSError as fault:
            raise ConformanceError(f"{root / file}: cannot be read: {fault.strerror or fault}") from None
    return found


def short_sums_of(content: Mapping[str, bytes]) -> dict[str, str]:
    """As `short_sums`, of files in memory by their paths in the store."""
    folders = (*KINDS[:2], *hashes.FOLDERS)
    own = (name for name in content if name == manifest.NAME or name.partition("/")[0] in folders)
    return {name: hashlib.sha256(content[name]).hexdigest()[:DIGITS] for name in sorted(own)}


def short_sums(root: Path) -> dict[str, str]:
    """The first digits of each sum, as a record has them; nothing if there is no store that can be read."""
    try:
        return {file: digest[:DIGITS] for file, digest in golden_sums(root).items()}
    except ConformanceError:
        return {}
