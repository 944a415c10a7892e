"""``trt-conformance mutants``: wrong convolutions, and the cases that notice."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import AsJson, print_json
from harness.errors import ConformanceError

if TYPE_CHECKING:
    from harness.mutants import Mutant, Outcome

SHOWN = 3

CaseGlobs = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="GLOB", help="Only cases whose id or file matches. Repeatable."),
]
MutantGlobs = Annotated[
    list[str] | None,
    typer.Option("--mutant", metavar="GLOB", help="Only mutants whose name matches. Repeatable."),
]
Every = Annotated[bool, typer.Option("--all", help="Run every case, and count those that kill a mutant.")]


def mutants(case: CaseGlobs = None, mutant: MutantGlobs = None, every: Every = False, as_json: AsJson = False) -> None:
    """Run wrong convolutions through the suite, and say which cases kill each; exit code 1 where one survives."""
    from harness.catalog import load
    from harness.mutants import check_unmutated, score

    catalog = load()
    for glob in case or ():
        if not catalog.select([glob]):
            raise ConformanceError(f"no case matches {glob!r} (`trt-conformance cases list` shows them)")
    cases, chosen = catalog.select(case or ()), _select(mutant or ())
    check_unmutated(catalog, cases)
    outcomes = []
    for outcome in score(chosen, catalog, cases, every):
        outcomes.append(outcome)
        if not as_json:
            typer.echo(_line(outcome, max(len(m.name) for m in chosen), every))
    survivors = [outcome.mutant for outcome in outcomes if not outcome.faults]
    if as_json:
        print_json(_facts(outcomes, len(cases)))
    else:
        typer.echo(f"\n{_summary(len(chosen), len(survivors), len(cases))}")
        for survivor in survivors:
            typer.echo(f"  {survivor.name}: {survivor.doc}")
    if survivors:
        raise typer.Exit(1)


def _select(globs: Sequence[str]) -> tuple[Mutant, ...]:
    from harness.mutants import MUTANTS

    for glob in globs:
        if not any(fnmatchcase(mutant.name, glob) for mutant in MUTANTS):
            raise ConformanceError(f"no mutant matches {glob!r} (`trt-conformance mutants` shows them)")
    return tuple(m for m in MUTANTS if not globs or any(fnmatchcase(m.name, glob) for glob in globs))


def _line(outcome: Outcome, width: int, every: bool) -> str:
    killers = outcome.killers
    more = ", …" if len(killers) > SHOWN else ""
    count = f"{len(killers)}: " if every else ""
    verdict = f"killed by {count}{', '.join(killers[:SHOWN])}{more}" if killers else "SURVIVES"
    return f"{outcome.mutant.name:<{width}}  {verdict}"


def _summary(mutants: int, survivors: int, cases: int) -> str:
    score = 100 * (mutants - survivors) / mutants
    return f"{cases} cases kill {mutants - survivors} of {mutants} mutants: score {score:.1f} %" + (
        "; survivors:" if survivors else ""
    )


def _facts(outcomes: Sequence[Outcome], cases: int) -> dict[str, Any]:
    killed = sum(bool(outcome.faults) for outcome in outcomes)
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
                "faults": [
                    {key: getattr(fault, key) for key in ("case", "check", "phase", "status", "message")}
                    for fault in outcome.faults
                ],
            }
            for outcome in outcomes
        ],
    }
