"""The run record: JSON Lines, a header, a verdict a line, and a closing line.

Each line is flushed when written, so that a killed run leaves a valid record without its closing line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import replacing
from trt_conformance.core.verdict import REFERENCE, Verdict
from trt_conformance.results.record import schema as record_schema
from trt_conformance.results.record.schema import SCHEMA_VERSION

FILE_NAME = "record.jsonl"


class RecordWriter:
    """Writes one run's record into ``<root>/<time>-<targets>/record.jsonl``."""

    def __init__(
        self, root: Path, targets: Sequence[str], environment: Mapping[str, Any], shard: Mapping[str, Any] | None = None
    ) -> None:
        now = datetime.now(timezone.utc)
        name = f"{now:%Y%m%dT%H%M%S}-{'+'.join(targets) or 'reference'}"
        self.folder = _fresh(root, name)
        self._file: BinaryIO = self.path.open("wb")
        self._line(
            {
                "kind": "run",
                "schema_version": SCHEMA_VERSION,
                "started": now.isoformat(timespec="seconds"),
                "targets": list(targets),
                "environment": dict(environment),
                **({"shard": dict(shard)} if shard else {}),
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
        self._file.write(_encoded(entry))
        self._file.flush()


def _encoded(entry: Mapping[str, Any]) -> bytes:
    try:
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False)
    except ValueError:
        line = json.dumps(_finite(entry), ensure_ascii=False, allow_nan=False)
    # What no UTF-8 can carry (half a surrogate pair in a target's message) becomes JSON's own escape.
    return (line + "\n").encode("utf-8", "backslashreplace")


def _finite(value: Any) -> Any:
    """JSON has no infinities and no NaN: they are written as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value


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

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that were asked for or answered; the suite's own data is none."""
        every = dict.fromkeys((*self.header["targets"], *(v.target for v in self.verdicts)))
        return tuple(name for name in every if name != REFERENCE)


def save(folder: Path, record: Record) -> Path:
    """Write a record into a folder, whole or not at all. Returns its path.

    Raises:
        ConformanceError: it cannot be written there.
    """
    path = folder / FILE_NAME
    entries = [record.header, *({"kind": "verdict", **verdict.to_json()} for verdict in record.verdicts)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.writelines(map(_encoded, [*entries, record.end] if record.end else entries))
    except OSError as fault:
        raise ConformanceError(f"{folder}: cannot be written: {fault.strerror or fault}") from None
    return path


RENAMED_CHECKS = {"ways": "execution_modes"}
"""Names that checks have in older records, and their present names: runs before and after a renaming compare."""

_FIELDS = frozenset(field.name for field in fields(Verdict))


def read(path: Path) -> Record:
    """Read a record, or the one in a run's folder. A last line cut short by a kill is dropped.

    Raises:
        ConformanceError: the file is missing, no run record, damaged, or of another schema.
    """
    if path.is_dir():
        path = path / FILE_NAME
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise ConformanceError(f"{path}: cannot be read: {fault.strerror or fault}") from None
    entries = list(_entries(path, content)) if content else []
    if not entries or entries[0][1].get("kind") != "run":
        raise ConformanceError(f"{path}: no run record: its first line is no header")
    version = entries[0][1].get("schema_version")
    if version != SCHEMA_VERSION:
        raise ConformanceError(f"{path}: schema version {version}; this program reads {SCHEMA_VERSION}")
    verdicts: list[Verdict] = []
    end: dict[str, Any] | None = None
    for place, (number, entry) in enumerate(entries):
        kind = entry.get("kind")
        problem = record_schema.fault(entry)
        if problem:
            raise ConformanceError(f"{path}:{number}: {problem}")
        if end is not None or (kind == "run") != (place == 0):
            raise ConformanceError(f"{path}:{number}: a line of kind {kind!r} in this place: more than one record?")
        if kind == "verdict":
            verdicts.append(_verdict(entry))
        elif kind == "end":
            end = entry
    return Record(entries[0][1], tuple(verdicts), end)


def _entries(path: Path, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and object. Only a newline ends a line: JSON text may hold other line separators."""
    lines = content.removesuffix(b"\n").split(b"\n")
    cut = len(lines) if len(lines) > 1 and not content.endswith(b"\n") else 0
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError) as fault:
            if number == cut:
                return
            what = "not UTF-8" if isinstance(fault, UnicodeDecodeError) else "no JSON"
            raise ConformanceError(f"{path}:{number}: {what}, so no run record: {fault}") from None
        if not isinstance(entry, dict):
            raise ConformanceError(f"{path}:{number}: no JSON object, so no run record")
        yield number, entry


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _verdict(entry: Mapping[str, Any]) -> Verdict:
    given = {key: value for key, value in entry.items() if key in _FIELDS}
    check = given.get("check", "")
    given |= {"check": RENAMED_CHECKS.get(check, check), "claims": tuple(given.get("claims", ()))}
    return Verdict(**given)
