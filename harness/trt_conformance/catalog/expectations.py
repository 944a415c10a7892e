"""Known differences of targets: each with its cause, and failing the run once it no longer holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, ValidationError, model_validator

from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError, TomlError
from trt_conformance.core.flavours import FLAVOURS
from trt_conformance.core.paths import CASES, relative
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.toml import KeyLines, parse
from trt_conformance.core.types import Model, Phase
from trt_conformance.core.verdict import Verdict


class Expectation(Model):
    """A difference that targets are known to have in some checks of some cases.

    deviation: differs from the document. unsupported: refused although documented. bug: reported, with link.

    ``cases`` differ every time. Those of ``also`` may differ in the same way, or pass: whether they do depends on more
    than a pattern of ids can say.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    cause: Literal["deviation", "unsupported", "bug"]
    doc: Annotated[str, Field(min_length=8)]
    link: str | None = None
    targets: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    versions: str = ""
    cases: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    also: Annotated[tuple[str, ...], Field(strict=False)] = ()
    checks: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    phase: Phase
    difference: Annotated[str, Field(min_length=4)]

    @model_validator(mode="after")
    def _check(self) -> Expectation:
        if self.cause == "bug" and not self.link:
            raise ValueError("a bug needs the link of its report")
        for pattern in self.targets:
            if TargetName.parse(pattern).flavour not in FLAVOURS:
                raise ValueError(f"target {pattern!r} is unknown; names begin with one of {', '.join(FLAVOURS)}")
        try:
            SpecifierSet(self.versions)
        except InvalidSpecifier:
            raise ValueError(f"versions {self.versions!r} is no range such as '>=8.5,<10'") from None
        try:
            re.compile(self.difference)
        except re.error as fault:
            raise ValueError(f"difference {self.difference!r} is no regular expression: {fault}") from None
        return self

    @cached_property
    def _range(self) -> SpecifierSet:
        return SpecifierSet(self.versions)

    def concerns(self, target: str, case: str, check: str) -> bool:
        """Whether it says that this check of this case differs on this target."""
        return self._speaks_of(self.cases, target, case, check)

    def allows(self, target: str, case: str, check: str) -> bool:
        """Whether it says that this check of this case may differ on this target."""
        return self._speaks_of((*self.cases, *self.also), target, case, check)

    def _speaks_of(self, cases: Sequence[str], target: str, case: str, check: str) -> bool:
        if check not in self.checks or not any(fnmatchcase(case, pattern) for pattern in cases):
            return False
        if not any(fnmatchcase(target, pattern) for pattern in self.targets):
            return False
        version = TargetName.parse(target).version
        return not self.versions or (bool(version) and self._range.contains(version, prereleases=True))


class Expectations:
    """All known differences, and which of them a run has met."""

    def __init__(self, entries: Sequence[Expectation]) -> None:
        self.entries = tuple(entries)

    def apply(self, verdict: Verdict) -> Verdict:
        """Mark a fault as known, or fail a pass that an expectation says should differ."""
        for entry in self.entries:
            where = verdict.target, verdict.case, verdict.check
            if not entry.allows(*where):
                continue
            if verdict.is_fault and verdict.phase == entry.phase and re.search(entry.difference, verdict.message):
                return replace(verdict, known=entry.id)
            if verdict.status == "pass" and entry.concerns(*where):
                text = (
                    f"{verdict.case} passes on {verdict.target}, but expectation {entry.id!r} says it differs "
                    f"({entry.difference}): remove it from cases/expectations, or narrow its versions"
                )
                return replace(verdict, status="fail", message=text)
        return verdict

    def unused(self, verdicts: Sequence[Verdict]) -> list[Expectation]:
        """Expectations that concern a check which ran, and matched none of its verdicts."""
        met = {verdict.known for verdict in verdicts}
        ran = [v for v in verdicts if v.status in ("pass", "fail", "error", "fallback")]
        return [
            entry
            for entry in self.entries
            if entry.id not in met and any(entry.concerns(v.target, v.case, v.check) for v in ran)
        ]


def load(cases: Sequence[Case], root: Path = CASES / "expectations", generated: Sequence[str] = ()) -> Expectations:
    """Read and check ``cases/expectations/*.toml``; ``generated`` are ids of checks that no case file holds.

    Raises:
        ConformanceError: naming every fault with file and line: TOML errors, unknown keys, unknown
            target names, patterns that match no case, ids used twice.
    """
    entries: list[Expectation] = []
    faults: list[str] = []
    ids = [*(case.id for case in cases), *generated]
    for path in sorted(root.glob("*.toml")):
        try:
            text = path.read_text(encoding="utf-8")
            document, lines = parse(text), KeyLines(text)
        except TomlError as fault:
            faults.append(f"{relative(path)}:{fault.line}: {fault}")
            continue
        except (OSError, UnicodeDecodeError) as fault:
            faults.append(f"{relative(path)}:1: cannot be read: {fault}")
            continue
        for index, raw in enumerate(document.get("expectation", ())):
            where = f"{relative(path)}:{lines.line(('expectation', index))}"
            try:
                entry = Expectation.model_validate(raw)
            except ValidationError as fault:
                faults += [f"{where}: {_say(dict(error))}" for error in fault.errors()]
                continue
            faults += [
                f"{where}: cases {pattern!r} match no case"
                for pattern in (*entry.cases, *entry.also)
                if not any(fnmatchcase(case, pattern) for case in ids)
            ]
            if any(entry.id == other.id for other in entries):
                faults.append(f"{where}: the id {entry.id!r} is used twice")
            entries.append(entry)
    if faults:
        raise ConformanceError("\n".join(faults))
    return Expectations(entries)


def _say(error: dict[str, object]) -> str:
    place = ".".join(str(part) for part in error["loc"]) if isinstance(error["loc"], tuple) else ""
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {text}" if place else text
