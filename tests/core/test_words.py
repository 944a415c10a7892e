"""Foreign text is made safe for a terminal."""

from __future__ import annotations

import pytest

from trt_conformance.core.words import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("pass\rfail", "pass\\rfail"),
        ("\b\b\x00\x7f", "\\x08\\x08\\x00\\x7f"),
        ("a\u202egnp", "a\\u202egnp"),
        ("half \ud800", "half \\ud800"),
        ("soft\xadhyphen \U000e0041", "soft\\xadhyphen \\U000e0041"),
        ("卷积 µs ±1 % →", "卷积 µs ±1 % →"),
        ("two\n\tlines", "two\n\tlines"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown


def test_one_line_is_one_line():
    assert one_line("a\nb\tc\x1b") == "a\\nb\\tc\\x1b"


def test_a_long_text_is_cut():
    assert one_line("x" * 10, 10) == "x" * 10
    assert one_line("x" * 11, 10) == "x" * 7 + "..."
