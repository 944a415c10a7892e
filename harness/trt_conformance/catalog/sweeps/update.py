"""Finds the rows of sweeps whose declaration changed, and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trt_conformance.catalog.source import CaseFileError, read
from trt_conformance.catalog.sweeps import rows
from trt_conformance.catalog.sweeps.model import STRENGTH, TIERS
from trt_conformance.catalog.sweeps.read import read_sweep
from trt_conformance.core.words import counted


@dataclass(frozen=True)
class Change:
    """What became of a sweep's rows."""

    file: str
    added: int
    removed: int
    rows: int

    def __str__(self) -> str:
        changed = f"{self.added} added, {self.removed} removed" if self.added or self.removed else "as they were"
        return f"{self.file}: {counted(self.rows, 'row')}, {changed}"


def expand_all(root: Path, fresh: bool = False) -> list[Change]:
    """Bring the rows of every sweep below ``root`` up to date; ``fresh`` forgets those that are there.

    Raises:
        CaseFileError: a sweep file has faults.
        ConformanceError: a possible combination could not be covered, or a file of rows cannot be read.
    """
    changes, faults = [], []
    for path in sorted((root / "sweeps").glob("*.toml")):
        source = read(path)
        sweep = read_sweep(source)
        faults += source.faults
        if sweep is None or not any(cover.how in STRENGTH for cover in sweep.covers):
            continue
        before = rows.names(sweep)
        kept, made_for = rows.read(sweep)
        found = kept
        if fresh or made_for != rows.digest(sweep):
            found = rows.extend(sweep, {tier: [] for tier in TIERS} if fresh else kept)
            rows.write(sweep, found)
        new = {rows.name_of(sweep, row) for tier in TIERS for row in found[tier]}
        changes.append(Change(sweep.file, len(new - before), len(before - new), len(new)))
    if faults:
        raise CaseFileError(faults)
    return changes
