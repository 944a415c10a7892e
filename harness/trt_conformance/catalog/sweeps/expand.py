"""Makes the cases of a sweep from its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple
from zlib import crc32

from pydantic import ValidationError

from trt_conformance.catalog.case_file import merged
from trt_conformance.catalog.case_patterns import CasePatterns
from trt_conformance.catalog.explain import explain
from trt_conformance.catalog.source import CaseFileError, Source
from trt_conformance.catalog.sweeps import rows as stored_rows
from trt_conformance.catalog.sweeps.covering import matrix
from trt_conformance.catalog.sweeps.layer import Layer
from trt_conformance.catalog.sweeps.model import STRENGTH, TIERS, Row, Sweep
from trt_conformance.catalog.sweeps.read import read_sweep
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Precision, Tier
from trt_conformance.core.words import shown

MAX_DOC = 160
IN_MEMORY = 1024
"""Cases of a sweep that are remembered, about 10 KB each: all that a run of tier ci takes."""


class _Part(NamedTuple):
    """The fields that a value sets, and the precision if it sets one."""

    fields: dict[str, Any]
    precision: Precision | None


@dataclass(frozen=True)
class Expanded:
    """A sweep with all its rows, each with the smallest tier that has it and the line of the cover that it is from."""

    sweep: Sweep
    rows: dict[Row, tuple[Tier, int]]

    @cached_property
    def ids(self) -> dict[str, Row]:
        """The row of every case of any tier, by the case's id."""
        return {self._id(row): row for row in self.rows}

    def _id(self, row: Row) -> str:
        """Return the id: the values that are not usual, and the precision at the end, as in every id."""
        precision = self._precision(row)
        named = [v for v, usual in zip(row, self.sweep.usual_row, strict=True) if v not in (usual, precision)]
        return f"{self.sweep.name}/{'_'.join(named)}-{precision}"

    def _precision(self, row: Row) -> Precision:
        """Return the precision of the last value that sets one."""
        for place, parts in self._setting_precision:
            found = parts[row[place]].precision
            if found is not None:
                return found
        return self._base.precision or "fp32"

    @cached_property
    def _setting_precision(self) -> list[tuple[int, dict[str, _Part]]]:
        """The axes whose values set a precision, with their places in a row, the last one first."""
        found = [(place, parts) for place, parts in enumerate(self._values) if any(p.precision for p in parts.values())]
        return found[::-1]

    def _parts(self, row: Row) -> list[_Part]:
        return [self._base, *(axis[value] for axis, value in zip(self._values, row, strict=True))]

    @cached_property
    def _base(self) -> _Part:
        return _Part(self.sweep.base, self.sweep.base.get("precision"))

    @cached_property
    def _values(self) -> list[dict[str, _Part]]:
        axes = self.sweep.axes.values()
        return [{name: _Part(part, part.get("precision")) for name, part in values.items()} for values in axes]

    def names(self, tier: Tier) -> list[str]:
        """Return the ids of the cases of a tier and the smaller ones."""
        wanted = TIERS[: TIERS.index(tier) + 1]
        return [case_id for case_id, row in self.ids.items() if self.rows[row][0] in wanted]

    def matching(self, tier: Tier, patterns: CasePatterns) -> list[str]:
        """Return the ids of a tier and the smaller ones that match, themselves or by the sweep's file."""
        names = self.names(tier)
        if patterns.match_file(self.sweep.file, self.sweep.folder):
            return names
        return list(filter(patterns.match_id, names))

    def case(self, case_id: str) -> Case:
        """Return the case of an id. Raises ConformanceError if its values do not make a valid case."""
        return self._last_cases(case_id)

    @cached_property
    def _last_cases(self) -> Callable[[str], Case]:
        """The last cases, which a run asks for again: to look ahead, for their verdicts, and for its report."""
        return lru_cache(IN_MEMORY)(self._made)

    def _made(self, case_id: str) -> Case:
        row = self.ids[case_id]
        tier, line = self.rows[row]
        try:
            return self._case(case_id, row, tier, line)
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            model = Layer if detail["loc"][:1] and detail["loc"][0] in Layer.model_fields else Case
            why = explain(detail, detail["loc"], model)
            raise ConformanceError(f"{case_id} is not a valid case: {why}") from None

    def states(self, case_id: str, fields: frozenset[str]) -> bool:
        """Return whether the values of a case state one of these fields. The case is not made."""
        return any(not fields.isdisjoint(part.fields) for part in self._parts(self.ids[case_id]))

    def cases(self, tier: Tier, source: Source, patterns: CasePatterns) -> Iterator[Case]:
        """Yield the cases of a tier that match. Those that are not valid become faults of the file."""
        for case_id in self.matching(tier, patterns):
            try:
                yield self.case(case_id)
            except ConformanceError as fault:
                line = self.rows[self.ids[case_id]][1]
                source.fault(("cover", self.sweep.lines.index(line)), str(fault))

    def _case(self, case_id: str, row: Row, tier: Tier, line: int) -> Case:
        sweep = self.sweep
        words: dict[str, Any] = {}
        given: dict[str, Any] = {}
        for part, _ in self._parts(row):
            words = merged(words, part.get("layer", {}))
            if len(part) > ("layer" in part):
                given = merged(given, {key: value for key, value in part.items() if key != "layer"})
        precision = given.get("precision", "fp32")
        base_id = case_id.removesuffix(f"-{precision}")
        name = base_id.rpartition("/")[2]
        fields = merged(Layer.model_validate(words).fields(precision, crc32(base_id.encode())), given)
        return Case.model_validate(
            {
                "source": sweep.source,
                "doc": f"sweep of {sweep.name}: {name.replace('_', ', ')}"[:MAX_DOC],
                **fields,
                "id": case_id,
                "name": name,
                "file": sweep.file,
                "line": line,
                "folder": sweep.folder,
                "tier": tier,
                "section": sweep.section,
            }
        )


def expand_sweep(source: Source, lint: bool = True) -> Expanded | None:
    """Return a sweep file with its rows; None if it has faults, which are recorded in ``source``.

    ``lint`` is False if each value is known to occur in a row.
    """
    sweep = read_sweep(source, lint)
    if sweep is None:
        return None
    covering = _stored_rows(source, sweep) if any(cover.how in STRENGTH for cover in sweep.covers) else {}
    if covering is None:
        return None
    rows: dict[Row, tuple[Tier, int]] = {}
    for tier in TIERS:
        for cover, line in zip(sweep.covers, sweep.lines, strict=True):
            if cover.tier == tier:
                for row in matrix(sweep, cover) if cover.how == "matrix" else covering[tier]:
                    rows.setdefault(row, (tier, line))
    found = Expanded(sweep, rows)
    if len(found.ids) < len(rows):
        several = len(rows) - len(found.ids)
        message = f"{several} rows have the id of another row: only one axis may set the precision"
        source.fault((), message)
        return None
    return found


def _stored_rows(source: Source, sweep: Sweep) -> stored_rows.Rows | None:
    """Return the rows of the sweep's covering arrays; None if there are no valid ones, which is a fault."""
    path = stored_rows.path_of(sweep)
    remedy = f"run `trt-conformance cases expand{sweep.folder.options_of_cases}` and commit {path.name}"
    try:
        stored = stored_rows.read_rows(sweep)
    except CaseFileError as error:
        for fault in error.faults:
            source.fault((), f"{path.name} {fault.message}")
        return None
    if stored.made_for != stored_rows.digest(sweep):
        state = "changed since its rows were written" if stored.made_for else "has no rows yet"
        source.fault((), f"{state}: {remedy}")
        return None
    for line, text in stored.unknown[:1]:
        source.fault((), f"{path.name}:{line}: {shown(text)} is not a row of this sweep: {remedy}")
        return None
    return stored.rows
