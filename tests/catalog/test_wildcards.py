"""Regular expressions of patterns find what `fnmatchcase` finds."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product

import pytest

from trt_conformance.catalog.wildcards import matches_any, one_of

WORDS = ["stride_nd/h2_w2-fp32", "stride_nd/h2_w2", "a[1]", "a1", "b", "", "a\nb"]
PATTERNS = ["stride_nd/h2_w2-fp32", "stride_nd/*", "*-fp32", "?", "a[1]", "a?b", "*", "", "h2_w2", "[!b]"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_pattern(pattern: str) -> None:
    for word in WORDS:
        assert (
            (one_of((pattern,)).match(word) is not None) == fnmatchcase(word, pattern) == matches_any(pattern, [word])
        )


def test_several_patterns() -> None:
    for first, second, word in product(PATTERNS, PATTERNS, WORDS):
        found = one_of((first, second)).match(word) is not None
        assert found == (fnmatchcase(word, first) or fnmatchcase(word, second)), (first, second, word)


def test_no_pattern_matches_nothing() -> None:
    assert not any(map(one_of(()).match, WORDS))


def test_any_of_many_words() -> None:
    assert matches_any("*_nd/*", frozenset(WORDS)) and matches_any("b", frozenset(WORDS))
    assert not matches_any("c*", frozenset(WORDS)) and not matches_any("c", frozenset(WORDS))
