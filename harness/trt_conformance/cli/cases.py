"""``trt-conformance cases``: lists, checks, shows and imports cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trt_conformance.cli.folders import Cases, Golden, folders_of
from trt_conformance.cli.import_cases import import_cases
from trt_conformance.cli.output import AsJson, print_json, print_table
from trt_conformance.cli.selection import PATTERN_HELP, one_case, read_catalog, select_cases
from trt_conformance.core.errors import ConformanceError, InvalidConvolution

if TYPE_CHECKING:
    from trt_conformance.catalog.case_patterns import CasePatterns
    from trt_conformance.catalog.catalog import Catalog
    from trt_conformance.catalog.source import Fault
    from trt_conformance.core.case import Case
    from trt_conformance.core.case_folder import CaseFolder

app = typer.Typer(help="List, check, show and import cases.", no_args_is_help=True, rich_markup_mode=None)
app.command("import")(import_cases)

Globs = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="PATTERN", help=f"{PATTERN_HELP} Repeatable."),
]


Committed = Annotated[
    bool, typer.Option("--committed", help="Also check that every golden of this checkout is committed to git.")
]


@app.command("list")
def list_cases(
    case: Globs = None,
    tier: Annotated[
        str,
        typer.Option(
            metavar="TIER",
            help="The sweeps' cases up to a tier: smoke, ci or nightly. With --case, nightly.",
            show_default="smoke",
        ),
    ] = "",
    cases: Cases = None,
    as_json: AsJson = False,
) -> None:
    """List cases with their claims."""
    from trt_conformance.cli.coverage import tier_named

    wanted = tier_named(tier or ("nightly" if case else "smoke"))
    chosen = select_cases(read_catalog(folders_of(cases), wanted, case or ()), case or ())
    if as_json:
        keys = {"id", "precision", "file", "line", "section", "doc", "claims", "source"}
        print_json([found.model_dump(mode="json", include=keys) for found in chosen])
        return
    print_table(["id", "claims", "doc"], [(found.id, ",".join(found.claims) or "-", found.doc) for found in chosen])


@app.command()
def claims(
    document: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only claims of this document, such as nvinfer_h. Repeatable."),
    ] = None,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Only claims that no case checks.")] = False,
    cases: Cases = None,
    as_json: AsJson = False,
) -> None:
    """List the claims of NVIDIA's documents.

    For each claim, it shows what a check needs, and how many cases check it.

    A claim that no case checks is listed with the reason.
    """
    from trt_conformance.cli.claims import listed, row

    found = listed(read_catalog(folders_of(cases), None), document or (), unchecked)
    if as_json:
        print_json(found)
        return
    print_table(["id", "checkable", "cases", "statement"], [row(claim) for claim in found])


@app.command()
def lint(
    case: Annotated[
        list[str] | None,
        typer.Argument(metavar="CASE...", help=f"{PATTERN_HELP} Only their faults are listed."),
    ] = None,
    cases: Cases = None,
    golden: Golden = None,
    committed: Committed = False,
    as_json: AsJson = False,
) -> None:
    """Check all case files, sweeps, claims, expectations and profiles.

    Exit code 2 if there is a fault.
    """
    from trt_conformance.catalog.case_patterns import CasePatterns
    from trt_conformance.catalog.linting import lint_folders
    from trt_conformance.catalog.source import CaseFileError
    from trt_conformance.checks.padding import sample
    from trt_conformance.cli.coverage import summary
    from trt_conformance.core.words import counted

    folders, patterns = folders_of(cases, golden), CasePatterns(case or ())
    catalog: Catalog | None = None
    faults = [fault for folder in folders for fault in _uncommitted_goldens(folder)] if committed else []
    try:
        catalog, expectations = lint_folders(*folders, unfiled=sample.ids_beside(folders))
        chosen = select_cases(catalog, case or ())
    except CaseFileError as error:
        named = [fault for fault in error.faults if _is_named(fault, folders, patterns)]
        if not named:
            said = f"the cases cannot be read because of {counted(len(error.faults), 'fault')} elsewhere"
            raise ConformanceError(f"{' '.join(case or ())}: no faults, but {said}; lint without CASE") from None
        faults += named
    if catalog is None or faults:
        found = CaseFileError(faults)
        if as_json:
            print_json({"faults": [vars(fault) for fault in found.faults]})
        else:
            typer.echo(str(found))
        raise typer.Exit(2)
    if as_json:
        print_json({"faults": []})
        return
    count = counted(len(chosen), "case")
    files = counted(len({found.file for found in chosen}), "file")
    if patterns:
        typer.echo(f"{count} in {files}: no faults")
        return
    claims, known = counted(len(catalog.claims), "claim"), counted(len(expectations), "expectation")
    typer.echo(f"{count} in {files}, {claims}, {known}: no faults")
    for expanded in catalog.sweeps:
        typer.echo(summary(expanded))


def _is_named(fault: Fault, folders: Sequence[CaseFolder], patterns: CasePatterns) -> bool:
    """Whether patterns name the case of a fault, one that inherits it, or its file."""
    if any(patterns.match_base(name) for name in (fault.case, *fault.cases) if name):
        return True
    inside = (folder for folder in folders if PurePosixPath(fault.file).is_relative_to(folder.name))
    return any(patterns.match_file(fault.file, folder) for folder in inside)


def _uncommitted_goldens(folder: CaseFolder) -> list[Fault]:
    """One fault per golden of a folder that differs from the last commit.

    Raises:
        ConformanceError: git cannot tell, because the folder is not in a git checkout (the suite: of its own).
    """
    from trt_conformance.catalog.source import Fault
    from trt_conformance.checks.own_data import UNCOMMITTED
    from trt_conformance.core import git
    from trt_conformance.core.paths import display

    changed = git.uncommitted(folder.golden)
    if changed is None:
        what = "the suite is not in a git checkout of its own"
        what = what if folder.is_suite else f"{display(folder.golden)} is not in a git checkout"
        raise ConformanceError(f"--committed: {what}")
    return [Fault(file, 1, UNCOMMITTED) for file in changed]


@app.command()
def expand(
    cases: Cases = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Discard the stored rows: ids may change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the rows of the covering arrays that sweeps declare.

    Stored rows do not change.
    """
    from trt_conformance.catalog.sweeps.update import expand_all

    changes = [change for folder in folders_of(cases) for change in expand_all(folder, fresh)]
    if as_json:
        print_json([vars(change) for change in changes])
        return
    for change in changes:
        typer.echo(str(change))


@app.command()
def coverage(
    tier: Annotated[str, typer.Option(metavar="TIER", help="smoke, ci or nightly.")] = "nightly",
    cases: Cases = None,
    as_json: AsJson = False,
) -> None:
    """List the values, pairs and triples that the sweeps cover.

    It also lists which edges the cases reach: powers of two, one less and one more.

    Exit code 1 if a possible combination is missed, if a range between edges is not reached and not listed in the
    folder's unreached.toml, or if a listed range is reached.
    """
    from trt_conformance.cli.coverage import facts, lines, tier_named
    from trt_conformance.cli.reach import breaks_promise, facts_of_ranges, lines_of_ranges

    wanted, folders = tier_named(tier), folders_of(cases)
    catalog = read_catalog(folders, wanted)
    sweeps = [facts(expanded, wanted) for expanded in catalog.sweeps]
    found = {"sweeps": sweeps, "ranges": [facts_of_ranges(catalog, folder, wanted) for folder in folders]}
    if as_json:
        print_json(found)
    else:
        for line in chain(*map(lines, sweeps), *map(lines_of_ranges, found["ranges"])):
            typer.echo(line)
    if any(sweep["missed"] for sweep in sweeps) or any(map(breaks_promise, found["ranges"])):
        raise typer.Exit(1)


@app.command()
def show(
    case: Annotated[
        str, typer.Argument(metavar="CASE", help="A case's id. The precision may be omitted if there is only one.")
    ],
    cases: Cases = None,
    as_json: AsJson = False,
) -> None:
    """Show one case: fields, attributes, output shapes, claims."""
    catalog = read_catalog(folders_of(cases), patterns=[case])
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
    """All facts about a case, as JSON values."""
    return {
        **case.model_dump(mode="json"),
        "base_id": case.base_id,
        "location": case.location,
        "attributes": case.attributes.model_dump(mode="json"),
        "runs": [_run(case, shape) for shape in case.run_shapes],
        "statements": {claim: catalog.claims[claim].statement for claim in case.claims},
    }


def _run(case: Case, shape: tuple[int, ...]) -> dict[str, Any]:
    from trt_conformance.numerics.reference.shape import layer_output

    try:
        return {"input": list(shape), "output": list(layer_output(case, shape))}
    except InvalidConvolution as error:
        return {"input": list(shape), "output": None, "invalid": str(error)}


def _lines(value: Any) -> list[str]:
    """Format a JSON value as text: one line per key or element, a printed matrix line by line."""
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
