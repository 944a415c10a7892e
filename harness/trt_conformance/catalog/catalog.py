"""All case files as one catalog: found, read, and checked against each other."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import numpy as np

from trt_conformance.catalog.case_file import Entry, entries, expand
from trt_conformance.catalog.claims import Claim, _check_claims, _check_unused, _claims
from trt_conformance.catalog.neighbours import check_neighbours
from trt_conformance.catalog.source import CaseFileError, Fault, Source, read
from trt_conformance.catalog.sweeps.expand import Expanded, expand_sweep
from trt_conformance.core.case import Case
from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import content_hash
from trt_conformance.core.paths import CASES, PACKAGE, relative
from trt_conformance.core.types import Tier
from trt_conformance.core.words import closest, shown

__all__ = ["CaseFileError", "Catalog", "Claim", "Fault", "load"]


@dataclass(frozen=True)
class Catalog:
    """All cases, in the order of files and entries, the claims by id, and the sweeps.

    Of a sweep's cases, those of the tier that was asked for are among the cases; `find` makes any other.
    """

    cases: tuple[Case, ...]
    claims: dict[str, Claim]
    sweeps: tuple[Expanded, ...] = ()

    def select(self, globs: Iterable[str]) -> tuple[Case, ...]:
        """The cases whose id, id without precision, or file matches any glob; all cases where none is given."""
        globs = tuple(globs)
        if not globs:
            return self.cases
        return tuple(
            case
            for case in self.cases
            if any(fnmatchcase(name, glob) for glob in globs for name in (case.id, case.base_id, case.file))
        )

    def find(self, case_id: str) -> Case | None:
        """The case of a full id, of whatever tier; None where there is none.

        Raises:
            ConformanceError: a sweep has the id, but its values make no case.
        """
        found = self._by_id.get(case_id)
        if found is None:
            owner = next((sweep for sweep in self.sweeps if case_id in sweep.ids), None)
            found = None if owner is None else owner.case(case_id)
        return found

    def by_base(self, base_id: str) -> tuple[Case, ...]:
        """The case in each of its precisions; empty where there is no such case."""
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


def load(root: Path = CASES, tier: Tier | None = "nightly", linted: DiskCache | None = None) -> Catalog:
    """Read every ``*.toml`` below ``root`` but the expectations, and check it. Those in a folder ``sweeps`` are sweeps.

    Sweeps give the cases of a tier; of no tier none, which is fast and leaves it to the catalog to find one. What
    ``linted`` remembers as faultless, in the same files and by the same code, is not linted again.

    Raises:
        CaseFileError: with every fault of every file.
        ConformanceError: there is no such directory, or it holds no case files.
    """
    if not root.is_dir():
        raise ConformanceError(f"{relative(root)}: no such directory")
    claims_path, expectations = root / "claims.toml", root / "expectations"
    paths = sorted(p for p in root.rglob("*.toml") if p != claims_path and expectations not in p.parents)
    if not paths:
        raise ConformanceError(f"{relative(root)}: no case files (*.toml) below it")

    faults: list[Fault] = []
    every_source = _read_all(paths, faults)
    sources = [source for source in every_source if not _is_sweep(source)]
    sweeps = [(source, expand_sweep(source)) for source in every_source if _is_sweep(source)]
    generated = [case for source, sweep in sweeps if sweep and tier for case in sweep.cases(tier, source)]
    unread = {path.stem for path in paths} - {source.stem for source in every_source}
    every = [entry for source in sources for entry in entries(source)]
    known = None if faults else linted  # a file that cannot be read has no hash
    key = _linted_as(paths) if known is not None else ""
    is_known = known is not None and known.get(key)[0] is not None
    cases = [(entry, case) for entry in every for case in expand(entry, lint=not is_known)]
    _check_duplicates(every)
    _check_names(sources, [source for source, _ in sweeps])
    _check_relations(cases, every, unread)
    check_neighbours(cases, every, unread)

    claims: dict[str, Claim] = {}
    claims_file = _read_all([claims_path], faults) if claims_path.exists() else []
    for source in claims_file:
        indexed = _claims(source)
        claims = {claim.id: claim for claim in indexed.values()}
        if len(every_source) == len(paths):
            _check_unused(source, indexed, every)
    if claims_file or not claims_path.exists():
        _check_claims(every, claims)

    faults += [fault for source in (*every_source, *claims_file) for fault in source.faults]
    if faults:
        raise CaseFileError(faults)
    if known is not None and not is_known:
        known.put(key, b"")
    found = tuple(sweep for _, sweep in sweeps if sweep is not None)
    return Catalog((*(case for _, case in cases), *generated), claims, found)


def _linted_as(paths: Iterable[Path]) -> str:
    """A hash of all that linting depends on: the files, this package's code, and what computes."""
    code = sorted(PACKAGE.rglob("*.py"))
    return content_hash((*paths, *code), sys.version, np.__version__)


def _is_sweep(source: Source) -> bool:
    return source.file.split("/")[-2:-1] == ["sweeps"]


def _check_names(sources: Iterable[Source], sweeps: Iterable[Source]) -> None:
    """A sweep's name is no other file's: ids begin with it."""
    names = {source.stem: source.file for source in sources}
    for source in sweeps:
        first = names.setdefault(source.stem, source.file)
        if first != source.file:
            source.fault((), f"the name {shown(source.stem)} is that of {first}, too: ids could not tell them apart")


def _read_all(paths: Iterable[Path], faults: list[Fault]) -> list[Source]:
    sources = []
    for path in paths:
        try:
            source = read(path)
        except CaseFileError as error:
            faults += error.faults
            continue
        sources.append(source)
    return sources


def _check_duplicates(every: Iterable[Entry]) -> None:
    """Ids are unique everywhere (a file's name is part of them), docs within their file."""
    ids: dict[str, Entry] = {}
    docs: dict[tuple[str, str], Entry] = {}
    for entry in every:
        name, doc = entry.data.get("id"), entry.data.get("doc")
        for base_id in entry.base_ids if isinstance(name, str) else ():
            if (first := ids.setdefault(base_id, entry)) is not entry:
                entry.fault(("id",), f"duplicate id {shown(name)}: {base_id} is already at {first.location}")
        if isinstance(doc, str):
            same = " ".join(doc.lower().split())
            if (first := docs.setdefault((entry.source.file, same), entry)) is not entry:
                entry.fault(("doc",), f"duplicate doc {shown(doc)}: already at {first.location}")


def _check_relations(cases: Sequence[tuple[Entry, Case]], every: Iterable[Entry], unread: set[str]) -> None:
    """The other case of a relation exists in the same precision and has an output. Files not read are let pass."""
    entries_by_id = {base_id: entry for entry in every for base_id in entry.base_ids}
    refused = {case.id for _, case in cases if case.reject and case.reject.phase}
    for entry, case in cases:
        for index, relation in enumerate(case.relations):
            if relation.to is None or relation.to.partition("/")[0] in unread:
                continue
            path, what = ("relations", index, "to"), f"relation to {shown(relation.to)}:"
            other = entries_by_id.get(relation.to)
            if other is None:
                entry.fault(path, f"{what} no such case{closest(relation.to, entries_by_id)}")
            elif case.precision not in other.precisions:
                there = ", ".join(map(str, other.precisions))
                entry.fault(path, f"{what} it runs in {there}, not in {case.precision}")
            elif f"{relation.to}-{case.precision}" in refused:
                entry.fault(path, f"{what} it is refused, so it has no output")
