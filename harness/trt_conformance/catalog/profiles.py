"""The profiles of `cases/profiles.toml`: which cases a target must pass. They are computed from records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationError

from trt_conformance.catalog.case_patterns import CasePatterns
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.conditions import Anywhere
from trt_conformance.catalog.expectations import as_written
from trt_conformance.catalog.explain import explain
from trt_conformance.catalog.source import CaseFileError, Fault, Source, read_source
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE
from trt_conformance.core.types import Model
from trt_conformance.core.words import choice, shown

Level = Literal["core", "extended"]
LEVELS: tuple[Level, ...] = get_args(Level)


class Rule(Model):
    """Which cases: those that one of the patterns ``cases`` matches and none of ``without``, where ``where`` holds."""

    cases: Annotated[tuple[str, ...], Field(strict=False)] = ()
    without: Annotated[tuple[str, ...], Field(strict=False)] = ()
    where: Anywhere | None = None

    @cached_property
    def _patterns(self) -> tuple[CasePatterns, CasePatterns | None]:
        return CasePatterns(self.cases), CasePatterns(self.without) if self.without else None

    def holds(self, case: Case) -> bool:
        """Whether the rule takes a case."""
        cases, without = self._patterns
        if not cases.match(case) or (without is not None and without.match(case)):
            return False
        return self.where is None or any(condition.holds(case) for condition in self.where)


class Profile(Model):
    """What ``core`` and ``extended`` require. The cases of ``extended`` are those of its rule and of ``core``."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    doc: Annotated[str, Field(min_length=8)]
    core: Rule
    extended: Rule

    def cases(self, level: Level, catalog: Catalog) -> Iterator[Case]:
        """The cases of a level that every run takes: no timed, large or generated ones."""
        rules = (self.core,) if level == "core" else (self.core, self.extended)
        for case in catalog.cases:
            is_always_run = case.tier is None and not case.latency and not case.large and case.folder == SUITE
            if is_always_run and any(rule.holds(case) for rule in rules):
                yield case


def load_profiles(catalog: Catalog, path: Path = SUITE.profiles) -> tuple[Profile, ...]:
    """Read and check the profiles.

    Raises:
        CaseFileError: with every fault of the file; a rule that selects no case of the catalog is one.
    """
    source = read_source(path)
    found = tuple(_profiles(source, catalog))
    if source.faults:
        raise CaseFileError(source.faults)
    return found


def profile_faults(catalog: Catalog, path: Path = SUITE.profiles) -> tuple[Fault, ...]:
    """What is wrong with the file of profiles; nothing if it can be used."""
    try:
        load_profiles(catalog, path)
    except CaseFileError as error:
        return error.faults
    return ()


def _profiles(source: Source, catalog: Catalog) -> Iterator[Profile]:
    for key in source.document:
        if key != "profile":
            source.fault((key,), choice("unknown key", key, ["profile"]))
    given = source.document.get("profile", [])
    if not isinstance(given, list):
        source.fault(("profile",), f"profile: expected [[profile]] tables, got {shown(given)}")
        return
    known: dict[str, int] = {}
    for index, data in enumerate(given):
        try:
            profile = Profile.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = as_written(data, detail["loc"])
                source.fault(("profile", index, *path), explain(detail, path, Profile))
            continue
        if (first := known.setdefault(profile.id, index)) != index:
            line = source.line(("profile", first))
            source.fault(("profile", index, "id"), f"duplicate profile {shown(profile.id)}: already on line {line}")
        _check_rules(source, index, profile, catalog.cases)
        yield profile


def _check_rules(source: Source, index: int, profile: Profile, cases: Sequence[Case]) -> None:
    for level, rule in (("core", profile.core), ("extended", profile.extended)):
        if not any(map(rule.holds, cases)):
            source.fault(("profile", index, level), f"{level}: selects no case")
        for key in ("cases", "without"):
            for number, pattern in enumerate(getattr(rule, key)):
                if not any(map(CasePatterns([pattern]).match, cases)):
                    place = ("profile", index, level, key, number)
                    source.fault(place, f"{key}: {shown(pattern)} matches no case")
