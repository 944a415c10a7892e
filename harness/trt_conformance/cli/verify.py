"""``trt-conformance verify``: whether records can be submitted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trt_conformance.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from trt_conformance.core.verdict import Verdict
    from trt_conformance.results.profiles import ProfileResult
    from trt_conformance.results.submission import Checkout, RunChoice, Submission

Records = Annotated[
    list[Path],
    typer.Argument(metavar="RECORD...", help="Run records, their folders, or folders of such folders."),
]


def verify(records: Records, as_json: AsJson = False) -> None:
    """Check whether records can be submitted.

    It checks the schema of every line, that the run is complete, its commit and goldens, version and GPU.

    Exit code 0 if all can be submitted, 1 if one cannot, 2 if there is no record.
    """
    from trt_conformance.core.errors import ConformanceError
    from trt_conformance.core.paths import relative
    from trt_conformance.core.words import counted, one_line
    from trt_conformance.results.record.record import read_record, record_paths
    from trt_conformance.results.submission import check

    checkout = _checkout()
    found: list[Submission] = []
    unreadable: dict[str, str] = {}
    for path in record_paths(records):
        if not path.exists():
            raise ConformanceError(f"{path}: there is no such record")
        try:
            found.append(check(path, read_record(path), checkout))
        except ConformanceError as fault:
            unreadable[relative(path)] = str(fault)
    if as_json:
        print_json({"records": [one.to_json() for one in found], "unreadable": unreadable})
    else:
        for one in found:
            typer.echo(one_line(_headline(one)))
            for result in one.profiles:
                typer.echo(f"  profile {result.profile}, {result.level}: {result.words}")
            for line in one.notes:
                typer.echo(f"  note:  {one_line(line)}")
            for problem in one.faults:
                typer.echo(f"  wrong: {one_line(problem.what)}\n  fix:   {one_line(problem.mend)}")
        for name, message in unreadable.items():
            typer.echo(one_line(f"{name}: cannot be read"))
            typer.echo(f"  wrong: {one_line(message)}\n  fix:   copy the record again from where it was written")
    bad = len(unreadable) + sum(bool(one.faults) for one in found)
    if bad:
        typer.echo(f"{bad} of {counted(len(found) + len(unreadable), 'record')} cannot be submitted", err=True)
        raise typer.Exit(1)


def _headline(one: Submission) -> str:
    from trt_conformance.core.paths import relative

    choice = f"tier {one.choice.tier}" + (f", chosen by {', '.join(one.choice.part)}" if one.choice.part else "")
    verdict = "cannot be submitted" if one.faults else f"can be submitted as {one.place}"
    return f"{relative(one.path)}: {verdict}; {one.cases} of {one.of} cases ({choice})"


def _checkout() -> Checkout:
    from trt_conformance.catalog.profiles import load_profiles
    from trt_conformance.checks.selection import is_judged
    from trt_conformance.cli.selection import read_catalog
    from trt_conformance.core.git import files_at, has_commit, is_same_at
    from trt_conformance.core.paths import CASES, GOLDEN
    from trt_conformance.golden.sums import short_sums, short_sums_of
    from trt_conformance.results.profiles import profile_results
    from trt_conformance.results.submission import Checkout

    catalog = read_catalog((), tier=None)

    @cache
    def cases(choice: RunChoice) -> Sequence[str]:
        own = (
            case.id
            for case in catalog.cases
            if (choice.timed or is_judged(case, choice.tier)) and (choice.large or not case.large)
        )
        return (*own, *(name for sweep in catalog.sweeps for name in sweep.names(choice.tier)))

    @cache
    def goldens_at(commit: str) -> dict[str, str] | None:
        files = files_at(commit, GOLDEN.name)
        return None if files is None else short_sums_of(files)

    @cache
    def has_same_cases(commit: str) -> bool | None:
        return is_same_at(commit, CASES.name)

    rules = load_profiles(catalog)

    def profiles(target: str, verdicts: Sequence[Verdict]) -> Sequence[ProfileResult]:
        return profile_results(rules, catalog, target, verdicts)

    return Checkout(short_sums(GOLDEN), goldens_at, has_same_cases, cases, has_commit, profiles)
