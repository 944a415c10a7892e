"""The last run of a run's targets: beside it, or the accepted one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.accepted import accepted_for, without_version
from trt_conformance.results.record.record import Record, read_header, read_record, record_path

# The folder of a run begins with its time; a published one with its date.
_RUN = re.compile(r"\d{8}T\d{6}-|\d{4}-\d{2}-\d{2}-")

MOST_FOLDERS = 1000
"""The number of folders beside a run that are searched, those with the latest names."""
MOST_READ = 3
"""The number of earlier runs that are read until one has a check in common."""


class Previous(NamedTuple):
    """An earlier run and where it is; ``is_accepted``: it is the accepted one."""

    path: Path
    record: Record
    is_accepted: bool


def previous_run(folder: Path, record: Record, accepted: Path) -> Previous | None:
    """The latest earlier run, beside a run's folder, of one of its targets on the same kind of device.

    The version of a target may differ. Runs that have no check in common with this one are passed over. Without such a
    run, the accepted run of the same targets; None if there is none. Records that cannot be read do not count.
    """
    for path in [*_beside(folder, record)][:MOST_READ]:
        with suppress(ConformanceError):
            found = read_record(path)
            if _checks(found) & _checks(record):
                return Previous(path, found, False)
    with suppress(ConformanceError):
        path = accepted_for(record, accepted)
        found = read_record(path)
        if _time(found) < _time(record):
            return Previous(path, found, True)
    return None


def _beside(folder: Path, record: Record) -> Iterator[Path]:
    """The records beside a run's folder of its targets and from before it, the latest first."""
    folder = folder.resolve()
    if not _RUN.match(folder.name):
        return
    mine, started = {without_version(target) for target in record.targets}, _time(record)
    try:
        names = sorted(path.name for path in folder.parent.iterdir() if _RUN.match(path.name))
    except OSError:
        return
    found = []
    for name in names[-MOST_FOLDERS:]:
        path = record_path(folder.parent / name) if name != folder.name else None
        if path is not None:
            with suppress(ConformanceError):
                header = read_header(path)
                when = datetime.fromisoformat(header.started)
                if mine & {without_version(target) for target in header.targets} and when <= started:
                    found.append((when, name, path))
    yield from (path for when, name, path in sorted(found, reverse=True) if (when, name) < (started, folder.name))


def _checks(record: Record) -> set[tuple[str, str]]:
    return {(verdict.case, verdict.check) for verdict in record.verdicts if verdict.target in record.targets}


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(record.header.started)
