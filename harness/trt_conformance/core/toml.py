"""TOML with positions: tomli parses a document, and this module finds the line of each of its keys.

tomli is the parser of the standard library, compiled: long case files are read several times faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import tomli

from trt_conformance.core.errors import TomlError

KeyPath = tuple[str | int, ...]
"""Keys and array indices from the document's top: ``("case", 3, "set", "stride_nd")``."""

_POSITION = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")

MAX_DEPTH = 64
"""How deep tables and arrays may be nested, and how many parts a dotted key may have. Parsers recurse once a level."""

MAX_CHARACTERS = 32_000_000
"""How long a document may be: Python values take up to 30 times the memory of their text."""


def parse(text: str) -> dict[str, Any]:
    """Return the document as Python values. Raises TomlError with the line of the first error."""
    if len(text) > MAX_CHARACTERS:
        raise TomlError(1, f"the document has {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
    _refuse_deep_nesting(text)
    try:
        document: dict[str, Any] = tomli.loads(text)
    except RecursionError:
        raise TomlError(1, "tables or arrays are nested too deeply") from None
    except tomli.TOMLDecodeError as error:
        message = str(error)
        found = _POSITION.search(message)
        if found is None:
            raise TomlError(1, message) from None
        line = int(found[1]) if found[1] else len(text.splitlines()) or 1
        raise TomlError(line, message[: found.start()]) from None
    except ValueError:
        # int() refuses thousands of digits, with a message about the interpreter's limit.
        raise TomlError(1, "a number has too many digits") from None
    _refuse_unusable_values(text, document)
    return document


# Strings that are not closed match as well, up to the end of their line or of the text: a pattern that failed on them
# would take quadratic time.
_STRING_OR_COMMENT = re.compile(
    r'"""[^"\\]*(?:(?:\\.?|"{1,2}(?!"))[^"\\]*)*(?:"{3,5}|\Z)'
    r"|'''.*?(?:'{3,5}|\Z)"
    r'|"[^"\\\n]*(?:\\[^\n]?[^"\\\n]*)*"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*",
    re.DOTALL,
)
_BRACKET = re.compile(r"[\[\]{}]")
_KEY_OR_NUMBER = re.compile(r'[\w\-". \t]+')


def _refuse_deep_nesting(text: str) -> None:
    """Raise TomlError before a parser meets nesting on which it would recurse, or take quadratic time."""
    bare = _without_strings(text)
    depth, deep = 0, len(bare)
    for found in _BRACKET.finditer(bare):
        if found[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                deep = found.start()
                break
        else:
            depth = max(0, depth - 1)
    place = min(deep, next(_long_keys(bare), deep))
    if place < len(bare):
        line = bare.count("\n", 0, place) + 1
        raise TomlError(line, f"tables or arrays are nested too deeply: at most {MAX_DEPTH} levels are allowed")


def _without_strings(text: str) -> str:
    """The document without comments, and with an empty string for each string; every line keeps its number."""
    return _STRING_OR_COMMENT.sub(lambda found: '""' + "\n" * found[0].count("\n"), text)


def _long_keys(bare: str) -> Iterator[int]:
    """Where a dotted key has too many parts."""
    start = 0
    for line in bare.split("\n"):
        if line.count(".") >= MAX_DEPTH:
            for found in _KEY_OR_NUMBER.finditer(line):
                if found[0].count(".") >= MAX_DEPTH:
                    yield start + found.start()
        start += len(line) + 1


def _refuse_unusable_values(text: str, document: dict[str, Any]) -> None:
    """Raise TomlError at an integer beyond 64 bits, or where headers and values together nest too deeply."""
    level: list[Any] = [document]
    depth = 0
    while level:
        if depth > 2 * MAX_DEPTH:
            raise TomlError(1, f"tables or arrays are nested too deeply: at most {2 * MAX_DEPTH} levels are allowed")
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, int) and not -(2**63) <= value < 2**63:
                line = KeyLines(text).line(_first_too_large(document))
                raise TomlError(line, "an integer does not fit in the 64 bits that TOML allows")
        level, depth = below, depth + 1


def _first_too_large(value: Any, path: KeyPath = ()) -> KeyPath:
    """The path of an integer beyond 64 bits; nothing if there is none."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next(filter(None, (_first_too_large(part, (*path, key)) for key, part in parts)), ())


class KeyLines:
    """Finds the line of each key, table and array element of a document that `parse` accepts."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return _Scanner(self._text).lines

    @cached_property
    def _headers(self) -> dict[str, list[int]]:
        """The lines of the ``[[tables]]`` of each array: all that a long list of cases without a fault needs."""
        lines: dict[str, list[int]] = {}
        for number, line in enumerate(_without_strings(self._text).split("\n"), start=1):
            if not line.lstrip().startswith("[["):
                continue
            if found := _HEADER.match(line):
                lines.setdefault(found[1], []).append(number)
            elif '"' in line:  # a quoted name, which may be that of any array
                return {}
        return lines

    def line(self, path: KeyPath) -> int:
        """Return the line, from 1, of ``path`` or of its longest prefix that is in the document."""
        if len(path) == 2 and isinstance(path[1], int) and path[1] < len(self._headers.get(str(path[0]), ())):
            return self._headers[str(path[0])][path[1]]
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines[path] if path else 1


_HEADER = re.compile(r"[ \t]*\[\[[ \t]*(?!(?:true|false|inf|nan)\b)([A-Za-z_-]+)[ \t]*\]\]")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:("(?:[^"\\]|\\.)*"|'[^']*')|([^\s.=\]"']+))[ \t]*""")
# A value that needs no closer look: a string, a flat array on one line, or a scalar.
_PLAIN = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"{1,2}(?!"))[^"\\]*)*"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"[^"\\]*(?:\\.[^"\\]*)*"'
    r"|'[^']*'"
    r"""|\[[^\[\]{}"'#\n]*\]"""
    r"""|[^\[{"',\]}#\s][^,\]}#\n]*""",
    re.DOTALL,
)


class _Scanner:
    """Walks a valid document once and records where each path begins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._tables: dict[KeyPath, int] = {}  # how many [[tables]] an array has so far
        self._counted = 0
        self._line = 1
        self._document()

    def _document(self) -> None:
        table: KeyPath = ()
        while self._next():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._assignment(table)

    def _next(self) -> str:
        """Skip blanks and comments. Return the next character, or an empty string at the end."""
        self.at = _end(_BLANK, self.text, self.at)
        return self.text[self.at : self.at + 1]

    def _note(self, path: KeyPath, start: int) -> None:
        """Record the line of ``path``, and of each table above it that has no line yet."""
        self._line += self.text.count("\n", self._counted, start)
        self._counted = start
        self.lines[path] = self._line
        while (path := path[:-1]) and path not in self.lines:
            self.lines[path] = self._line

    def _header(self) -> KeyPath:
        start = self.at
        brackets = 2 if self.text.startswith("[[", start) else 1
        self.at += brackets
        keys = self._keys()
        self.at += brackets
        path: KeyPath = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        path = (*path, keys[-1])
        if brackets == 2:
            index = self._tables.get(path, 0)
            self._tables[path] = index + 1
            path = (*path, index)
        self._note(path, start)
        return path

    def _assignment(self, table: KeyPath) -> None:
        start = self.at
        path = (*table, *self._keys())
        self._note(path, start)
        self.at += 1  # the equals sign
        self._next()
        self._value(path)

    def _keys(self) -> list[str]:
        """Read the parts of a dotted key; leaves ``at`` after it."""
        keys = []
        while True:
            found = _KEY.match(self.text, self.at)
            if found is None:
                raise ValueError(f"no key at offset {self.at}")
            quoted, bare = found.groups()
            keys.append(bare or next(iter(parse(f"{quoted} = 0"))))
            self.at = found.end()
            if self.text[self.at : self.at + 1] != ".":
                return keys
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        end = _end(_PLAIN, self.text, self.at)
        if end > self.at:
            self.at = end
            return
        closing = "]" if self.text[self.at] == "[" else "}"
        self.at += 1
        index = 0
        while self._next() not in (closing, ""):
            if closing == "}":
                self._assignment(path)
            else:
                self._note((*path, index), self.at)
                self._value((*path, index))
                index += 1
            if self._next() == ",":
                self.at += 1
        self.at += 1


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start
