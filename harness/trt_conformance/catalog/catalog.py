"""Finds, reads and checks all case files, sweeps and claims below a folder, and returns them as one catalog."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from trt_conformance.catalog.case_file import Entry, expand, read_entries
from trt_conformance.catalog.claims import Claim, check_claims_exist, check_claims_used, read_claims
from trt_conformance.catalog.neighbours import check_neighbours
from trt_conformance.catalog.references import check_duplicates, check_relations, check_sweep_names
from trt_conformance.catalog.source import CaseFileError, Fault, Source, is_sweep, read_sources, toml_files
from trt_conformance.catalog.sweeps.expand import Expanded, expand_sweep
from trt_conformance.core.case import Case
from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import content_hash
from trt_conformance.core.paths import CASES, PACKAGE, relative
from trt_conformance.core.types import Tier

__all__ = ["CaseFileError", "Catalog", "Claim", "Fault", "load_catalog"]

CLAIMS_FILE, EXPECTATIONS_FOLDER = "claims.toml", "expectations"


@dataclass(frozen=True)
class Catalog:
    """All cases in the order of files and entries, the claims by id, and the sweeps.

    ``cases`` includes the generated cases of the tier that was loaded; `find` makes those of any other tier.
    """

    cases: tuple[Case, ...]
    claims: dict[str, Claim]
    sweeps: tuple[Expanded, ...] = ()

    def select(self, globs: Iterable[str]) -> tuple[Case, ...]:
        """Return the cases whose id, id without precision, file, or folder matches any glob; all without globs."""
        globs = tuple(glob.removeprefix("./").rstrip("/") for glob in globs)
        if not globs:
            return self.cases
        by_file = {file: _file_names(file) for file in {case.file for case in self.cases}}
        return tuple(
            case
            for case in self.cases
            if any(fnmatchcase(name, glob) for glob in globs for name in (case.id, case.base_id, *by_file[case.file]))
        )

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


def load_catalog(root: Path = CASES, tier: Tier | None = "nightly", linted: DiskCache | None = None) -> Catalog:
    """Read and check the claims, case files and sweeps (files in a folder ``sweeps``) below ``root``.

    Args:
        root: the folder; its ``expectations`` are read by `load_expectations` instead.
        tier: which generated cases of the sweeps to include. None includes none, which is fast; `Catalog.find` makes
            any of them.
        linted: remembers which files were linted without a fault, so that the same files are not linted again by the
            same code.

    Raises:
        CaseFileError: with every fault of every file.
        ConformanceError: there is no such directory, or it has no case files.
    """
    files = _Files.below(root)
    claims = _checked_claims(files)
    is_linted = _Linted(linted, files)
    cases = [(entry, case) for entry in files.entries for case in expand(entry, lint=not is_linted.known)]
    sweeps = [(source, expand_sweep(source)) for source in files.sweeps]
    generated = [case for source, sweep in sweeps if sweep and tier for case in sweep.cases(tier, source)]
    check_duplicates(files.entries)
    check_sweep_names(files.case_files, files.sweeps)
    check_relations(cases, files.entries, files.unread)
    check_neighbours(cases, files.entries, files.unread)

    if faults := files.all_faults():
        raise CaseFileError(faults)
    is_linted.remember()
    found = tuple(sweep for _, sweep in sweeps if sweep is not None)
    return Catalog((*(case for _, case in cases), *generated), claims, found)


@dataclass(frozen=True)
class _Files:
    """The files below a folder: those that could be read, by kind, and the faults of the others."""

    paths: list[Path]
    case_files: list[Source]
    sweeps: list[Source]
    has_claims: bool
    claims: Source | None
    faults: list[Fault]

    @classmethod
    def below(cls, root: Path) -> _Files:
        if not root.is_dir():
            raise ConformanceError(f"{relative(root)}: no such directory")
        claims_path, expectations = root / CLAIMS_FILE, root / EXPECTATIONS_FOLDER
        every = toml_files(root)
        paths = [path for path in every if path != claims_path and expectations not in path.parents]
        if not paths:
            raise ConformanceError(f"{relative(root)}: no case files (*.toml) below it")
        faults: list[Fault] = []
        case_files = read_sources([path for path in paths if not is_sweep(path)], faults)
        sweeps = read_sources(filter(is_sweep, paths), faults)
        has_claims = claims_path in every
        claims = read_sources([claims_path] if has_claims else [], faults)
        return cls(paths, case_files, sweeps, has_claims, claims[0] if claims else None, faults)

    @cached_property
    def entries(self) -> list[Entry]:
        return [entry for source in self.case_files for entry in read_entries(source)]

    @property
    def unread(self) -> set[str]:
        """The stems of the files that could not be read."""
        return {path.stem for path in self.paths} - {source.stem for source in (*self.case_files, *self.sweeps)}

    @property
    def are_readable(self) -> bool:
        return not self.faults

    def all_faults(self) -> list[Fault]:
        sources = (*self.case_files, *self.sweeps, *([self.claims] if self.claims else []))
        return [*self.faults, *(fault for source in sources for fault in source.faults)]


def _checked_claims(files: _Files) -> dict[str, Claim]:
    """Return the claims by id. Whether entries match them is checked only where both could be read."""
    indexed = {} if files.claims is None else read_claims(files.claims)
    claims = {claim.id: claim for claim in indexed.values()}
    if files.claims is not None and files.are_readable:
        check_claims_used(files.claims, indexed, files.entries)
    if files.claims is not None or not files.has_claims:
        check_claims_exist(files.entries, claims)
    return claims


class _Linted:
    """Whether these files are known to be free of faults."""

    def __init__(self, cache: DiskCache | None, files: _Files) -> None:
        # A file that cannot be read has no hash.
        self._cache = cache if files.are_readable else None
        self._key = "" if self._cache is None else _linted_as(files.paths)
        self.known = self._cache is not None and self._cache.get(self._key)[0] is not None

    def remember(self) -> None:
        if self._cache is not None and not self.known:
            self._cache.put(self._key, b"")


def _file_names(file: str) -> list[str]:
    """A case file and the folders that it is in, as a glob may name them."""
    parents = [str(folder) for folder in PurePosixPath(file).parents]
    return [file, *(folder for folder in parents if folder not in (".", "/"))]


def _linted_as(paths: Iterable[Path]) -> str:
    """Return a hash of all that linting depends on: the files, this package's code, and what computes."""
    code = sorted(PACKAGE.rglob("*.py"))
    return content_hash((*paths, *code), sys.version, np.__version__)
