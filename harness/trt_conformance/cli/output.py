"""Prints results: JSON for programs, tables for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from trt_conformance.core.table import columns_of_output, table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def note(message: str) -> None:
    """Print a remark on stderr, so that stdout has only results."""
    typer.echo(f"note: {message}", err=True)


def print_json(value: Any) -> None:
    """Print a JSON document in ASCII, which every encoding can represent."""
    typer.echo(json.dumps(value, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text under their columns' names: on a terminal no wider than that, else one row in each line."""
    for line in table(columns, rows, columns_of_output()):
        typer.echo(line)
