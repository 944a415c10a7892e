"""Finds rows for the sweeps whose declaration changed, and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trt_conformance.catalog.source import CaseFileError, is_sweep, read_source, toml_files
from trt_conformance.catalog.sweeps import rows
from trt_conformance.catalog.sweeps.model import STRENGTH, TIERS
from trt_conformance.catalog.sweeps.read import read_sweep
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import relative
from trt_conformance.core.words import counted


@dataclass(frozen=True)
class RowsUpdate:
    """How a sweep's rows changed."""

    file: str
    added: int
    removed: int
    rows: int

    def __str__(self) -> str:
        changed = f"{self.added} added, {self.removed} removed" if self.added or self.removed else "unchanged"
        return f"{self.file}: {counted(self.rows, 'row')}, {changed}"


def expand_all(root: Path, fresh: bool = False) -> list[RowsUpdate]:
    """Update the stored rows of every sweep below ``root``; ``fresh`` discards the existing ones.

    Raises:
        CaseFileError: a sweep file has faults, or a file of rows cannot be read.
        ConformanceError: there is no such directory, a possible combination could not be covered, or a file of rows
            cannot be written.
    """
    if not root.is_dir():
        raise ConformanceError(f"{relative(root)}: no such directory")
    changes, faults = [], []
    for path in filter(is_sweep, toml_files(root)):
        source = read_source(path)
        sweep = read_sweep(source)
        faults += source.faults
        if sweep is None or not any(cover.how in STRENGTH for cover in sweep.covers):
            continue
        stored = rows.read_rows(sweep)
        found, before = stored.rows, stored.names
        if fresh or stored.unknown or stored.made_for != rows.digest(sweep):
            found = rows.extend(sweep, {tier: [] for tier in TIERS} if fresh else stored.rows)
            rows.write_rows(sweep, found)
        new = {rows.row_name(sweep, row) for tier in TIERS for row in found[tier]}
        changes.append(RowsUpdate(sweep.file, len(new - before), len(before - new), len(new)))
    if faults:
        raise CaseFileError(faults)
    return changes
