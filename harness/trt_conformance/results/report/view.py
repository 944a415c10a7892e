"""The content of a report, from run records: one row for each case on each target, and tables made from the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.claims import Claim
from trt_conformance.catalog.expectations import Expectation, Expectations
from trt_conformance.catalog.profiles import Profile
from trt_conformance.core.case import Case
from trt_conformance.core.documents import COOKBOOK
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import FAULTS, NEUTRAL, REFERENCE, Verdict
from trt_conformance.results import claims
from trt_conformance.results.bound_use import BoundUse, arithmetic, bound_use, fraction, precision_of
from trt_conformance.results.causes import Cause, cause, reason_of_neutral
from trt_conformance.results.claims import DocumentClaims
from trt_conformance.results.known_today import KnownToday, explained, finding, known_today
from trt_conformance.results.profiles import ProfileResult, profile_results
from trt_conformance.results.record.record import Record
from trt_conformance.results.summary import WORST_FIRST, case_outcome, outcome

ORDER = WORST_FIRST


@dataclass(frozen=True, eq=False)
class Column:
    """A target in a run, or the suite's own data."""

    name: str
    target: str
    run: int
    verdicts: tuple[Verdict, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    """The state of each claim that a case checks."""

    @property
    def is_reference(self) -> bool:
        return self.target == REFERENCE

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(outcome(verdict) for verdict in self.verdicts)

    @property
    def faults(self) -> int:
        """Checks with a fault that is not a known difference."""
        return sum(self.counts[status] for status in FAULTS)


@dataclass(frozen=True, eq=False)
class Row:
    """A case on a target, with all its checks."""

    number: int
    column: Column
    case: str
    verdicts: tuple[Verdict, ...]

    @cached_property
    def precision(self) -> str:
        return precision_of(self.case)

    @property
    def name(self) -> str:
        """The id without its precision."""
        return self.case.removesuffix(f"-{self.precision}")

    @cached_property
    def status(self) -> str:
        """The worst fault; without a fault, the outcome of the decisive check."""
        return case_outcome(self.verdicts)

    @property
    def faults(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if outcome(v) in FAULTS)

    @cached_property
    def claims(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(claim for verdict in self.verdicts for claim in verdict.claims))

    @cached_property
    def fraction(self) -> float | None:
        """The fraction of its bound that the worst element uses; None if no output was compared."""
        return next((used for used in map(fraction, self.verdicts) if used is not None), None)

    @property
    def ran_in(self) -> str:
        """The precision that the engine reports, and the one that the digits of the output show if it differs."""
        said, shown = self._figure("ran_in"), self._figure("arithmetic")
        return f"{said}, {shown} by its digits" if said and shown not in ("", said, "unknown") else said or shown

    @property
    def arithmetic(self) -> str:
        """`trt_conformance.results.bound_use.arithmetic` of the compared output."""
        compared = (verdict for verdict in self.verdicts if fraction(verdict) is not None)
        return next((arithmetic(verdict) for verdict in compared), self.precision)

    @property
    def kernel(self) -> str:
        return self._figure("kernel")

    def _figure(self, name: str) -> str:
        return next((str(v.figures[name]) for v in self.verdicts if v.figures.get(name)), "")


@dataclass(frozen=True)
class Known:
    """A difference that an expectation states, and the cases that showed it."""

    id: str
    column: Column
    rows: tuple[Row, ...]
    expectation: Expectation | None


@dataclass(frozen=True)
class Reason:
    """Why checks neither passed nor failed."""

    column: Column
    status: str
    message: str
    checks: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class View:
    """Records as a report shows them, with the case files and expectations of this checkout if there are any."""

    records: tuple[Record, ...]
    catalog: Catalog | None = None
    expectations: Sequence[Expectation] = ()
    profiles: Sequence[Profile] = ()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The targets of each run, then the suite's own data."""
        names = Counter(name for record in self.records for name in record.targets)
        found = []
        for number, record in enumerate(self.records, start=1):
            facts = record.header.environment.targets
            for target in record.targets:
                name = target if names[target] == 1 else f"{target} (run {number})"
                mine = tuple(v for v in record.verdicts if v.target == target)
                found.append(Column(name, target, number, mine, facts.get(target, {}), self._states(mine)))
        own = tuple(_own(self.records))
        return (*found, Column(REFERENCE, REFERENCE, 0, own, {}, self._states(own))) if own else tuple(found)

    @cached_property
    def _today(self) -> Expectations:
        return Expectations(self.expectations, finding(self.catalog))

    def known_as(self, verdict: Verdict) -> str:
        """The id of the expectation that explains a fault today; empty if none does, or one did when it ran."""
        return "" if verdict.known else explained(verdict, self._today).known

    def known_today(self, column: Column) -> KnownToday:
        """How many checks of a target failed when run, and how many of them are known differences today."""
        return known_today(column.verdicts, self._today)

    def _states(self, verdicts: Sequence[Verdict]) -> dict[str, str]:
        return claims.states(verdicts, self._registered)

    @property
    def _registered(self) -> Mapping[str, Claim]:
        return self.catalog.claims if self.catalog else {}

    @property
    def targets(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.is_reference)

    @property
    def reference(self) -> Column | None:
        return next((column for column in self.columns if column.is_reference), None)

    @cached_property
    def totals(self) -> Counter[str]:
        """How many checks of targets had each outcome."""
        return sum((column.counts for column in self.targets), Counter())

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The cases of the case files, and the generated ones that ran."""
        if self.catalog is None:
            return {}
        found = {case.id: case for case in self.catalog.cases}
        for name in dict.fromkeys(verdict.case for record in self.records for verdict in record.verdicts):
            with suppress(ConformanceError):  # of another checkout, perhaps
                case = self.catalog.find(name)
                if case is not None:
                    found.setdefault(name, case)
        return found

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """In the order of the case files; unknown cases follow as recorded."""
        place = {case: index for index, case in enumerate(self.cases)}
        found: dict[tuple[int, str], list[Verdict]] = {}
        for index, column in enumerate(self.columns):
            for verdict in column.verdicts:
                found.setdefault((index, verdict.case), []).append(verdict)
        keys = sorted(found, key=lambda key: (place.get(key[1], len(place)), key[0]))
        return tuple(
            Row(number, self.columns[index], case, tuple(found[index, case]))
            for number, (index, case) in enumerate(keys, start=1)
        )

    @property
    def failures(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.status in FAULTS)

    @cached_property
    def failures_by_cause(self) -> tuple[tuple[Row, ...], ...]:
        """The failed cases in groups of one cause, in the order of their first cases, those last that are known today.

        The cause is that of a case's first fault. The first row of a group represents it.
        """
        found: dict[tuple[Column, Cause], list[Row]] = {}
        for row in self.failures:
            found.setdefault((row.column, cause(row.faults[0])), []).append(row)
        return tuple(sorted(map(tuple, found.values()), key=lambda rows: bool(self.known_as(rows[0].faults[0]))))

    @cached_property
    def documents(self) -> tuple[DocumentClaims, ...]:
        """The documents that have claims, with their claims; the cookbook first."""
        return claims.by_document(self._registered, (claim for column in self.columns for claim in column.claims))

    @cached_property
    def claim_ids(self) -> tuple[str, ...]:
        """The claims of the cookbook."""
        return next((document.ids for document in self.documents if document.name == COOKBOOK), ())

    def claim_counts(self, column: Column, document: DocumentClaims | None = None) -> Counter[str]:
        """How many claims of a document, by default the cookbook, are in each state on a target."""
        if document is None:
            document = DocumentClaims(COOKBOOK, {"": [(claim, "") for claim in self.claim_ids]})
        return claims.counts(document, column.target, column.claims, self._registered)

    @cached_property
    def profile_results(self) -> tuple[tuple[ProfileResult, ...], ...]:
        """For each profile and level the results of all targets; nothing if no case of any profile ran."""
        by_column = [profile_results(self.profiles, self.catalog, c.target, c.verdicts) for c in self.targets]
        found = tuple(zip(*by_column, strict=True))
        return found if any(result.ran for results in found for result in results) else ()

    def claim_state(self, column: Column, claim: str) -> str:
        """The state of a claim on a target."""
        return claims.state_of(claim, column.target, column.claims, self._registered)

    @cached_property
    def known(self) -> tuple[Known, ...]:
        by_id = {entry.id: entry for entry in self.expectations}
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            for name in dict.fromkeys(v.known for v in row.verdicts if v.known):
                found.setdefault((name, row.column.name), []).append(row)
        return tuple(Known(name, rows[0].column, tuple(rows), by_id.get(name)) for (name, _), rows in found.items())

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """Most frequent first."""
        found: dict[tuple[str, str, str], dict[Row, list[str]]] = {}
        for row in self.rows:
            for v in row.verdicts:
                if v.status in NEUTRAL and not v.known:
                    key = (row.column.name, v.status, reason_of_neutral(v))
                    found.setdefault(key, {}).setdefault(row, []).append(v.check)
        reasons = [
            Reason(
                next(iter(rows)).column,
                status,
                message,
                tuple(dict.fromkeys(check for checks in rows.values() for check in checks)),
                tuple(rows),
            )
            for (_, status, message), rows in found.items()
        ]
        return tuple(sorted(reasons, key=lambda reason: (reason.status, -len(reason.rows))))

    @cached_property
    def kernels(self) -> tuple[tuple[Column, str, str, tuple[Row, ...]], ...]:
        """Target, precision that ran, kernel, and the cases it computed; most used first."""
        found: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows:
            if row.ran_in or row.kernel:
                found.setdefault((row.column.name, row.ran_in, row.kernel), []).append(row)
        uses = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1])))
        return tuple((rows[0].column, ran_in, kernel, tuple(rows)) for (_, ran_in, kernel), rows in uses)

    @cached_property
    def ran(self) -> tuple[tuple[Column, str, str, int], ...]:
        """Target, precision that a case asks for, precision that ran, and in how many cases."""
        found = Counter((row.column, row.precision, row.ran_in) for row in self.rows if row.ran_in)
        return tuple((*key, n) for key, n in found.items())

    @cached_property
    def measured(self) -> tuple[Row, ...]:
        """The cases whose output was compared, by the fraction of the bound that they use."""
        rows = [(row.fraction, row) for row in self.rows if row.fraction is not None]
        return tuple(row for _, row in sorted(rows, key=lambda pair: -pair[0]))

    def between(self, low: float, high: float) -> tuple[Row, ...]:
        """The cases whose fraction of the bound is above ``low`` and at most ``high``."""
        return tuple(row for row in self.measured if row.fraction is not None and low < row.fraction <= high)

    @property
    def exact(self) -> int:
        """Cases without any error."""
        return sum(row.fraction == 0 for row in self.measured)

    @cached_property
    def bound_use(self) -> tuple[tuple[Column, BoundUse], ...]:
        """By target and arithmetic, how much of the bound was used."""
        return tuple((column, use) for column in self.targets for use in bound_use(column.verdicts))


def _own(records: Iterable[Record]) -> Iterator[Verdict]:
    """The checks of the suite's own data, each once for all runs, as a fault if it failed in any."""
    found: dict[tuple[str, str], Verdict] = {}
    for record in records:
        for verdict in record.verdicts:
            if verdict.target == REFERENCE:
                key = (verdict.case, verdict.check)
                found[key] = verdict if verdict.is_fault else found.get(key, verdict)
    yield from found.values()
