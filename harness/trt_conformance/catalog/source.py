"""A case file as text with the line of every key, and the faults found in it."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trt_conformance.core.errors import ConformanceError, TomlError
from trt_conformance.core.paths import relative
from trt_conformance.core.toml import KeyLines, KeyPath, parse
from trt_conformance.core.words import counted

MAX_BYTES = 1_000_000


@dataclass(frozen=True, order=True)
class Fault:
    """Something wrong in a file, said so that a person can mend it."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class CaseFileError(ConformanceError):
    """Files with faults: every one of them, in the order of files and lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__(self.faults)

    def __str__(self) -> str:
        files = len({fault.file for fault in self.faults})
        count = f"{counted(len(self.faults), 'fault')} in {counted(files, 'file')}"
        return "\n".join([*map(str, self.faults), count])


@dataclass(frozen=True)
class Source:
    """A TOML file that could be read, and the faults found in it."""

    file: str
    stem: str
    text: str
    document: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)

    @cached_property
    def _lines(self) -> KeyLines:
        return KeyLines(self.text)

    def line(self, path: KeyPath) -> int:
        return self._lines.line(path)

    def fault(self, path: KeyPath, message: str) -> None:
        self.faults.append(Fault(self.file, self.line(path), message))


def read(path: Path) -> Source:
    """Read a file of at most `MAX_BYTES`. Raises CaseFileError with the one reason why it cannot be used."""
    # The parent's name is resolved, not the file's own: a link is called what people see.
    file = f"{relative(path.parent)}/{path.name}"

    def refused(message: str, line: int = 1) -> CaseFileError:
        return CaseFileError([Fault(file, line, message)])

    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise refused("is a directory, not a file" if stat.S_ISDIR(status.st_mode) else "is no regular file")
        if status.st_size > MAX_BYTES:
            raise refused(f"has {status.st_size / 1e6:.1f} MB, more than the {MAX_BYTES / 1e6:g} MB allowed: split it")
        raw = path.read_bytes()
    except OSError as error:
        raise refused(f"cannot be read: {error.strerror}") from None
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise refused(f"is not UTF-8: byte 0x{raw[error.start]:02x}", line) from None
    if text.startswith("\ufeff"):
        raise refused("begins with a byte order mark: save it as UTF-8 without one")
    try:
        return Source(file, path.stem, text, parse(text))
    except TomlError as error:
        raise refused(f"is no valid TOML: {error}", error.line) from None
