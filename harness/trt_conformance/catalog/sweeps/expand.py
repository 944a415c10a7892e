"""The cases of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from zlib import crc32

from pydantic import ValidationError

from trt_conformance.catalog.case_file import merged
from trt_conformance.catalog.source import Source
from trt_conformance.catalog.sweeps import rows as kept
from trt_conformance.catalog.sweeps.covering import matrix
from trt_conformance.catalog.sweeps.layer import Layer
from trt_conformance.catalog.sweeps.model import STRENGTH, TIERS, Row, Sweep
from trt_conformance.catalog.sweeps.read import read_sweep
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Precision, Tier
from trt_conformance.core.words import dotted

MOST_DOC = 160
# A sweep of more cases than this is a slip: a product of one axis too many.
MOST_CASES = 100_000


class _Part(NamedTuple):
    """What a value sets, and the precision if it sets that."""

    fields: dict[str, Any]
    precision: Precision | None


@dataclass(frozen=True)
class Expanded:
    """A sweep with all its rows: each with the smallest tier that has it and the line of the cover it is from."""

    sweep: Sweep
    rows: dict[Row, tuple[Tier, int]]

    @cached_property
    def ids(self) -> dict[str, Row]:
        """The row of every case, of whatever tier, by the case's id."""
        return {self._id(row): row for row in self.rows}

    def _id(self, row: Row) -> str:
        """The values that are not usual; the precision stands at the end, as in every id."""
        precision = self._precision(row)
        named = (value for value in kept.name_of(self.sweep, row).split("_") if value != precision)
        return f"{self.sweep.name}/{'_'.join(named)}-{precision}"

    def _precision(self, row: Row) -> Precision:
        return next((p for _, p in reversed(self._parts(row)) if p is not None), "fp32")

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
        """The ids of a tier's cases, the smaller tiers' among them."""
        wanted = TIERS[: TIERS.index(tier) + 1]
        return [case_id for case_id, row in self.ids.items() if self.rows[row][0] in wanted]

    def case(self, case_id: str) -> Case:
        """The case of an id. Raises ConformanceError where its values make none."""
        row = self.ids[case_id]
        tier, line = self.rows[row]
        try:
            return self._case(case_id, row, tier, line)
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            raise ConformanceError(f"{case_id} is no case: {dotted(detail['loc'])}: {detail['msg']}") from None

    def cases(self, tier: Tier, source: Source) -> Iterator[Case]:
        """The cases of a tier; those that are none go to the file's faults."""
        for case_id in self.names(tier):
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
            words |= part.get("layer", {})
            if len(part) > ("layer" in part):
                given = merged(given, {key: value for key, value in part.items() if key != "layer"})
        precision = given.get("precision", "fp32")
        base_id = case_id.removesuffix(f"-{precision}")
        name = base_id.rpartition("/")[2]
        fields = merged(Layer.model_validate(words).fields(precision, crc32(base_id.encode())), given)
        return Case.model_validate(
            {
                "source": sweep.source,
                "doc": f"sweep of {sweep.name}: {name.replace('_', ', ')}"[:MOST_DOC],
                **fields,
                "id": case_id,
                "name": name,
                "file": sweep.file,
                "line": line,
                "tier": tier,
                "section": sweep.section,
            }
        )


def expand_sweep(source: Source) -> Expanded | None:
    """The rows of a sweep file; None where anything is wrong with it, which then stands among its faults."""
    sweep = read_sweep(source)
    if sweep is None:
        return None
    try:
        covering, made_for = kept.read(sweep)
    except ConformanceError as fault:
        source.fault((), str(fault))
        return None
    is_covering = any(cover.how in STRENGTH for cover in sweep.covers)
    if is_covering and made_for != kept.digest(sweep):
        state = "changed since its rows were written" if made_for else "has no rows yet"
        source.fault((), f"{state}: run `trt-conformance cases expand` and commit {kept.path_of(sweep).name}")
        return None
    rows: dict[Row, tuple[Tier, int]] = {}
    for tier in TIERS:
        for cover, line in zip(sweep.covers, sweep.lines, strict=True):
            if cover.tier == tier:
                for row in matrix(sweep, cover) if cover.how == "matrix" else covering[tier]:
                    rows.setdefault(row, (tier, line))
                if len(rows) > MOST_CASES:
                    source.fault(
                        ("cover", sweep.covers.index(cover)), f"more than {MOST_CASES} cases: narrow it by only"
                    )
                    return None
    found = Expanded(sweep, rows)
    if len(found.ids) < len(rows):
        source.fault((), f"{len(rows) - len(found.ids)} ids are of several rows: an axis sets the precision of another")
        return None
    return found
