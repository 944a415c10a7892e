"""A TOML file of the suite as text, with the line of every key and the faults found in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.errors import ConformanceError, TomlError
from trt_conformance.core.paths import display
from trt_conformance.core.toml import KeyLines, KeyPath, parse
from trt_conformance.core.words import counted, one_line

MAX_BYTES = 32_000_000
MAX_FAULTS = 500
"""After this many faults a file is not read further: one mistake is repeated, or it is not a file of this suite."""
MAX_MESSAGE = 600
MAX_NAMED = 3
MAX_CASE_NAME = 120


@dataclass(frozen=True, order=True)
class Fault:
    """One mistake in a file.

    ``cases`` are the cases that inherit it from the file's defaults, and ``case`` is the one whose own it is; both by
    their ids without precision.
    """

    file: str
    line: int
    message: str
    cases: tuple[str, ...] = ()
    case: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}{self._inherited()}"

    def _inherited(self) -> str:
        if not self.cases:
            return ""
        more = len(self.cases) - MAX_NAMED
        names = ", ".join(self.cases[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f" (from [defaults], in {'case' if len(self.cases) == 1 else 'cases'} {names})"


class CaseFileError(ConformanceError):
    """Files with faults: all of them, in the order of files and lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__(self.faults)

    def __str__(self) -> str:
        files = len({fault.file for fault in self.faults})
        count = f"{counted(len(self.faults), 'fault')} in {counted(files, 'file')}"
        return "\n".join([*map(str, self.faults), count])


@dataclass(frozen=True)
class Source:
    """A TOML file that could be read, the folder of cases that it belongs to, and the faults found in it."""

    file: str
    stem: str
    text: str
    document: dict[str, Any]
    path: Path = Path()
    folder: CaseFolder = SUITE
    _faults: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    _cases: dict[tuple[int, str], str] = field(default_factory=dict)

    @cached_property
    def _lines(self) -> KeyLines:
        return KeyLines(self.text)

    @property
    def faults(self) -> list[Fault]:
        """The faults found so far, each once."""
        return [Fault(self.file, *key, tuple(cases), self._cases.get(key, "")) for key, cases in self._faults.items()]

    def line(self, path: KeyPath) -> int:
        """Return the line, from 1, of a key or of its longest prefix in the file."""
        return self._lines.line(path)

    def fault(self, path: KeyPath, message: str, case: str | None = None) -> None:
        """Record a fault at a key; ``case`` is the case that inherits it from the file's defaults.

        Raises:
            CaseFileError: the file has `MAX_FAULTS` faults; with all of them.
        """
        key = self.line(path), one_line(message, MAX_MESSAGE)
        cases = self._faults.setdefault(key, [])
        if len(path) > 1 and path[0] == "case":
            self._cases.setdefault(key, f"{self.stem}/{self.document['case'][path[1]].get('id', '')}")
        if case is not None and (name := one_line(case, MAX_MESSAGE)[:MAX_CASE_NAME]) not in cases:
            cases.append(name)
        if len(self._faults) > MAX_FAULTS:
            del self._faults[next(reversed(self._faults))]
            last = Fault(self.file, 1, f"has more than {MAX_FAULTS} faults: the others are not listed")
            raise CaseFileError([last, *self.faults])


def name_of(path: Path) -> str:
    """Return the name of a file as messages show it."""
    return one_line(display(path), MAX_MESSAGE)


def read_text(path: Path) -> str:
    """Return the text of a regular file of at most `MAX_BYTES` in UTF-8.

    Raises:
        CaseFileError: with the one reason why the file cannot be used.
    """
    try:
        # A FIFO would block on opening: what kind of file it is is asked first.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _refused(path, "is a directory, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "is not a regular file")
        if status.st_size > MAX_BYTES:
            size = f"{status.st_size / 1e6:.1f} MB"
            raise _refused(path, f"is too large: {size}, but at most {MAX_BYTES / 1e6:g} MB are allowed; split it")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _refused(path, f"is not UTF-8: byte 0x{raw[error.start]:02x}", line) from None


def read_source(path: Path, folder: CaseFolder = SUITE) -> Source:
    """Read and parse a TOML file of a folder of cases.

    Raises:
        CaseFileError: with the one reason why the file cannot be used.
    """
    text = read_text(path)
    if text.startswith("\ufeff"):
        raise _refused(path, "begins with a byte order mark: save it as UTF-8 without one")
    try:
        return Source(name_of(path), path.stem, text, parse(text), path, folder)
    except TomlError as error:
        raise _refused(path, f"is not valid TOML: {error}", error.line) from None


def read_sources(paths: Iterable[Path], faults: list[Fault], folder: CaseFolder = SUITE) -> list[Source]:
    """Read the files that can be read. The faults of the others are added to ``faults``."""
    sources = []
    for path in paths:
        try:
            sources.append(read_source(path, folder))
        except CaseFileError as error:
            faults += error.faults
    return sources


def toml_files(root: Path) -> list[Path]:
    """Return every ``*.toml`` below a folder in order, following links to folders. Hidden folders are left out.

    Raises:
        CaseFileError: a folder cannot be read, or a link leads back to a folder that contains it.
    """
    return sorted(path for path in _files(root, frozenset()) if path.suffix == ".toml")


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    try:
        here = os.path.realpath(folder)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        for entry in entries:
            path = folder / entry.name
            if path.suffix != ".toml" and entry.is_dir():
                if entry.name.startswith("."):
                    continue
                if os.path.realpath(path) in above | {here}:
                    raise _refused(path, "is a link to a folder that contains it")
                yield from _files(path, above | {here})
            else:
                yield path
    except OSError as error:
        raise _refused(folder, f"cannot be read: {error.strerror}") from None


def _refused(path: Path, message: str, line: int = 1) -> CaseFileError:
    return CaseFileError([Fault(name_of(path), line, one_line(message, MAX_MESSAGE))])
