"""The rows of covering arrays, kept beside the sweep that they cover, one id a line.

They are kept because a covering array takes long to find, and so that ids stay: a value that is added later brings
rows of its own, and takes none of those that are there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from trt_conformance.catalog.sweeps import covering
from trt_conformance.catalog.sweeps.model import STRENGTH, TIERS, Row, Sweep
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import replacing
from trt_conformance.core.paths import ROOT
from trt_conformance.core.types import Tier

Rows = dict[Tier, list[Row]]

_HEADER = "# The rows of {file}, by tier. Written by `trt-conformance cases expand`; edit the sweep instead.\n"


def path_of(sweep: Sweep) -> Path:
    """Beside the sweep: ``cases/sweeps/layer.rows``."""
    return (ROOT / sweep.file).with_suffix(".rows")


def name_of(sweep: Sweep, row: Row) -> str:
    """What an id says of a row: its values in the order of the axes, without the usual ones."""
    return "_".join(value for axis, value in zip(sweep.axes, row, strict=True) if sweep.usual.get(axis) != value)


def row_of(sweep: Sweep, name: str) -> Row | None:
    """The row of a name; None where a value is unknown, or an axis has none or two."""
    values: dict[str, str] = {}
    for value in name.split("_"):
        axis = sweep.axis_of.get(value)
        if axis is None or axis in values:
            return None
        values[axis] = value
    values = sweep.usual | values
    return tuple(values[axis] for axis in sweep.axes) if len(values) == len(sweep.axes) else None


def digest(sweep: Sweep) -> str:
    """What the rows were made for: the values, the exclusions and the covers."""
    declared = {
        "domains": sweep.domains,
        "excludes": [exclude.where for exclude in sweep.excludes],
        "covers": [cover.model_dump() for cover in sweep.covers],
        "seed": sweep.seed,
    }
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()[:16]


def read(sweep: Sweep) -> tuple[Rows, str]:
    """The rows that are kept, by tier, and what they were made for; lines that are no rows any more are left out.

    Raises:
        ConformanceError: the file is there but cannot be read.
    """
    path = path_of(sweep)
    rows: Rows = {tier: [] for tier in TIERS}
    made_for, tier = "", TIERS[0]
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as fault:
        raise ConformanceError(f"{path.name} cannot be read: {fault}") from None
    for line in lines:
        if line.startswith("["):
            tier = next((known for known in TIERS if line == f"[{known}]"), tier)
        elif line.startswith("for "):
            made_for = line.removeprefix("for ")
        elif line and not line.startswith("#"):
            row = row_of(sweep, line)
            if row is not None and sweep.excluded_by(row) is None:
                rows[tier].append(row)
    return rows, made_for


def names(sweep: Sweep) -> set[str]:
    """The names that the file holds, be they rows of the sweep still or not."""
    path = path_of(sweep)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return {line for line in lines if line and line[0] not in "#[" and not line.startswith("for ")}


def extend(sweep: Sweep, kept: Rows) -> Rows:
    """Rows that cover the sweep, among them those kept that still serve. A tier has no row of a smaller one.

    Raises:
        ConformanceError: some possible combination could not be covered.
    """
    smaller: list[Row] = []
    rows: Rows = {tier: [] for tier in TIERS}
    for tier in TIERS:
        for cover in sweep.covers:
            if cover.tier == tier and cover.how in STRENGTH:
                for block in covering.blocks(sweep, cover):
                    rows[tier] += covering.generate(sweep, block, [*smaller, *kept[tier]])
        known = set(smaller)
        rows[tier] = [row for row in dict.fromkeys(rows[tier]) if row not in known]
        smaller += rows[tier]
    return rows


def write(sweep: Sweep, rows: Rows) -> bool:
    """Write the rows, whole or not at all; whether that changed anything."""
    lines = [f"for {digest(sweep)}\n"]
    for tier in TIERS:
        if rows[tier]:
            lines += [f"[{tier}]\n", *_sorted(sweep, rows[tier])]
    text = _HEADER.format(file=sweep.file) + "".join(lines)
    path = path_of(sweep)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return True


def _sorted(sweep: Sweep, rows: Iterable[Row]) -> list[str]:
    """In the order of the axes' values, so that a row added shows as a line added."""
    place = {value: index for values in sweep.domains.values() for index, value in enumerate(values)}
    return [f"{name_of(sweep, row)}\n" for row in sorted(rows, key=lambda row: [place[value] for value in row])]
