"""The rows of covering arrays, stored beside the sweep that they cover, one per line.

They are stored because finding a covering array takes long, and so that ids are stable: a value that is added later
adds rows, and the existing rows remain.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trt_conformance.catalog.source import name_of, read_text
from trt_conformance.catalog.sweeps import covering
from trt_conformance.catalog.sweeps.model import STRENGTH, TIERS, Row, Sweep
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import replacing
from trt_conformance.core.types import Tier

Rows = dict[Tier, list[Row]]

_HEADER = (
    "# The rows of the sweep {name}, by tier. Written by `trt-conformance cases expand`; edit the sweep instead.\n"
)


def path_of(sweep: Sweep) -> Path:
    """Return the path of the file of rows, beside the sweep: ``cases/sweeps/layer.rows``."""
    return sweep.path.with_suffix(".rows")


def row_name(sweep: Sweep, row: Row) -> str:
    """Return the name of a row in ids: its values in the order of the axes, without the usual ones."""
    return "_".join(value for axis, value in zip(sweep.axes, row, strict=True) if sweep.usual.get(axis) != value)


def row_of(sweep: Sweep, name: str) -> Row | None:
    """Return the row of a name; None if a value is unknown, or an axis has no value or two."""
    place_of, row = sweep.place_of, list(sweep.usual_row)
    named: set[int] = set()
    for value in name.split("_"):
        place = place_of.get(value)
        if place is None or place in named:
            return None
        named.add(place)
        row[place] = value
    found = tuple(value for value in row if value is not None)
    return found if len(found) == len(row) else None


def digest(sweep: Sweep) -> str:
    """Return a hash of all that the rows depend on: the values, the exclusions and the covers."""
    declared = {
        "domains": sweep.domains,
        "excludes": [exclude.where for exclude in sweep.excludes],
        "covers": [cover.model_dump() for cover in sweep.covers],
        "seed": sweep.seed,
    }
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class StoredRows:
    """The content of a file of rows."""

    rows: Rows
    made_for: str
    """The `digest` of the sweep for which the rows were found; empty if there is no file."""
    names: frozenset[str]
    """The names of all its rows, including those that the sweep no longer has."""
    unknown: tuple[tuple[int, str], ...]
    """The lines that are not rows of the sweep, with their numbers."""


def read_rows(sweep: Sweep) -> StoredRows:
    """Read the stored rows of a sweep; nothing is stored if there is no file.

    Raises:
        CaseFileError: the file cannot be read.
    """
    path = path_of(sweep)
    rows: Rows = {tier: [] for tier in TIERS}
    made_for, tier = "", TIERS[0]
    names: set[str] = set()
    unknown: list[tuple[int, str]] = []
    for number, line in enumerate(read_text(path).splitlines() if os.path.lexists(path) else (), start=1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("for "):
            made_for = line.removeprefix("for ")
        elif line.startswith("["):
            known = next((known for known in TIERS if line == f"[{known}]"), None)
            if known is None:
                unknown.append((number, line))
            tier = known or tier
        else:
            names.add(line)
            row = row_of(sweep, line)
            if row is None or sweep.excluded_by(row) is not None:
                unknown.append((number, line))
            else:
                rows[tier].append(row)
    return StoredRows(rows, made_for, frozenset(names), tuple(unknown))


def extend(sweep: Sweep, stored: Rows) -> Rows:
    """Return rows that cover the sweep, reusing the stored ones that still do. No tier repeats a row of a smaller one.

    Raises:
        ConformanceError: some possible combination could not be covered.
    """
    smaller: list[Row] = []
    rows: Rows = {tier: [] for tier in TIERS}
    for tier in TIERS:
        for cover in sweep.covers:
            if cover.tier == tier and cover.how in STRENGTH:
                for block in covering.blocks(sweep, cover):
                    rows[tier] += covering.generate(sweep, block, [*smaller, *stored[tier]])
        known = set(smaller)
        rows[tier] = [row for row in dict.fromkeys(rows[tier]) if row not in known]
        smaller += rows[tier]
    return rows


def write_rows(sweep: Sweep, rows: Rows) -> None:
    """Write the rows, all of them or none.

    Raises:
        ConformanceError: the file cannot be written.
    """
    lines = [f"for {digest(sweep)}\n"]
    for tier in TIERS:
        if rows[tier]:
            lines += [f"[{tier}]\n", *_sorted(sweep, rows[tier])]
    text = _HEADER.format(name=sweep.name) + "".join(lines)
    path = path_of(sweep)
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConformanceError(f"{name_of(path)}: cannot be written: {error.strerror}") from None


def _sorted(sweep: Sweep, rows: Iterable[Row]) -> list[str]:
    """Return the lines in the order of the axes' values, so that an added row is an added line."""
    place = {value: index for values in sweep.domains.values() for index, value in enumerate(values)}
    return [f"{row_name(sweep, row)}\n" for row in sorted(rows, key=lambda row: [place[value] for value in row])]
