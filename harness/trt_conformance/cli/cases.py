"""``trt-conformance cases``: list, check and show the cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trt_conformance.cli.output import AsJson, print_json, print_table
from trt_conformance.cli.selection import one_case, read_catalog, select_cases
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.paths import CASES

if TYPE_CHECKING:
    from trt_conformance.catalog.catalog import Catalog
    from trt_conformance.core.case import Case

app = typer.Typer(help="List, check and show the cases.", no_args_is_help=True)

Root = Annotated[Path, typer.Option(metavar="DIR", help="Where the case files are.", show_default="cases/")]
Globs = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="GLOB", help="Only cases whose id or file matches. Repeatable."),
]


@app.command("list")
def list_cases(
    case: Globs = None,
    tier: Annotated[
        str,
        typer.Option(metavar="TIER", help="Of sweeps, smoke, ci or nightly; with --case, any.", show_default="smoke"),
    ] = "",
    root: Root = CASES,
    as_json: AsJson = False,
) -> None:
    """List cases with their claims."""
    from trt_conformance.cli.coverage import tier_named

    wanted = tier_named(tier or ("nightly" if case else "smoke"))
    chosen = select_cases(read_catalog(root, wanted), case or ())
    if as_json:
        keys = {"id", "precision", "file", "line", "section", "doc", "claims", "source"}
        print_json([found.model_dump(mode="json", include=keys) for found in chosen])
        return
    print_table(["id", "claims", "doc"], [(found.id, ",".join(found.claims) or "-", found.doc) for found in chosen])


@app.command()
def lint(root: Root = CASES, as_json: AsJson = False) -> None:
    """Check all case files, sweeps, claims and expectations; exit code 2 if there is a fault."""
    from trt_conformance.catalog.linting import lint_folder
    from trt_conformance.catalog.source import CaseFileError
    from trt_conformance.checks.padding import sample, tiers
    from trt_conformance.cli.coverage import summary
    from trt_conformance.core.words import counted

    unfiled = (name for tier in tiers.TIERS.values() for name in sample.ids(tier))
    try:
        catalog, expectations = lint_folder(root, unfiled)
    except CaseFileError as error:
        if as_json:
            print_json({"faults": [vars(fault) for fault in error.faults]})
        else:
            typer.echo(str(error))
        raise typer.Exit(2) from None
    if as_json:
        print_json({"faults": []})
        return
    cases = counted(len(catalog.cases), "case")
    files = counted(len({found.file for found in catalog.cases}), "file")
    claims, known = counted(len(catalog.claims), "claim"), counted(len(expectations), "expectation")
    typer.echo(f"{cases} in {files}, {claims}, {known}: no faults")
    for expanded in catalog.sweeps:
        typer.echo(summary(expanded))


@app.command()
def expand(
    root: Root = CASES,
    fresh: Annotated[bool, typer.Option("--fresh", help="Find all rows anew: ids may change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find the rows of the covering arrays that sweeps declare, keeping those that are there, and write them."""
    from trt_conformance.catalog.sweeps.update import expand_all

    changes = expand_all(root, fresh)
    if as_json:
        print_json([vars(change) for change in changes])
        return
    for change in changes:
        typer.echo(str(change))


@app.command()
def coverage(
    tier: Annotated[str, typer.Option(metavar="TIER", help="smoke, ci or nightly.")] = "nightly",
    root: Root = CASES,
    as_json: AsJson = False,
) -> None:
    """Say which values, pairs and triples of values the sweeps' cases cover; exit code 1 where one is missed."""
    from trt_conformance.cli.coverage import facts, lines, tier_named

    wanted = tier_named(tier)
    found = [facts(expanded, wanted) for expanded in read_catalog(root).sweeps]
    if as_json:
        print_json(found)
    else:
        for sweep in found:
            for line in lines(sweep):
                typer.echo(line)
    if any(sweep["missed"] for sweep in found):
        raise typer.Exit(1)


@app.command()
def show(
    case: Annotated[str, typer.Argument(metavar="CASE", help="An id, with its precision where there are several.")],
    root: Root = CASES,
    as_json: AsJson = False,
) -> None:
    """Show one case as it was resolved: its fields, attributes, output shapes and claims."""
    catalog = read_catalog(root)
    found = one_case(catalog, case)
    facts = _facts(found, catalog)
    if as_json:
        print_json(facts)
        return
    facts["claims"] = facts.pop("statements")
    shown = {key: value for key, value in facts.items() if key not in {"base_id", "name", "file", "line"}}
    width = max(map(len, shown))
    for key, value in shown.items():
        for index, line in enumerate(_lines(value)):
            typer.echo(f"{'' if index else key:<{width}}  {line}".rstrip())


def _facts(case: Case, catalog: Catalog) -> dict[str, Any]:
    """Everything there is to say of a case, as JSON values."""
    return {
        **case.model_dump(mode="json"),
        "base_id": case.base_id,
        "location": case.location,
        "attributes": case.attributes.model_dump(mode="json"),
        "runs": [_run(case, shape) for shape in case.run_shapes],
        "statements": {claim: catalog.claims[claim].statement for claim in case.claims},
    }


def _run(case: Case, shape: tuple[int, ...]) -> dict[str, Any]:
    from trt_conformance.numerics.reference.shape import output_shape

    try:
        return {"input": list(shape), "output": list(output_shape(shape, case.kernel.shape, case.attributes))}
    except InvalidConvolution as error:
        return {"input": list(shape), "output": None, "invalid": str(error)}


def _lines(value: Any) -> list[str]:
    """A JSON value for people: one line a key or element, a matrix as it is printed."""
    if value in (None, "", [], {}):
        return ["-"]
    if isinstance(value, str):
        return value.strip("\n").splitlines()
    if isinstance(value, list) and isinstance(value[0], (str, dict)):
        return [part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in value]
    if not isinstance(value, dict):
        return [json.dumps(value)]
    lines = []
    for key, part in value.items():
        if part is None:
            continue
        first, *rest = _lines(part)
        lines += [f"{key}: {first}"] if not rest else [f"{key}:", *(f"  {line}" for line in (first, *rest))]
    return lines or ["-"]
