"""Finds, reads and checks all case files, sweeps and claims of folders, and returns them as one catalog."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from trt_conformance.catalog.case_file import expand
from trt_conformance.catalog.case_patterns import CasePatterns
from trt_conformance.catalog.claims import Claim
from trt_conformance.catalog.folder_files import FolderFiles, checked_claims
from trt_conformance.catalog.neighbors import check_neighbors
from trt_conformance.catalog.references import check_duplicates, check_relations, check_sweep_names
from trt_conformance.catalog.source import CaseFileError, Fault
from trt_conformance.catalog.sweeps.expand import Expanded, expand_sweep
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.collection import no_cycle_search
from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import content_hash
from trt_conformance.core.paths import PACKAGE
from trt_conformance.core.types import Tier
from trt_conformance.core.words import closest

__all__ = ["CaseFileError", "Catalog", "Claim", "Fault", "linted_files", "load_catalog"]

_LINTED_FILES_LIMIT = 2**16


@dataclass(frozen=True)
class Catalog:
    """All cases in the order of folders, files and entries, the claims by id, and the sweeps.

    ``cases`` includes the generated cases of the tier that was loaded; `find` makes those of any other tier. Of the
    suite's claims, a catalog of other folders has those that its cases cite.
    """

    cases: tuple[Case, ...]
    claims: dict[str, Claim]
    sweeps: tuple[Expanded, ...] = ()
    folders: tuple[CaseFolder, ...] = (SUITE,)

    def parts(self) -> list[Catalog]:
        """The catalog of each folder alone."""
        return [self.part(folder) for folder in self.folders]

    def part(self, folder: CaseFolder) -> Catalog:
        """The catalog of one of the folders alone."""
        if self.folders == (folder,):
            return self
        cases = tuple(case for case in self.cases if case.folder == folder)
        sweeps = tuple(expanded for expanded in self.sweeps if expanded.sweep.folder == folder)
        return Catalog(cases, self.claims, sweeps, (folder,))

    def ids(self) -> list[str]:
        """The ids of all cases, those of the sweeps of any tier."""
        known = (case.id for case in self.cases if case.tier is None)
        return [*known, *(case_id for expanded in self.sweeps for case_id in expanded.ids)]

    def similar(self, word: str) -> str:
        """The hint ``; did you mean "stride_nd/h2_w2"?`` for a word that is no id; empty if no id is similar."""
        return closest(word, [name for case_id in self.ids() for name in (case_id.rpartition("-")[0], case_id)])

    def folder_of(self, case_id: str) -> CaseFolder | None:
        """The folder of a full id, of any tier; None if there is no such case. No case is made for this."""
        found = self._by_id.get(case_id)
        if found is not None:
            return found.folder
        return next((sweep.sweep.folder for sweep in self.sweeps if case_id in sweep.ids), None)

    def select(self, globs: Iterable[str]) -> tuple[Case, ...]:
        """Return the cases that match any of the patterns of `CasePatterns`; all cases without patterns."""
        patterns = CasePatterns(globs)
        return tuple(filter(patterns.match, self.cases)) if patterns else self.cases

    def find(self, case_id: str) -> Case | None:
        """Return the case of a full id, of any tier; None if there is no such case.

        Raises:
            ConformanceError: a sweep has the id, but its values do not make a valid case.
        """
        found = self._by_id.get(case_id)
        if found is None:
            owner = next((sweep for sweep in self.sweeps if case_id in sweep.ids), None)
            found = None if owner is None else owner.case(case_id)
        return found

    def by_base(self, base_id: str) -> tuple[Case, ...]:
        """Return the case in each of its precisions; nothing if there is no such case."""
        return self._by_base.get(base_id, ())

    @cached_property
    def _by_id(self) -> dict[str, Case]:
        return {case.id: case for case in self.cases}

    @cached_property
    def _by_base(self) -> dict[str, tuple[Case, ...]]:
        found: dict[str, tuple[Case, ...]] = {}
        for case in self.cases:
            found[case.base_id] = (*found.get(case.base_id, ()), case)
        return found


@no_cycle_search()
def load_catalog(
    *folders: CaseFolder,
    tier: Tier | None = "nightly",
    generated: Iterable[str] = (),
    linted: DiskCache | None = None,
) -> Catalog:
    """Read and check the claims, case files and sweeps (files in a folder ``sweeps``) of folders.

    Args:
        folders: the folders, by default the suite's own; their expectations are read by `load_expectations` instead.
            Cases of other folders may cite the suite's claims too.
        tier: which generated cases of the sweeps to include. None includes none, which is fast; `Catalog.find` makes
            any of them.
        generated: patterns of the generated cases to include, as `CasePatterns` matches them; all of the tier without
            patterns.
        linted: remembers which files were linted without a fault, so that the same files are not linted again by the
            same code.

    Raises:
        CaseFileError: with every fault of every file.
        ConformanceError: there is no such folder, it has no case files, or it is named twice.
    """
    folders = folders or (SUITE,)
    _check_apart(folders)
    read = [FolderFiles.of(folder) for folder in folders]
    entries = [entry for files in read for entry in files.entries]
    claims = checked_claims(read)
    is_linted = _Linted(linted, read)
    cases = [(entry, case) for entry in entries for case in expand(entry, lint=not is_linted.known)]
    sweeps = [(source, expand_sweep(source, not is_linted.known)) for files in read for source in files.sweeps]
    patterns = CasePatterns(generated)
    made = [case for source, sweep in sweeps if sweep and tier for case in sweep.cases(tier, source, patterns)]
    if not is_linted.known:
        unread = {stem for files in read for stem in files.unread}
        check_duplicates(entries)
        check_sweep_names((source for files in read for source in files.case_files), (source for source, _ in sweeps))
        check_relations(cases, entries, unread)
        check_neighbors(cases, entries, unread)

    if faults := [fault for files in read for fault in files.all_faults()]:
        raise CaseFileError(faults)
    is_linted.remember()
    found = tuple(sweep for _, sweep in sweeps if sweep is not None)
    return Catalog((*(case for _, case in cases), *made), claims, found, tuple(folders))


def linted_files(caches: Path | None) -> DiskCache | None:
    """What remembers, in a folder of caches, which files were linted without a fault; None without such a folder."""
    return None if caches is None else DiskCache(caches / "linted", _LINTED_FILES_LIMIT)


def _check_apart(folders: Sequence[CaseFolder]) -> None:
    """No folder is named twice or lies in another: its cases would be read twice."""
    for index, folder in enumerate(folders):
        for other in folders[:index]:
            here, there = os.path.realpath(folder.path), os.path.realpath(other.path)
            if here == there:
                raise ConformanceError(f"the folder {folder.name} is named twice")
            for inner, outer, name in ((here, there, (folder, other)), (there, here, (other, folder))):
                if Path(inner).is_relative_to(outer):
                    raise ConformanceError(f"{name[0].name} is inside {name[1].name}: name only the outer folder")


class _Linted:
    """Whether these files are known to be free of faults."""

    def __init__(self, cache: DiskCache | None, read: Sequence[FolderFiles]) -> None:
        # A file that cannot be read has no hash.
        self._cache = cache if all(files.are_readable for files in read) else None
        self._key = "" if self._cache is None else _linted_as(path for files in read for path in files.paths)
        self.known = self._cache is not None and self._cache.get(self._key)[0] is not None

    def remember(self) -> None:
        if self._cache is not None and not self.known:
            self._cache.put(self._key, b"")


def _linted_as(paths: Iterable[Path]) -> str:
    """Return a hash of all that linting depends on: the files, this package's code, and what computes."""
    return content_hash(paths, _hash_of_code(), sys.version, np.__version__)


@cache
def _hash_of_code() -> str:
    return content_hash(sorted(PACKAGE.rglob("*.py")))
