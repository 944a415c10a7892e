"""Versions side by side: claims, families of cases, known differences, and what changed from each to the next."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.claims import Claim
from trt_conformance.catalog.expectations import Expectation, Expectations, Find
from trt_conformance.results import claims
from trt_conformance.results.claims import DocumentClaims
from trt_conformance.results.known_today import finding
from trt_conformance.results.record.record import Record
from trt_conformance.results.summary import outcome
from trt_conformance.results.versions.columns import Version, neighbors, trait, versions
from trt_conformance.results.versions.events import Size, VersionStep, step

UNEXPLAINED = "unexplained"
"""The row of faults that no expectation explains."""


@dataclass(frozen=True)
class MatrixRow:
    """One line of a table: its name, its value in each version, and what it is about."""

    name: str
    cells: tuple[str, ...]
    doc: str = ""


@dataclass(frozen=True)
class Matrix:
    """The versions of some runs and what they do."""

    versions: tuple[Version, ...]
    steps: tuple[VersionStep, ...]
    catalog: Catalog | None = None
    expectations: Sequence[Expectation] = ()

    @property
    def _registered(self) -> Mapping[str, Claim]:
        return self.catalog.claims if self.catalog else {}

    @cached_property
    def claim_states(self) -> tuple[Mapping[str, str], ...]:
        """For each version the state of each claim that a verdict names."""
        return tuple(claims.states(version.record.verdicts, self._registered) for version in self.versions)

    @cached_property
    def documents(self) -> tuple[DocumentClaims, ...]:
        """The documents that have claims, the cookbook first."""
        return claims.by_document(self._registered, (claim for found in self.claim_states for claim in found))

    def claims_of(self, document: DocumentClaims) -> tuple[tuple[str, MatrixRow], ...]:
        """Each claim of a document: its section, and its state in each version."""
        return tuple(
            (section, MatrixRow(claim, self._states_of(claim), statement))
            for section, stated in document.sections.items()
            for claim, statement in stated
        )

    def _states_of(self, claim: str) -> tuple[str, ...]:
        pairs = zip(self.versions, self.claim_states, strict=True)
        return tuple(claims.state_of(claim, version.target, found, self._registered) for version, found in pairs)

    @cached_property
    def claim_counts(self) -> tuple[MatrixRow, ...]:
        """For each document how many of its claims are in which state in each version."""
        found = []
        for document in self.documents:
            counts = [
                Counter(states) for states in zip(*(row.cells for _, row in self.claims_of(document)), strict=True)
            ]
            found.append(
                MatrixRow(
                    document.name, tuple(_counts(count, claims.counted_state) for count in counts), document.title
                )
            )
        return tuple(found)

    @cached_property
    def families(self) -> tuple[MatrixRow, ...]:
        """For each family of cases, which is what an id begins with, the outcomes of its checks in each version."""
        counts: dict[str, list[Counter[str]]] = {}
        for index, version in enumerate(self.versions):
            for verdict in version.verdicts.values():
                family = counts.setdefault(verdict.case.partition("/")[0], [Counter() for _ in self.versions])
                family[index][outcome(verdict)] += 1
        return tuple(MatrixRow(name, tuple(map(_counts, cells))) for name, cells in sorted(counts.items()))

    @cached_property
    def known(self) -> tuple[MatrixRow, ...]:
        """For each known difference the checks that show it in each version.

        0: its checks ran and do not show it. Nothing: none of them ran. Faults that no expectation explains are one
        more row.
        """
        shown: dict[str, list[set[Any]]] = {}
        for index, version in enumerate(self.versions):
            for key, verdict in version.verdicts.items():
                found = trait(verdict)
                if found is not None and found.state == "differs":
                    name = found.cause if found.is_known else UNEXPLAINED
                    shown.setdefault(name, [set() for _ in self.versions])[index].add(key)
        docs = {entry.id: entry.doc for entry in self.expectations} | {UNEXPLAINED: "No expectation explains these."}
        rows = []
        for name, found_in in sorted(shown.items(), key=lambda one: (one[0] != UNEXPLAINED, one[0])):
            every = set().union(*found_in)
            ran = [
                any(outcome(version.verdicts[key]) == "pass" for key in every if key in version.verdicts)
                for version in self.versions
            ]
            cells = (str(len(keys)) if keys or it_ran else "" for keys, it_ran in zip(found_in, ran, strict=True))
            rows.append(MatrixRow(name, tuple(cells), docs.get(name, "")))
        return tuple(rows)

    @cached_property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes of each version's checks."""
        return tuple(_counts(Counter(map(outcome, version.verdicts.values()))) for version in self.versions)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "versions": [
                {
                    "target": version.target,
                    "started": list(version.started),
                    "complete": version.record.complete,
                    "failed_when_run": version.known_today.failed,
                    "known_today": version.known_today.known,
                }
                for version in self.versions
            ],
            "steps": [step.to_json() for step in self.steps],
            "claims": {
                document.name: {row.name: list(row.cells) for _, row in self.claims_of(document)}
                for document in self.documents
            },
            "families": {row.name: list(row.cells) for row in self.families},
            "known": {row.name: list(row.cells) for row in self.known},
        }


def matrix(
    records: Sequence[Record], catalog: Catalog | None = None, expectations: Sequence[Expectation] = ()
) -> Matrix:
    """Versions side by side.

    Args:
        records: runs of the versions; several runs of one version count as one.
        catalog: the cases of this checkout, which say how large a case is; without it, the first id is the smallest.
        expectations: the known differences of this checkout.

    Raises:
        ConformanceError: no record has a verdict of a target.
    """
    find = finding(catalog)
    found = versions(records, Expectations(expectations, find))
    size = _size(find)
    steps = tuple(step(before, now, size) for before, now in neighbors(found))
    return Matrix(found, steps, catalog, expectations)


def case_size(catalog: Catalog | None) -> Size:
    """How large the cases of a catalog are, in elements of input and kernel. Unknown cases come last."""
    return _size(finding(catalog))


def _size(find: Find) -> Size:
    """How large a case is: the elements of its input and its kernel. What is not in a case file comes last."""

    @cache
    def size(name: str) -> float:
        case = find(name)
        if case is None:
            return math.inf
        return max(math.prod(shape) for shape in case.run_shapes) + math.prod(case.kernel.shape)

    return size


def _counts(counts: Mapping[str, int], text: Callable[[int, str], str] = "{} {}".format) -> str:
    """``12 pass, 3 known``: the most frequent first."""
    ordered = sorted(counts.items(), key=lambda one: -one[1])
    return ", ".join(text(n, name) for name, n in ordered if name != "unstated")
