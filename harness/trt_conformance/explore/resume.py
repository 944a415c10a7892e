"""Reads the record of an earlier search, so that the search can go on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trt_conformance.catalog.case_file import expand, read_entries
from trt_conformance.catalog.source import read_sources
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.explore.finds import Find
from trt_conformance.explore.layer import layer_of
from trt_conformance.explore.search import FOLDER, draw_number
from trt_conformance.results.record.record import Record, read_record

SETTINGS = "explore"
"""The key of a record's environment that has the settings of the search."""
_FOUND = re.compile(r"found_s\d+_n\d+/.*")


@dataclass(frozen=True)
class Earlier:
    """An earlier search: its record and folder, its settings, the draws that it has done, and its finds."""

    folder: Path
    record: Record
    seed: int
    focus: str
    near: str
    done: frozenset[int]
    finds: tuple[Find, ...]


def read_earlier(path: Path) -> Earlier:
    """The search of a record, or of a run's folder.

    Raises:
        ConformanceError: it cannot be read, or is not the record of a search.
    """
    record = read_record(path)
    settings = record.header.environment.to_json().get(SETTINGS)
    if not isinstance(settings, dict) or not isinstance(settings.get("seed"), int):
        raise ConformanceError(f"{path}: not the record of a search: `trt-conformance explore` did not write it")
    seed = settings["seed"]
    folder = path if path.is_dir() else path.parent
    numbers = (draw_number(verdict.case, seed) for verdict in record.verdicts)
    return Earlier(
        folder=folder,
        record=record,
        seed=seed,
        focus=str(settings.get("focus", "")),
        near=str(settings.get("near", "")),
        done=frozenset(number for number in numbers if number is not None),
        finds=tuple(_finds(folder, record)),
    )


def _finds(folder: Path, record: Record) -> Iterator[Find]:
    """The finds of a record whose case files are still there."""
    for verdict in record.verdicts:
        if _FOUND.fullmatch(verdict.case) is None or not verdict.is_fault or verdict.target not in record.targets[:1]:
            continue
        name = verdict.case.partition("/")[0]
        case = _case(folder / FOLDER / f"{name}.toml")
        if case is not None:
            yield Find(name, layer_of(case), case, verdict)


def _case(path: Path) -> Case | None:
    if not path.is_file():
        return None
    sources = read_sources([path], [])
    found = (case for source in sources for entry in read_entries(source) for case in expand(entry, lint=False))
    return next(found, None)
