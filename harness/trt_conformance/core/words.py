"""Formats counts, names, durations and percentages for messages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from os.path import commonprefix
from typing import Any

LEAST_SIMILARITY = 0.6
"""The least ratio of two words that are taken for similar, as for `difflib.get_close_matches`."""


def closest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"?``, or an empty text if no known word is similar."""
    found = _most_similar(word, known)
    return f'; did you mean "{found}"?' if found else ""


def _most_similar(word: str, known: Iterable[str]) -> str:
    """As `difflib.get_close_matches` with ``n=1``; empty if it has none.

    Among tens of thousands of words, it is ten times as fast: words that begin alike are compared first, so that the
    upper bounds of the similarity rule out most others.
    """
    matcher = SequenceMatcher(b=word)
    best = (LEAST_SIMILARITY, "")
    for name in sorted(known, key=lambda name: -len(commonprefix((word, name)))):  # noqa: RUF071 - no paths
        matcher.set_seq1(name)
        if matcher.real_quick_ratio() >= best[0] and matcher.quick_ratio() >= best[0]:
            best = max(best, (matcher.ratio(), name))
    return best[1]


def choice(what: str, word: object, known: Iterable[str]) -> str:
    """Return a message that ``word`` is not a known one, with the most similar known word or all of them."""
    known = list(known)
    hint = closest(str(word), known) or f"; expected {'one of ' if len(known) > 1 else ''}{', '.join(known)}"
    return f"{what} {shown(word)}{hint}"


def printable(text: str) -> str:
    r"""The text with escapes for characters that a terminal obeys or that reorder or hide text: ``\x1b[31m``.

    Newlines and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def one_line(text: str, most: int | None = None) -> str:
    """As `printable`, with escapes for newlines and tabs too; a text of more than ``most`` characters is cut first."""
    if most is not None and len(text) > most:
        text = f"{text[: most - 3]}..."
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def shown(value: object) -> str:
    """Format a value as in TOML, in one line of at most 60 characters."""
    text = one_line(json.dumps(value, default=str, ensure_ascii=False))
    return text if len(text) <= 60 else text[:57] + "..."


def counted(number: int, thing: str) -> str:
    """Return ``1 case``, ``2 cases``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def dotted(path: Iterable[str | int]) -> str:
    """Format a path of keys and indices: ``input.shape[1]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def seconds(value: float) -> str:
    """Format a time, given in seconds, with three digits and its unit: ``67.1 µs``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(value) >= 0.9995 * size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{_three_digits(value / 1e-9)} ns"


def memory(value: float) -> str:
    """Format a size, given in bytes, with three digits and its unit: ``260 KiB``, ``7.94 MiB``, ``512 B``."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(value) >= 0.9995 * size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{value:.0f} B"


def percent(fraction: float) -> str:
    """Format a fraction: ``0.3 %``, ``<0.1 %`` for tiny ones, ``? %`` for one that is not finite."""
    if not math.isfinite(fraction):
        return "? %"
    return "<0.1 %" if 0 < abs(fraction) < 0.0005 else f"{100 * fraction:.{0 if abs(fraction) >= 0.0995 else 1}f} %"


def _three_digits(value: float) -> str:
    size = abs(value)
    return f"{value:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f}"


def cache_word(figures: Mapping[str, Any]) -> str:
    """``warm``, ``cold``, or ``cold weights``: the state of the caches in the figures of a latency."""
    if not figures.get("cold_l2"):
        return "warm"
    return "cold weights" if (figures.get("facts") or {}).get("warm_input") else "cold"
