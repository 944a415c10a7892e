"""Tables of plain text: aligned columns, folded where a terminal is too narrow for them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from textwrap import wrap

from trt_conformance.core.words import one_line

MOST_PADDED = 40
"""Characters to which columns are aligned at most: one long cell does not widen every line."""
GAP = "  "
INDENT = "    "


def columns_of_output() -> int | None:
    """The characters in a line of the terminal that stdout is, or of the variable COLUMNS; None for a file or a pipe.

    A line of a file is one row of a table, for programs such as grep.
    """
    if os.environ.get("COLUMNS", "").isdecimal() or (sys.stdout is not None and sys.stdout.isatty()):
        return shutil.get_terminal_size().columns or None
    return None


def table(names: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None) -> list[str]:
    """The lines of a table.

    Args:
        names: of the columns; the first line has those of the columns that are beside each other.
        rows: their cells. Characters that a terminal obeys are escaped.
        width: the most characters in a line; None for any number. Columns that do not fit have lines of their own below
            the row's first line, each cell with its column's name.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [min(max(map(len, column)), MOST_PADDED) for column in zip(names, *cells, strict=True)]
    beside = len(names) if width is None else _fitting(names, cells, widths, width)
    lines = [_aligned(names[:beside], widths)]
    for row in cells:
        first = _aligned(row[:beside], widths)
        lines += [first] if width is None else _wrapped(first, width)
        for name, cell in zip(names[beside:], row[beside:], strict=True):
            if cell not in ("", "-") and width is not None:
                lines += _wrapped(f"{INDENT}{name}: {cell}", width)
    return lines


def _fitting(names: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], width: int) -> int:
    """How many columns fit beside each other; at least one."""
    table = [names, *rows]
    fits = (
        count for count in range(len(names), 1, -1) if all(len(_aligned(row[:count], widths)) <= width for row in table)
    )
    return next(fits, 1)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip()


def _wrapped(line: str, width: int) -> list[str]:
    """The line, cut at spaces where it is too long, and within words where it has to be."""
    if len(line) <= width:
        return [line]
    inside = " " * (len(line) - len(line.lstrip()) + len(INDENT))
    return wrap(line, max(width, len(inside) + 20), subsequent_indent=inside, break_on_hyphens=False)
