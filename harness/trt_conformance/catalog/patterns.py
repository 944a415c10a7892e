"""Checks regular expressions of case files and expectations before they search the messages of a run."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import cache

MAX_PATTERN = 1000

# An escaped character, a set of characters, a parenthesis, or a repeat.
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]|[*+?]|\{\d*,?\d*\}", re.DOTALL)


@cache
def pattern_fault(pattern: str) -> str | None:
    """Return what is wrong with a regular expression, as the end of a sentence about it; None if nothing is.

    A repeat inside a repeated group is refused: searching for ``(a+)+b`` may take time exponential in the length of
    the message.
    """
    if len(pattern) > MAX_PATTERN:
        return f"is too long: {len(pattern)} characters, but at most {MAX_PATTERN} are allowed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, OverflowError, Warning) as error:
        return f"is not a valid regular expression: {error}"
    except RecursionError:
        return "is not a valid regular expression: its groups are nested too deeply"
    if any(_repeats_in_repeats(pattern)):
        return "repeats a group that has a repeat inside: a search for it may never end"
    return None


def _repeats_in_repeats(pattern: str) -> Iterator[bool]:
    """For each repeat after a group, whether the group contains a repeat; ``?`` repeats nothing."""
    open_groups = [False]  # of each open group, whether it contains a repeat
    closed = False  # whether the group that has just been closed contains one
    after_group = False
    for found in _PIECE.finditer(pattern):
        piece = found[0]
        follows, after_group = after_group and pattern[found.start() - 1] == ")", False
        if piece == "(":
            open_groups.append(False)
        elif piece == ")":
            closed = open_groups.pop()
            open_groups[-1] |= closed
            after_group = True
        elif piece in "*+" or piece.startswith("{"):
            yield follows and closed
            open_groups[-1] = True
