"""Patterns with * and ? as regular expressions: thousands of ids are matched against each."""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import translate
from functools import lru_cache

_WILD = re.compile(r"[*?\[]")


@lru_cache(maxsize=1024)
def one_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """A regular expression whose ``match`` finds what `fnmatchcase` finds with one of the patterns; nothing without."""
    return re.compile("|".join(map(translate, patterns)) or "(?!)")


def matches_any(pattern: str, words: Collection[str]) -> bool:
    """Whether a pattern matches one of the words, quickly where they are a set and the pattern is one of them."""
    if not _WILD.search(pattern):
        return pattern in words
    return any(map(one_of((pattern,)).match, words))
