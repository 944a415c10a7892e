"""The line of every key: what tomli reads, the scanner must place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trt_conformance.core.errors import TomlError
from trt_conformance.core.paths import CASES
from trt_conformance.core.toml import KeyLines, KeyPath, _Scanner, parse

NASTY = '''\
# a comment with [brackets] and "quotes" = 1
top = 1  # key = "no"
"quoted key" = 'lit # eral'
'literal "key"' = "basic \\" # \\\\"
"esc\\u0061ped" = 2
site."example.com".name = "dotted"
multi = """
fake = 1
[[case]]
""two quotes"" and \\""" escaped
"""
after = 1
ends_in_quotes = """five"""""
literal_multi = \'\'\'
[fake]
''two\'\'\'\'\'
after_literal = 1
empty = ""
empty_multi = """"""
date = 1979-05-27 07:32:00
numbers = [
    1,  # one ]
    2,
    # [
    [3, 4], [
        5,
    ],
]
tables = [
    { a = 1, b = [1, 2] },
    { a = "}", "b c" = """
x
""", c = 3 },
]
inline = { x = 1, y.z = { w = 2 } }
nothing = {}
none = []

[ spaced . "key" ]  # header comment
inner = 1
[[case]]
id = "a"
set.stride_nd = [2, 2]
set.padding_nd = [1, 1]
[case.dynamic]
run = [[1, 2],
       [3, 4]]
[[case.part]]
n = 1
[[case.part]]
n = 2
[case.part.deep.er]
n = 3
[[case]]

id = "b"
[[case.part]]
n = 4

[late.sub]
x = 1
[late]
y = 1
'''

PLACES: list[tuple[KeyPath, str]] = [
    (("top",), "top = 1"),
    (("quoted key",), '"quoted key"'),
    (('literal "key"',), "'literal"),
    (("escaped",), '"esc'),
    (("site",), "site."),
    (("site", "example.com", "name"), "site."),
    (("multi",), "multi ="),
    (("after",), "after ="),
    (("ends_in_quotes",), "ends_in_quotes"),
    (("literal_multi",), "literal_multi"),
    (("after_literal",), "after_literal"),
    (("date",), "date"),
    (("numbers",), "numbers"),
    (("numbers", 0), "    1,"),
    (("numbers", 1), "    2,"),
    (("numbers", 2), "    [3, 4]"),
    (("numbers", 2, 1), "    [3, 4]"),
    (("numbers", 3), "    [3, 4]"),
    (("numbers", 3, 0), "        5,"),
    (("tables", 0, "b"), "    { a = 1"),
    (("tables", 1, "b c"), '    { a = "}"'),
    (("tables", 1, "c"), '""", c = 3'),
    (("inline", "y", "z", "w"), "inline"),
    (("spaced", "key"), "[ spaced"),
    (("spaced", "key", "inner"), "inner"),
    (("case", 0, "id"), 'id = "a"'),
    (("case", 0, "set", "padding_nd"), "set.padding_nd"),
    (("case", 0, "set"), "set.stride_nd"),
    (("case", 0, "dynamic"), "[case.dynamic]"),
    (("case", 0, "dynamic", "run", 0), "run ="),
    (("case", 0, "dynamic", "run", 1), "       [3, 4]"),
    (("case", 0, "part", 1, "n"), "n = 2"),
    (("case", 0, "part", 1, "deep", "er"), "[case.part.deep.er]"),
    (("case", 1, "id"), 'id = "b"'),
    (("case", 1, "part", 0, "n"), "n = 4"),
    (("late", "sub"), "[late.sub]"),
    (("late",), "[late]"),
]


@pytest.mark.parametrize(("path", "start"), PLACES, ids=[".".join(map(str, path)) for path, _ in PLACES])
def test_path_is_on_the_line_that_writes_it(path: KeyPath, start: str) -> None:
    line = KeyLines(NASTY).line(path)
    assert NASTY.splitlines()[line - 1].startswith(start)


def test_array_of_tables_is_on_its_headers() -> None:
    lines = NASTY.splitlines()
    headers = [number for number, line in enumerate(lines, start=1) if line == "[[case]]"]
    found = KeyLines(NASTY)
    assert [found.line(("case", 0)), found.line(("case", 1))] == headers[1:], "the first is inside a string"
    assert found.line(("case",)) == headers[1]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (("case", 0, "set", "stride_nd", 1), ("case", 0, "set", "stride_nd")),
        (("case", 0, "expect", "shape"), ("case", 0)),
        (("case", 7), ("case",)),
        (("spaced", "key", "inner", "deeper"), ("spaced", "key", "inner")),
    ],
)
def test_unknown_path_falls_back_to_its_longest_known_part(path: KeyPath, known: KeyPath) -> None:
    found = KeyLines(NASTY)
    assert found.line(path) == found.line(known)


def test_unknown_document_is_on_line_1() -> None:
    assert KeyLines("").line(("case", 0)) == 1
    assert KeyLines("\n\na = 1").line(()) == 1


def test_carriage_returns_change_no_line() -> None:
    unix, windows = KeyLines(NASTY), KeyLines(NASTY.replace("\n", "\r\n"))
    assert all(unix.line(path) == windows.line(path) for path, _ in PLACES)


def _keys(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from _keys(part, (*path, key))


@pytest.mark.parametrize(
    "text",
    [NASTY, *(path.read_text(encoding="utf-8") for path in sorted(CASES.rglob("*.toml")))],
    ids=["nasty", *(path.stem for path in sorted(CASES.rglob("*.toml")))],
)
def test_every_key_that_tomli_reads_stands_on_its_line(text: str) -> None:
    found, lines = KeyLines(text), text.replace('"esc\\u0061ped"', "escaped").splitlines()
    for path in _keys(parse(text)):
        key = path[-1]
        if isinstance(key, str):
            assert key.replace('"', "") in lines[found.line(path) - 1].replace('"', ""), path


@pytest.mark.parametrize(
    "text",
    [
        "[[case]]\n  [[ case ]]\n[[case]]\n",
        'x = """\n[[case]]\n"""\n[[case]]\n[[case]]',
        "[[case]]\n[[case.run]]\n[[case]]\n",
        '[["case"]]\n[[case]]\n',
        "case = [\n{ a = 1 },\n{ a = 2 }]",
        "x = [\n[[true]]\n,\n[[1]]\n]\n[[case]]\n[[case]]\n",
        "# [[case]]\n[[case]] # [[case]]\n[[case]]",
    ],
)
def test_the_line_of_a_table_is_the_same_whether_a_key_below_it_was_asked_for(text: str) -> None:
    parse(text)
    full = _Scanner(text).lines
    for path in (path for path in full if path[0] == "case" and len(path) == 2):
        assert KeyLines(text).line(path) == full[path], path
    assert ("case", 1) in full


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = 1\nb = = 2\n", 2, "Invalid value"),
        ("a = 1\nb = 'x\nc = 'y'\n", 2, "Found invalid character"),
        ("a = 1\n\na = 2\n", 3, "Cannot overwrite a value"),
        ("[a]\nb = 1\n[a]\n", 3, "Cannot declare"),
        ("a = 1\nb = [1,\n2", 3, "Unclosed array"),
        ('a = """\nnever closed\n', 2, "Unterminated string"),
        ("a = 1\nb = " + "9" * 5000, 1, "too many digits"),
        ("a = 1\nb = [1,\n  0xffffffffffffffffff]", 3, "64 bits"),
        ("x = " + "[" * 100_000, 1, "nested too deeply"),
    ],
    ids=["value", "string", "twice", "table twice", "unclosed array", "unclosed string", "digits", "wide", "deep"],
)
def test_syntax_error_has_line_and_message(text: str, line: int, message: str) -> None:
    with pytest.raises(TomlError, match=message) as caught:
        parse(text)
    assert caught.value.line == line
    assert "(at " not in str(caught.value)


def test_scanner_is_fast_on_long_files(tmp_path: Path) -> None:
    text = "[[case]]\n" + "".join(f'key_{i} = """\n{i}\n"""\n' for i in range(20_000))
    assert KeyLines(text).line(("case", 0, "key_19999")) == 3 * 19_999 + 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = " + "[" * 400_000, 2),
        ("b = " + "[" * 65 + "]" * 65, 1),
        ("# one\nb = " + "{ a = " * 65 + "1" + " }" * 65, 2),
        (".".join("a" * 400_000) + " = 1", 1),
        ("x = '''\n...\n'''\n[" + " . ".join("a" * 65) + "]", 4),
        ("[" + ".".join("a" * 64) + "]\n" + ".".join("b" * 64) + " = [[1]]", 1),
    ],
)
def test_deep_nesting_is_refused_before_a_parser_recurses(text: str, line: int) -> None:
    with pytest.raises(TomlError, match="nested too deeply") as caught:
        parse(text)
    assert caught.value.line == line


def test_dots_and_brackets_in_strings_and_comments_are_no_nesting() -> None:
    text = f"# {'.' * 99}{'[' * 99}\na = \"{'.' * 99}{'[' * 99}\"\nb = '''\n{'.' * 99}{'[' * 99}'''\n"
    assert set(parse(text)) == {"a", "b"}


@pytest.mark.parametrize("piece", ['"\\', '"""a', "'''a", '"', "'", '"""\\'])
def test_strings_that_are_not_closed_take_linear_time(piece: str) -> None:
    with pytest.raises(TomlError):
        parse(piece * 100_000)


def test_a_huge_document_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TomlError, match="at most 32000000 are allowed"):
        parse("a" * 33_000_000 + " = 1")
