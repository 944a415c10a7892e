"""``trt-conformance cases``: list, check and show the cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import AsJson, print_json, print_table
from harness.errors import ConformanceError, InvalidConvolution
from harness.paths import CASES

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.model import Case

app = typer.Typer(help="List, check and show the cases.", no_args_is_help=True)

Root = Annotated[Path, typer.Option(metavar="DIR", help="Where the case files are.", show_default="cases/")]
Globs = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="GLOB", help="Only cases whose id or file matches. Repeatable."),
]


@app.command("list")
def list_cases(case: Globs = None, root: Root = CASES, as_json: AsJson = False) -> None:
    """List cases with their claims."""
    chosen = _select(_load(root), case or [])
    if as_json:
        keys = {"id", "precision", "file", "line", "section", "doc", "claims", "source"}
        print_json([found.model_dump(mode="json", include=keys) for found in chosen])
        return
    print_table(["id", "claims", "doc"], [(found.id, ",".join(found.claims) or "-", found.doc) for found in chosen])


@app.command()
def lint(root: Root = CASES, as_json: AsJson = False) -> None:
    """Check every case file; exit code 2 where there is a fault."""
    from harness.catalog import CaseFileError, counted, load  # noqa: PLC0415 - reads pydantic and NumPy

    try:
        catalog = load(root)
    except CaseFileError as error:
        if as_json:
            print_json({"faults": [vars(fault) for fault in error.faults]})
        else:
            typer.echo(str(error))
        raise typer.Exit(2) from None
    files = len({found.file for found in catalog.cases})
    if as_json:
        print_json({"faults": []})
    else:
        counts = (
            counted(len(catalog.cases), "case") + " in " + counted(files, "file"),
            counted(len(catalog.claims), "claim"),
        )
        typer.echo(f"{', '.join(counts)}: no faults")


@app.command()
def show(
    case: Annotated[str, typer.Argument(metavar="CASE", help="An id, with its precision where there are several.")],
    root: Root = CASES,
    as_json: AsJson = False,
) -> None:
    """Show one case as it was resolved: its fields, attributes, output shapes and claims."""
    catalog = _load(root)
    facts = _facts(_find(catalog, case), catalog)
    if as_json:
        print_json(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines = _lines(key, value) if isinstance(value, (dict, list)) else text.splitlines()
        for index, line in enumerate(lines or ["-"]):
            typer.echo(f"{key if index == 0 else '':<{width}}  {line}")
