"""The run record: JSON Lines, a header, a verdict a line, and a closing line.

Each line is flushed when written, so that a killed run leaves a valid record without its closing line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from harness.errors import ConformanceError
from harness.verdict import Verdict

SCHEMA_VERSION = 1
FILE_NAME = "record.jsonl"


class RecordWriter:
    """Writes one run's record into ``<root>/<time>-<targets>/record.jsonl``."""

    def __init__(self, root: Path, targets: Sequence[str], environment: Mapping[str, Any]) -> None:
        now = datetime.now(timezone.utc)
        name = f"{now:%Y%m%dT%H%M%S}-{'+'.join(targets) or 'reference'}"
        self.folder = _fresh(root, name)
        self._file: TextIO = (self.folder / FILE_NAME).open("w", encoding="utf-8")
        self._line(
            {
                "kind": "run",
                "schema_version": SCHEMA_VERSION,
                "started": now.isoformat(timespec="seconds"),
                "targets": list(targets),
                "environment": dict(environment),
            }
        )

    @property
    def path(self) -> Path:
        return self.folder / FILE_NAME

    def write(self, verdict: Verdict) -> None:
        self._line({"kind": "verdict", **verdict.to_json()})

    def close(self, summary: Mapping[str, Any]) -> None:
        """Write the closing line; a record without one belongs to a run that was killed."""
        ended = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._line({"kind": "end", "ended": ended, **summary})
        self._file.close()

    def _line(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()


def _fresh(root: Path, name: str) -> Path:
    """A new folder; runs that start in the same second are told apart by a number."""
    for attempt in range(1, 1000):
        folder = root / (name if attempt == 1 else f"{name}.{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise ConformanceError(f"cannot make a new folder {root / name}")


@dataclass(frozen=True)
class Record:
    """A run record read back. ``complete`` is False where the run was killed."""

    header: dict[str, Any]
    verdicts: tuple[Verdict, ...]
    end: dict[str, Any] | None

    @property
    def complete(self) -> bool:
        return self.end is not None


_FIELDS = frozenset(field.name for field in fields(Verdict))


def read(path: Path) -> Record:
    """Read a record, or the one in a run's folder. A last line cut short by a kill is dropped.

    Raises:
        ConformanceError: the file is missing, no run record, or of a newer schema.
    """
    if path.is_dir():
        path = path / FILE_NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise ConformanceError(f"{path}: cannot be read: {fault}") from None
    entries = list(_entries(path, lines))
    if not entries or entries[0].get("kind") != "run":
        raise ConformanceError(f"{path}: no run record: its first line is no header")
    if entries[0].get("schema_version") != SCHEMA_VERSION:
        raise ConformanceError(
            f"{path}: schema version {entries[0].get('schema_version')}; this program reads {SCHEMA_VERSION}"
        )
    verdicts, end = [], None
    for number, entry in enumerate(entries[1:], start=2):
        if entry.get("kind") == "verdict":
            verdicts.append(_verdict(path, number, entry))
        elif entry.get("kind") == "end":
            end = entry
        else:
            raise ConformanceError(f"{path}:{number}: a line of unknown kind {entry.get('kind')!r}")
    return Record(entries[0], tuple(verdicts), end)


def _entries(path: Path, lines: list[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines) > 1:
                return
            raise ConformanceError(f"{path}:{number}: no JSON") from None
        if not isinstance(entry, dict):
            raise ConformanceError(f"{path}:{number}: no JSON object")
        yield entry


def _verdict(path: Path, number: int, entry: Mapping[str, Any]) -> Verdict:
    given = {key: value for key, value in entry.items() if key in _FIELDS}
    try:
        return Verdict(**given | {"claims": tuple(given.get("claims", ()))})
    except TypeError as fault:
        raise ConformanceError(f"{path}:{number}: no verdict: {fault}") from None
