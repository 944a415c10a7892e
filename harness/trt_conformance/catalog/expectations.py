"""Known differences of targets, each with its cause. One that no longer occurs fails the run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, ValidationError, model_validator

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.conditions import Anywhere
from trt_conformance.catalog.explain import explain
from trt_conformance.catalog.patterns import pattern_fault
from trt_conformance.catalog.source import CaseFileError, Fault, Source, read_sources, toml_files
from trt_conformance.catalog.wildcards import matches_any, one_of
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.check_names import DATA_CHECKS, RENAMED_CHECKS, TARGET_CHECKS
from trt_conformance.core.flavors import FLAVORS
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.toml import KeyPath
from trt_conformance.core.types import Model, Phase
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import choice, closest, dotted, shown

Find = Callable[[str], Case | None]
"""Gives the case of a full id; None for what is not in a case file, such as the padding tables."""


class Expectation(Model):
    """A known difference of some targets, in some checks of some cases.

    ``cause``: ``deviation`` from the document, ``unsupported`` although documented, or a reported ``bug`` (with its
    ``link``). ``cases`` always differ. The cases of ``also`` may differ in the same way or pass. With ``where``, both
    are only those for which a condition holds; alone, it says that every such case differs.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    cause: Literal["deviation", "unsupported", "bug"]
    doc: Annotated[str, Field(min_length=8)]
    link: str | None = None
    targets: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    versions: str = ""
    cases: Annotated[tuple[str, ...], Field(strict=False)] = ()
    also: Annotated[tuple[str, ...], Field(strict=False)] = ()
    where: Anywhere | None = None
    checks: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    phase: Phase
    difference: Annotated[str, Field(min_length=4)]

    @model_validator(mode="after")
    def _check(self) -> Expectation:
        if not self.cases and self.where is None:
            raise ValueError('"cases" or "where" is required: it says which cases differ')
        if self.cause == "bug" and not self.link:
            raise ValueError('cause "bug" needs "link": the URL of the report')
        try:
            SpecifierSet(self.versions)
        except InvalidSpecifier:
            raise ValueError(f'versions: {shown(self.versions)} is not a version range, like ">=8.5,<10"') from None
        if fault := pattern_fault(self.difference):
            raise ValueError(f"difference: {shown(self.difference)} {fault}")
        return self

    @cached_property
    def _range(self) -> SpecifierSet:
        return SpecifierSet(self.versions)

    @property
    def by_condition(self) -> Expectation | None:
        """The expectation for cases of other folders, which only its condition can select; None if it names ids.

        A case that must differ in this folder may also pass in another: its author cannot change this expectation.
        """
        patterns = (*self.cases, *self.also)
        if self.where is None or (patterns and "*" not in patterns):
            return None
        return self.model_copy(update={"cases": (), "also": ("*",)})

    @property
    def always(self) -> tuple[str, ...]:
        """The patterns of the cases that always differ, so far as ``where`` holds."""
        return self.cases if self.cases or self.also else ("*",)

    def is_about(self, target: str, check: str) -> bool:
        """Whether this check of some case may differ on this target."""
        if check not in self.checks or not any(fnmatchcase(target, pattern) for pattern in self.targets):
            return False
        version = TargetName.parse(target).version
        return not self.versions or bool(version and self._range.contains(version, prereleases=True))

    def holds_for(self, case: Case | None) -> bool:
        """Whether one of the conditions holds, or there is none. A check without a case file meets no condition."""
        return self.where is None or (case is not None and any(condition.holds(case) for condition in self.where))

    def always_covers(self, case: str, find: Find) -> bool:
        """Whether this case always differs, in the checks and on the targets that this `is_about`."""
        return self._covers(self.always, case, find)

    def may_cover(self, case: str, find: Find) -> bool:
        """Whether this case may differ, in the checks and on the targets that this `is_about`."""
        return self._covers((*self.always, *self.also), case, find)

    def _covers(self, patterns: tuple[str, ...], case: str, find: Find) -> bool:
        if one_of(patterns).match(case) is None:
            return False
        return self.where is None or self.holds_for(find(case))


class Expectations:
    """All known differences, applied to the verdicts of a run."""

    def __init__(self, entries: Sequence[Expectation], find: Find = lambda case_id: None) -> None:
        """``find`` gives the cases that conditions are about."""
        self.entries, self._find = tuple(entries), find
        self._about: dict[tuple[str, str], tuple[Expectation, ...]] = {}

    def _entries_about(self, target: str, check: str) -> tuple[Expectation, ...]:
        """Those about a check on a target. Few are, and a run has a verdict for each of thousands of cases."""
        key = target, check
        if key not in self._about:
            self._about[key] = tuple(entry for entry in self.entries if entry.is_about(target, check))
        return self._about[key]

    def may_differ(self, target: str, case: str, check: str) -> bool:
        """Whether an expectation says that this check of this case differs, or may differ, on this target."""
        entries = self._entries_about(target, check)
        return any(entry.may_cover(case, self._find) for entry in entries)

    def apply(self, verdict: Verdict) -> Verdict:
        """Mark a fault as known, or fail a check that passes although an expectation says that it differs."""
        entries = self._entries_about(verdict.target, verdict.check)
        covering = [entry for entry in entries if entry.may_cover(verdict.case, self._find)]
        # What always differs is more specific than what may differ.
        for entry in sorted(covering, key=lambda entry: not entry.always_covers(verdict.case, self._find)):
            if verdict.is_fault and verdict.phase == entry.phase and re.search(entry.difference, verdict.message):
                return replace(verdict, known=entry.id)
            if verdict.status == "pass" and entry.always_covers(verdict.case, self._find):
                text = (
                    f"{verdict.case} passes on {verdict.target}, but expectation {entry.id!r} says that it differs "
                    f"({entry.difference}): remove the expectation from cases/expectations, or narrow its "
                    f"{'versions' if entry.where is None else 'versions or condition'}"
                )
                return replace(verdict, status="fail", message=text)
        return verdict

    def unused(self, verdicts: Sequence[Verdict]) -> list[Expectation]:
        """Return the expectations that cover a check that ran, but match no verdict."""
        met = {verdict.known for verdict in verdicts}
        ran = [v for v in verdicts if v.status in ("pass", "fail", "error", "fallback")]
        unmet: set[int] = set()
        for verdict in ran:  # case by case, since finding a case may mean making it
            for entry in self._entries_about(verdict.target, verdict.check):
                if entry.id not in met and id(entry) not in unmet and entry.always_covers(verdict.case, self._find):
                    unmet.add(id(entry))
        return [entry for entry in self.entries if id(entry) in unmet]


class ExpectationsByFolder:
    """The known differences of cases of several folders, each under the expectations of its own folder."""

    def __init__(self, by_folder: Mapping[CaseFolder, Expectations], folder_of: Callable[[str], CaseFolder | None]):
        """``folder_of`` gives the folder of a case's id; what is in no folder is the suite's."""
        self._by_folder, self._folder_of = dict(by_folder), folder_of

    @property
    def entries(self) -> tuple[Expectation, ...]:
        """All expectations, each once."""
        found: dict[str, Expectation] = {}
        for part in self._by_folder.values():
            for entry in part.entries:
                found.setdefault(entry.id, entry)
        return tuple(found.values())

    def apply(self, verdict: Verdict) -> Verdict:
        """As `Expectations.apply`, with the expectations of the case's folder."""
        return self._of(verdict.case).apply(verdict)

    def may_differ(self, target: str, case: str, check: str) -> bool:
        """As `Expectations.may_differ`, with the expectations of the case's folder."""
        return self._of(case).may_differ(target, case, check)

    def unused(self, verdicts: Sequence[Verdict]) -> list[Expectation]:
        """As `Expectations.unused`, for each folder with the verdicts on its cases."""
        if len(self._by_folder) == 1:
            return next(iter(self._by_folder.values())).unused(verdicts)
        found = []
        for folder, expectations in self._by_folder.items():
            found += expectations.unused([v for v in verdicts if (self._folder_of(v.case) or SUITE) == folder])
        return found

    def _of(self, case: str) -> Expectations:
        if len(self._by_folder) == 1:
            return next(iter(self._by_folder.values()))
        return self._by_folder.get(self._folder_of(case) or SUITE, Expectations(()))


def load_expectations(catalog: Catalog, unfiled: Sequence[str] = ()) -> ExpectationsByFolder:
    """Read and check every ``*.toml`` in the expectations of a catalog's folders.

    Cases of other folders than the suite's meet the suite's expectations too, as `Expectation.by_condition` says.

    Args:
        catalog: the cases; each pattern of an expectation must match one, of any tier.
        unfiled: ids of checks that are not in a case file, which the suite's patterns may match as well.

    Raises:
        CaseFileError: with every fault of every file: invalid TOML, unknown keys, targets or checks, patterns that
            match no case, malformed conditions, duplicate ids.
    """
    faults: list[Fault] = []
    by_folder: dict[CaseFolder, list[Expectation]] = {}
    for folder in catalog.folders:
        ids = [*catalog.part(folder).ids(), *(unfiled if folder.is_suite else ())]
        by_folder[folder], wrong = read_expectations(folder.expectations, ids)
        faults += wrong
    if faults:
        raise CaseFileError(faults)
    shared: list[Expectation] = []
    if not all(folder.is_suite for folder in catalog.folders):
        shared = by_condition(read_expectations(SUITE.expectations, ids=None)[0])
    found = {
        folder: Expectations(entries if folder.is_suite else [*entries, *shared], catalog.find)
        for folder, entries in by_folder.items()
    }
    return ExpectationsByFolder(found, catalog.folder_of)


def by_condition(entries: Iterable[Expectation]) -> list[Expectation]:
    """What expectations say of the cases of other folders."""
    return [found for entry in entries if (found := entry.by_condition) is not None]


def read_expectations(
    root: Path, ids: Sequence[str] | None, cases: Sequence[Case] | None = None
) -> tuple[list[Expectation], list[Fault]]:
    """Return the valid expectations below a folder, and the faults of the files.

    Args:
        root: the folder.
        ids: the case ids that patterns must match; None if they are not known.
        cases: every case, of which conditions must hold for one; None does not check that.
    """
    faults: list[Fault] = []
    try:
        sources = read_sources(toml_files(root) if os.path.lexists(root) else [], faults)
    except CaseFileError as error:
        return [], list(error.faults)
    known = None if ids is None else frozenset(ids)
    entries: list[Expectation] = []
    first: dict[str, str] = {}
    for source in sources:
        for index, entry in _entries(source):
            path = ("expectation", index)
            place = f"{source.file}:{source.line(path)}"
            if (earlier := first.setdefault(entry.id, place)) != place:
                source.fault((*path, "id"), f"duplicate id {shown(entry.id)}: already at {earlier}")
            _check_names(source, path, entry)
            if root == SUITE.expectations:
                _check_targets(source, path, entry)
            if known is not None:
                _check_patterns(source, path, entry, known)
            if cases is not None:
                _check_conditions(source, path, entry, cases)
            entries.append(entry)
    return entries, [*faults, *(fault for source in sources for fault in source.faults)]


def _entries(source: Source) -> Iterator[tuple[int, Expectation]]:
    """Yield the valid expectations of a file with their indices."""
    for key in source.document:
        if key != "expectation":
            source.fault((key,), choice("unknown key", key, ["expectation"]))
    given = source.document.get("expectation", [])
    if not isinstance(given, list):
        source.fault(("expectation",), f"expectation: expected [[expectation]] tables, got {shown(given)}")
        return
    for index, data in enumerate(given):
        try:
            entry = Expectation.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = as_written(data, detail["loc"])
                source.fault(("expectation", index, *path), explain(detail, path, Expectation))
            continue
        yield index, entry


def as_written(data: object, path: KeyPath) -> KeyPath:
    """The path without the indices of lists that the file abbreviates to their only element."""
    written: list[str | int] = []
    for part in path:
        if isinstance(part, int) and not isinstance(data, list):
            continue
        written.append(part)
        try:
            data = data[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            data = None
    return tuple(written)


def _check_names(source: Source, path: KeyPath, entry: Expectation) -> None:
    for index, name in enumerate(entry.checks):
        if name in RENAMED_CHECKS:
            message = f"the check {shown(name)} is now named {shown(RENAMED_CHECKS[name])}"
        elif name in DATA_CHECKS:
            message = f"the check {shown(name)} is about the suite's own data, not about a target"
        elif name not in TARGET_CHECKS:
            known = ", ".join(TARGET_CHECKS)
            message = f"unknown check {shown(name)}{closest(name, TARGET_CHECKS)}; the checks are {known}"
        else:
            continue
        source.fault((*path, "checks", index), f"checks: {message}")


def _check_targets(source: Source, path: KeyPath, entry: Expectation) -> None:
    """A name that resembles a known one is misspelled; any other is that of a user's own target."""
    for index, pattern in enumerate(entry.targets):
        flavor = TargetName.parse(pattern).flavor
        hint = closest(flavor, FLAVORS)
        if hint and flavor not in FLAVORS:
            source.fault((*path, "targets", index), f"targets: unknown target {shown(pattern)}{hint}")


def _check_patterns(source: Source, path: KeyPath, entry: Expectation, ids: Collection[str]) -> None:
    for key, patterns in (("cases", entry.cases), ("also", entry.also)):
        for index, pattern in enumerate(patterns):
            if not matches_any(pattern, ids):
                source.fault((*path, key, index), f"{key}: {shown(pattern)} matches no case")


def _check_conditions(source: Source, path: KeyPath, entry: Expectation, cases: Sequence[Case]) -> None:
    for index, condition in enumerate(entry.where or ()):
        place = (*path, *as_written(source.document["expectation"][path[-1]], ("where", index)))
        if not any(condition.holds(case) for case in cases):
            source.fault(place, f"{dotted(place[2:])}: matches no case")
    if entry.where is None or not any(map(entry.holds_for, cases)):
        return
    held = {case.id for case in cases if entry.holds_for(case)}
    for key, patterns in (("cases", entry.cases), ("also", entry.also)):
        for index, pattern in enumerate(patterns):
            if not matches_any(pattern, held):
                source.fault((*path, key, index), f"{key}: `where` matches no case of {shown(pattern)}")
