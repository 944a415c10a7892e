"""Foreign text is made safe for a terminal, and a misspelled word leads to the most similar one."""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches
from random import Random

import pytest

from trt_conformance.core.words import closest, one_line, printable


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


@pytest.mark.parametrize("seed", range(20))
def test_the_closest_word_is_that_of_difflib(seed: int) -> None:
    random = Random(seed)
    known = ["".join(random.choices("abc_/-", k=random.randint(1, 9))) for _ in range(60)]
    for word in (*random.sample(known, 3), *("".join(random.choices("abc_/-x", k=6)) for _ in range(20))):
        for words in (known, [name for name in known if name != word]):
            found = get_close_matches(word, words, n=1)
            assert closest(word, words) == (f'; did you mean "{found[0]}"?' if found else "")


def test_of_many_words_few_are_compared_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    ratio = SequenceMatcher.ratio
    monkeypatch.setattr(SequenceMatcher, "ratio", lambda self: compared.append(self.a) or ratio(self))
    known = [f"layer/2d_f3_c{channels}_s{stride}-fp32" for channels in range(1000) for stride in range(3)]
    assert closest("layer/2d_f3_c77_s1-fp32x", known) == '; did you mean "layer/2d_f3_c77_s1-fp32"?'
    assert len(compared) < 100
