"""The run record: a JSON Lines file with a header, one line for each verdict, and a closing line.

Each line is flushed when it is written, so that a killed run leaves a valid record without its closing line. A finished
record may be compressed with gzip (RFC 1952), which makes it about 20 times smaller; every command reads both.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.check_names import RENAMED_CHECKS
from trt_conformance.core.errors import ConformanceError, JsonError
from trt_conformance.core.files import encodable, replacing
from trt_conformance.core.json import finite, parse_strict
from trt_conformance.core.verdict import REFERENCE, Verdict
from trt_conformance.core.words import shown
from trt_conformance.results.record.schema import SCHEMA_VERSION, EndLine, LineFault, ListedFolder, RunLine, validated

FILE_NAME = "record.jsonl"
COMPRESSED_NAME = "record.jsonl.gz"
EXPECTED = f"the folder of a run, or its {FILE_NAME}"
"""What a path to a record names."""
MAX_BYTES = 1 << 30
"""The largest decompressed record that is read: some two million verdicts."""
MAX_NESTING = 2
"""Levels of folders in which records are looked for."""
MAX_HEADER = 1 << 24
"""The longest first line that is read alone, in bytes."""
GZIP_MAGIC = b"\x1f\x8b"
CHECK_VARIABLE = "TRT_CONFORMANCE_CHECK_RECORD"
"""An environment variable; if it is set, `RecordWriter` raises LineFault for a line that the schema refuses.

The suite's own tests set it. A user's run does not: its verdicts must reach the record even if a figure is malformed.
"""


class RecordWriter:
    """Writes one run's record into ``<root>/<time>-<targets>/record.jsonl``."""

    def __init__(
        self,
        root: Path,
        targets: Sequence[str],
        environment: Mapping[str, Any],
        shard: Mapping[str, Any] | None = None,
        folders: Sequence[CaseFolder] = (SUITE,),
        goldens: Mapping[str, str] | None = None,
    ) -> None:
        """Start the record.

        ``folders`` are those of the cases; they are listed unless they are the suite's own. ``goldens``: the sums of
        the suite's goldens, if they are compared with.
        """
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
                **({"case_folders": [_listed(folder) for folder in folders]} if tuple(folders) != (SUITE,) else {}),
                **({"goldens": dict(goldens)} if goldens else {}),
            }
        )

    @classmethod
    def continuing(cls, folder: Path, record: Record) -> RecordWriter:
        """Continue the record of a run's folder, without its closing line.

        Raises:
            ConformanceError: it cannot be written there.
        """
        writer = cls.__new__(cls)
        writer.folder = folder
        save_record(folder, replace(record, end=None))
        writer._file = writer.path.open("ab")
        return writer

    @property
    def path(self) -> Path:
        return self.folder / FILE_NAME

    def write(self, verdict: Verdict) -> None:
        self._line({"kind": "verdict", **verdict.to_json()})

    def close(self, summary: Mapping[str, Any]) -> None:
        """Write the closing line. The record of a run that was killed does not have one."""
        ended = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._line({"kind": "end", "ended": ended, **summary})
        self._file.close()

    def _line(self, entry: Mapping[str, Any]) -> None:
        line = _encoded(entry)
        if os.environ.get(CHECK_VARIABLE):
            validated(parse_strict(line))
        try:
            self._file.write(line)
            self._file.flush()
        except OSError:
            with suppress(OSError):  # closing writes what is left, which fails again
                self._file.close()
            raise


def _listed(folder: CaseFolder) -> dict[str, str | None]:
    path = None if folder.is_suite else str(folder.path)
    return {"path": path, "golden": None if folder == SUITE else str(folder.golden)}


def _encoded(entry: Mapping[str, Any]) -> bytes:
    try:
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False)
    except ValueError:
        line = json.dumps(finite(entry), ensure_ascii=False, allow_nan=False)
    # Half a surrogate pair in a target's message cannot be encoded as UTF-8: JSON has an escape for it.
    return (line + "\n").encode("utf-8", "backslashreplace")


def _fresh(root: Path, name: str) -> Path:
    """A new folder. Runs that start in the same second get a number after the name."""
    name = encodable(name)
    for attempt in range(1, 1000):
        folder = root / (name if attempt == 1 else f"{name}.{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise ConformanceError(f"{root / name}: there are too many folders of this name")


def _folder(listed: ListedFolder) -> CaseFolder:
    path = SUITE.path if listed.path is None else Path(listed.path)
    return CaseFolder.at(path, None if listed.golden is None else Path(listed.golden))


@dataclass(frozen=True)
class Record:
    """A run record that was read back. ``end`` is None if the run was killed."""

    header: RunLine
    verdicts: tuple[Verdict, ...]
    end: EndLine | None

    @property
    def folders(self) -> tuple[CaseFolder, ...]:
        """The folders of the cases, as they were given: relative ones from the folder in which the run started."""
        listed = self.header.case_folders
        return tuple(map(_folder, listed)) or (SUITE,)

    @property
    def complete(self) -> bool:
        """Whether the run ran all its tests: it was neither killed nor stopped."""
        return self.end is not None and not self.end.stopped

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The targets that were requested or have a verdict, without the suite's own data."""
        every = dict.fromkeys((*self.header.targets, *(v.target for v in self.verdicts)))
        return tuple(name for name in every if name != REFERENCE)


def record_path(folder: Path) -> Path | None:
    """The record in a run's folder, compressed or not; None if there is none."""
    paths = (folder / FILE_NAME, folder / COMPRESSED_NAME)
    return next((path for path in paths if path.exists()), None)


def record_paths(paths: Sequence[Path]) -> list[Path]:
    """The records that paths stand for, each once: records, runs' folders, or folders that contain such folders.

    Any other path is returned unchanged, so that reading it reports what is wrong.

    Raises:
        ConformanceError: a folder contains no run record.
    """
    return list({record.resolve(): record for path in paths for record in _below(path)}.values())


def _below(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if record := record_path(path):
        return [record]
    found = list(_within(path, MAX_NESTING))
    if not found:
        raise ConformanceError(f"{path}: contains no run record: expected {EXPECTED}, or a folder of such folders")
    return found


def _within(path: Path, levels: int) -> Iterator[Path]:
    """The records in the folders below a path, by name; a run's folder contains no other's."""
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and not folder.is_symlink():
            if record := record_path(folder):
                yield record
            elif levels > 1:
                yield from _within(folder, levels - 1)


def save_record(folder: Path, record: Record, *, compressed: bool = False) -> Path:
    """Write a record into a folder, completely or not at all, and return its path. It replaces the folder's record.

    Raises:
        ConformanceError: it cannot be written there.
    """
    path, other = folder / FILE_NAME, folder / COMPRESSED_NAME
    if compressed:
        path, other = other, path
    entries = [record.header.to_json(), *({"kind": "verdict", **verdict.to_json()} for verdict in record.verdicts)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        content = b"".join(map(_encoded, [*entries, record.end.to_json()] if record.end else entries))
        with replacing(path) as temporary:
            temporary.write_bytes(gzip.compress(content, mtime=0) if compressed else content)
        other.unlink(missing_ok=True)
    except OSError as fault:
        raise ConformanceError(f"{folder}: cannot be written: {fault.strerror or fault}") from None
    return path


def read_record(path: Path) -> Record:
    """Read a record, or the one in a run's folder, compressed or not. A last line cut short by a kill is dropped.

    Each line is checked against the schema before anything else is done with it.

    Raises:
        ConformanceError: the file cannot be read, or a line is not one of a record of this schema version; the
            message names file and line.
    """
    if path.is_dir():
        found = record_path(path)
        if found is None:
            inner = next(_within(path, MAX_NESTING), None)
            hint = f"; it contains folders of runs: name one, such as {inner.parent}" if inner else ""
            raise ConformanceError(f"{path}: contains no run record: expected {EXPECTED}{hint}")
        path = found
    content = record_content(path)
    header: RunLine | None = None
    verdicts: list[Verdict] = []
    end: EndLine | None = None
    for number, entry in _entries(path, content):
        if header is None:
            _check_header(path, entry)
        try:
            line = validated(entry)
        except LineFault as fault:
            raise ConformanceError(f"{path}:{number}: {fault}") from None
        if end is not None or isinstance(line, RunLine) != (header is None):
            raise ConformanceError(f"{path}:{number}: unexpected line of kind {line.kind!r}: more than one record?")
        if isinstance(line, RunLine):
            header = line
        elif isinstance(line, EndLine):
            end = line
        else:
            verdicts.append(_verdict(entry))
    if header is None:
        raise ConformanceError(f"{path}:1: not a run record: the file is empty")
    return Record(header, tuple(verdicts), end)


def read_header(path: Path) -> RunLine:
    """Read the first line of a record's file alone, compressed or not.

    Raises:
        ConformanceError: the file cannot be read, or does not begin with the header of a record.
    """
    try:
        with path.open("rb") as file:
            compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        with gzip.open(path, "rb") if compressed else path.open("rb") as file:
            line = validated(parse_strict(file.readline(MAX_HEADER)))
    except (OSError, EOFError, zlib.error, JsonError, LineFault) as fault:
        raise ConformanceError(f"{path}:1: not a run record: {fault}") from None
    if not isinstance(line, RunLine):
        raise ConformanceError(f"{path}:1: not a run record: its first line is not a header")
    return line


def record_content(path: Path) -> bytes:
    """The lines of a record's file, decompressed.

    Raises:
        ConformanceError: the file cannot be read or decompressed.
    """
    try:
        if not path.exists():
            raise ConformanceError(f"{path}: no such file or folder: expected {EXPECTED}")
        if not path.is_file():
            raise ConformanceError(f"{path}: not a regular file")
        content = path.read_bytes()
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        raise ConformanceError(f"{path}: cannot be read: {getattr(fault, 'strerror', None) or fault}") from None
    return _decompressed(path, content) if content.startswith(GZIP_MAGIC) else content


def _decompressed(path: Path, content: bytes) -> bytes:
    """The content of a gzip file of one member, at most MAX_BYTES."""
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        text = stream.decompress(content, MAX_BYTES)
    except zlib.error as fault:
        raise ConformanceError(f"{path}: corrupt gzip file: {fault}") from None
    if stream.unconsumed_tail:
        raise ConformanceError(f"{path}: larger than {MAX_BYTES >> 30} GiB when decompressed")
    if not stream.eof:
        raise ConformanceError(f"{path}: incomplete gzip file: its end is missing")
    if stream.unused_data:
        raise ConformanceError(f"{path}: there is data after the end of the gzip file")
    return text


def _check_header(path: Path, entry: Mapping[str, Any]) -> None:
    if entry.get("kind") != "run":
        raise ConformanceError(f"{path}:1: not a run record: its first line is not a header")
    version = entry.get("schema_version")
    if version != SCHEMA_VERSION:
        is_newer = isinstance(version, int) and version > SCHEMA_VERSION
        hint = ": read it with the trt-conformance that wrote it, or a newer one" if is_newer else ""
        raise ConformanceError(f"{path}:1: schema version {shown(version)}; this program reads {SCHEMA_VERSION}{hint}")


def _entries(path: Path, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and object. Only a newline ends a line: JSON text may contain other line separators."""
    if not content:
        return
    lines = content.removesuffix(b"\n").split(b"\n")
    cut = len(lines) if len(lines) > 1 and not content.endswith(b"\n") else 0
    for number, line in enumerate(lines, start=1):
        try:
            entry = parse_strict(line)
        except JsonError as fault:
            if number == cut:
                return
            raise ConformanceError(f"{path}:{number}: not a line of a run record: {fault}") from None
        if not isinstance(entry, dict):
            raise ConformanceError(f"{path}:{number}: not a line of a run record: not a JSON object")
        yield number, entry


def _verdict(entry: Mapping[str, Any]) -> Verdict:
    """The verdict, with the present name of its check, so that runs before and after a renaming compare."""
    check = entry.get("check", "")
    return Verdict.from_json({**entry, "check": RENAMED_CHECKS.get(check, check)})
