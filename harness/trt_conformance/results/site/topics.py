"""What versions show about a topic: one claim, of one family of cases, or of everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from trt_conformance.catalog.expectations import Expectation
from trt_conformance.core.verdict import FAULTS, Verdict
from trt_conformance.results.causes import reason
from trt_conformance.results.claims import DocumentClaims
from trt_conformance.results.summary import outcome
from trt_conformance.results.versions.columns import Trait, Version, trait
from trt_conformance.results.versions.events import Size
from trt_conformance.results.versions.matrix import Matrix

ORDER = ("error", "fail", "known", "fallback", "unsupported", "not run", "pass")
"""Outcomes in the order in which a site lists them: what differs first."""


@dataclass(frozen=True)
class TopicFinding:
    """Checks that do not pass for one cause, those of the smallest case first.

    ``expectation``: the known difference that explains them, as this checkout states it.
    """

    trait: Trait
    verdicts: tuple[Verdict, ...]
    expectation: Expectation | None = None

    @property
    def smallest(self) -> Verdict:
        return self.verdicts[0]

    @cached_property
    def cases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(verdict.case for verdict in self.verdicts))

    @property
    def cause(self) -> str:
        """The id of the known difference, or the reason that the smallest case gives."""
        return self.trait.cause if self.trait.is_known else reason(self.smallest.message) or self.trait.cause


def findings(
    verdicts: Iterable[Verdict], expectations: Mapping[str, Expectation], size: Size
) -> tuple[TopicFinding, ...]:
    """What does not pass, grouped by cause: faults first, then known differences; of one outcome, the cause with the
    most checks first.

    Args:
        verdicts: those of one version.
        expectations: the known differences by id.
        size: how large a case is.
    """
    groups: dict[Trait, list[Verdict]] = {}
    for verdict in verdicts:
        if (shows := trait(verdict)) is not None:
            groups.setdefault(shows, []).append(verdict)
    ordered = sorted(groups.items(), key=lambda one: (ORDER.index(one[0].outcome), -len(one[1]), one[0].cause))
    return tuple(
        TopicFinding(
            shows,
            tuple(sorted(mine, key=lambda verdict: (size(verdict.case), verdict.case))),
            expectations.get(shows.cause) if shows.is_known else None,
        )
        for shows, mine in ordered
    )


@dataclass(frozen=True)
class TopicCell:
    """What one version shows of a topic. ``state``: that of a claim; of a family its worst outcome, "" of none."""

    version: Version
    verdicts: tuple[Verdict, ...]
    state: str
    findings: tuple[TopicFinding, ...]

    @cached_property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """The outcomes of the checks, what differs first."""
        found = Counter(map(outcome, self.verdicts))
        return tuple((name, found[name]) for name in ORDER if found[name])


@dataclass(frozen=True)
class Topic:
    """A claim or a family: its cells, one for each version. ``doc``: the statement; ``place``: its source."""

    name: str
    doc: str
    place: str
    cells: tuple[TopicCell, ...]

    @cached_property
    def rows(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each case with its worst outcome in each version that has checks of the topic: what differs anywhere first.

        A version without a check of the case has "".
        """
        found: dict[str, list[str]] = {}
        cells = [cell for cell in self.cells if cell.verdicts]
        for index, cell in enumerate(cells):
            for verdict in cell.verdicts:
                row = found.setdefault(verdict.case, [""] * len(cells))
                row[index] = worst(filter(None, (row[index], outcome(verdict))))
        ordered = sorted(found.items(), key=lambda one: (ORDER.index(worst(filter(None, one[1]))), one[0]))
        return tuple((case, tuple(row)) for case, row in ordered)


@dataclass(frozen=True)
class Topics:
    """The claims and the families of a matrix of versions as topics."""

    matrix: Matrix
    size: Size

    @cached_property
    def expectations(self) -> Mapping[str, Expectation]:
        return {entry.id: entry for entry in self.matrix.expectations}

    @cached_property
    def families(self) -> tuple[Topic, ...]:
        """The families of cases, which is what an id begins with, by name."""
        by_family: dict[str, list[list[Verdict]]] = {}
        for index, verdicts in enumerate(self._verdicts):
            for verdict in verdicts:
                name = family_of(verdict.case)
                by_family.setdefault(name, [[] for _ in self.matrix.versions])[index].append(verdict)
        return tuple(self._topic(name, "", "", mine) for name, mine in sorted(by_family.items()))

    @cached_property
    def claims(self) -> tuple[tuple[DocumentClaims, tuple[Topic, ...]], ...]:
        """The claims of each document."""
        by_claim: dict[str, list[list[Verdict]]] = {}
        for index, verdicts in enumerate(self._verdicts):
            for verdict in verdicts:
                for claim in verdict.claims:
                    by_claim.setdefault(claim, [[] for _ in self.matrix.versions])[index].append(verdict)
        nothing: list[list[Verdict]] = [[] for _ in self.matrix.versions]
        return tuple(
            (
                document,
                tuple(
                    self._topic(row.name, row.doc, section, by_claim.get(row.name, nothing), row.cells)
                    for section, row in self.matrix.claims_of(document)
                ),
            )
            for document in self.matrix.documents
        )

    def of_version(self, version: Version) -> TopicCell:
        """Everything that one version shows."""
        return self._cell(version, list(version.verdicts.values()), None)

    @cached_property
    def _verdicts(self) -> tuple[tuple[Verdict, ...], ...]:
        return tuple(tuple(version.verdicts.values()) for version in self.matrix.versions)

    def _topic(
        self,
        name: str,
        doc: str,
        place: str,
        verdicts: Sequence[Sequence[Verdict]],
        states: Sequence[str] | None = None,
    ) -> Topic:
        given: Sequence[str | None] = states or [None] * len(verdicts)
        cells = map(self._cell, self.matrix.versions, verdicts, given)
        return Topic(name, doc, place, tuple(cells))

    def _cell(self, version: Version, verdicts: Sequence[Verdict], state: str | None) -> TopicCell:
        found = findings(verdicts, self.expectations, self.size)
        return TopicCell(version, tuple(verdicts), worst(map(outcome, verdicts)) if state is None else state, found)


def family_of(case: str) -> str:
    """What the id of a case begins with: ``stride_nd`` of ``stride_nd/h2_w2-fp32``."""
    return case.partition("/")[0]


def worst(outcomes: Iterable[str]) -> str:
    """The outcome that is listed first; "" of none."""
    return min(outcomes, key=ORDER.index, default="")


def has_faults(cell: TopicCell) -> bool:
    """Whether a check fails or errs without an explanation."""
    return any(name in FAULTS for name, _ in cell.counts)
