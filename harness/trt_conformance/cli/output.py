"""Prints results: JSON for programs, tables on a terminal, and plain columns elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from trt_conformance.core.words import one_line

MAX_PADDED = 40
"""Characters to which plain columns are aligned at most: one long cell does not widen every line."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def note(message: str) -> None:
    """Print a remark on stderr, so that stdout has only results."""
    typer.echo(f"note: {message}", err=True)


def print_json(value: Any) -> None:
    """Print a JSON document in ASCII, which every encoding can represent."""
    typer.echo(json.dumps(value, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text under their columns' names; one line per row unless stdout is a terminal."""
    lines = [columns, *([one_line(cell) for cell in row] for row in rows)]
    if sys.stdout.isatty():
        _print_rich(columns, lines[1:])
        return
    widths = [min(max(map(len, column)), MAX_PADDED) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _print_rich(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console  # only a terminal needs it
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
