"""``trt-conformance mutants``: runs wrong convolutions, and lists the cases that fail on them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trt_conformance.cli.folders import Cases, Golden, folders_of
from trt_conformance.cli.output import AsJson, print_json
from trt_conformance.cli.selection import PATTERN_HELP, read_catalog, select_cases
from trt_conformance.core.errors import ConformanceError

if TYPE_CHECKING:
    from trt_conformance.catalog.catalog import Catalog
    from trt_conformance.core.case import Case
    from trt_conformance.mutants import Mutant, MutantOutcome

SHOWN = 3

CaseGlobs = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="PATTERN", help=f"{PATTERN_HELP} Repeatable."),
]
MutantGlobs = Annotated[
    list[str] | None,
    typer.Option("--mutant", metavar="GLOB", help="Only mutants whose name matches. Repeatable."),
]
Every = Annotated[
    bool, typer.Option("--all", help="Run every case on each mutant, not only up to the first that kills it.")
]


def mutants(
    case: CaseGlobs = None,
    mutant: MutantGlobs = None,
    every: Every = False,
    cases: Cases = None,
    golden: Golden = None,
    as_json: AsJson = False,
) -> None:
    """Run the suite's small cases on wrong convolutions.

    Exit code 1 if one of them passes every case.
    """
    from trt_conformance.mutants import check_unmutated, score

    catalog = read_catalog(folders_of(cases, golden), tier=None)
    small_cases, chosen = _cases(catalog, case or ()), _mutants(mutant or ())
    check_unmutated(catalog, small_cases)
    width = max(len(one.name) for one in chosen)
    outcomes = []
    for outcome in score(chosen, catalog, small_cases, every):
        outcomes.append(outcome)
        if not as_json:
            typer.echo(f"{outcome.mutant.name:<{width}}  {_verdict(outcome, every)}")
    survivors = [outcome.mutant for outcome in outcomes if not outcome.faults]
    if as_json:
        print_json(_facts(outcomes, len(small_cases)))
    else:
        killed = len(chosen) - len(survivors)
        score_line = (
            f"{len(small_cases)} cases kill {killed} of {len(chosen)} mutants: {100 * killed / len(chosen):.1f} %"
        )
        typer.echo("\n" + score_line + ("; these survive:" if survivors else ""))
        for survivor in survivors:
            typer.echo(f"  {survivor.name}: {survivor.doc}")
    if survivors:
        raise typer.Exit(1)


def _cases(catalog: Catalog, globs: Sequence[str]) -> tuple[Case, ...]:
    from trt_conformance.mutants import small

    chosen = select_cases(catalog, globs) if globs else [case for case in catalog.cases if case.tier is None]
    cases = small(chosen)
    if not cases:
        raise ConformanceError("all selected cases are too large: mutants run only on small cases")
    return cases


def _mutants(globs: Sequence[str]) -> tuple[Mutant, ...]:
    from trt_conformance.core.words import closest
    from trt_conformance.mutants import MUTANTS

    for glob in globs:
        if not any(fnmatchcase(mutant.name, glob) for mutant in MUTANTS):
            hint = closest(glob, [mutant.name for mutant in MUTANTS])
            raise ConformanceError(f"no mutant matches {glob!r}{hint or '; `trt-conformance mutants` lists them'}")
    return tuple(m for m in MUTANTS if not globs or any(fnmatchcase(m.name, glob) for glob in globs))


def _verdict(outcome: MutantOutcome, every: bool) -> str:
    killers = outcome.killers
    if not killers:
        return "SURVIVES"
    count = f"{len(killers)}: " if every else ""
    return f"killed by {count}{', '.join(killers[:SHOWN])}{', …' if len(killers) > SHOWN else ''}"


def _facts(outcomes: Sequence[MutantOutcome], cases: int) -> dict[str, Any]:
    killed = sum(bool(outcome.faults) for outcome in outcomes)
    keys = ("case", "location", "check", "phase", "status", "message")
    return {
        "cases": cases,
        "mutants": len(outcomes),
        "killed": killed,
        "score": killed / len(outcomes),
        "outcomes": [
            {
                "name": outcome.mutant.name,
                "doc": outcome.mutant.doc,
                "killers": list(outcome.killers),
                "faults": [{key: getattr(fault, key) for key in keys} for fault in outcome.faults],
            }
            for outcome in outcomes
        ],
    }
