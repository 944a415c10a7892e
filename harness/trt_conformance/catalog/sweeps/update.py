"""Finds rows for the sweeps whose declaration changed, and writes them."""

from __future__ import annotations

from dataclasses import dataclass

from trt_conformance.catalog.folder_files import check_folder
from trt_conformance.catalog.source import CaseFileError, read_source, toml_files
from trt_conformance.catalog.sweeps import rows
from trt_conformance.catalog.sweeps.model import STRENGTH, TIERS
from trt_conformance.catalog.sweeps.read import read_sweep
from trt_conformance.core.case_folder import CaseFolder
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


def expand_all(folder: CaseFolder, fresh: bool = False) -> list[RowsUpdate]:
    """Update the stored rows of every sweep of a folder; ``fresh`` discards the existing ones.

    Raises:
        CaseFileError: a sweep file has faults, or a file of rows cannot be read.
        ConformanceError: there is no such directory, a possible combination could not be covered, or a file of rows
            cannot be written.
    """
    check_folder(folder)
    changes, faults = [], []
    for path in filter(folder.is_sweep, toml_files(folder.path)):
        source = read_source(path, folder)
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
