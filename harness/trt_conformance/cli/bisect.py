"""``trt-conformance bisect``: finds the version in which a case's verdicts changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.output import AsJson, note, print_json, print_table

Case = Annotated[
    str, typer.Argument(metavar="CASE", help="An id, with or without its precision, or a pattern with * and ?.")
]
Over = Annotated[
    list[Path],
    typer.Option("--over", metavar="RUN", help="A run's record, its folder, or a folder of such folders. Repeatable."),
]
More = Annotated[list[Path] | None, typer.Argument(metavar="[RUN...]", help="Further runs.")]


def bisect(case: Case, over: Over, more: More = None, as_json: AsJson = False) -> None:
    """Find the version in which the verdicts of a case changed.

    Versions are ordered by number, separately for each flavor and GPU.
    `bisect CASE --over RUN1 RUN2 RUN3` takes any number of runs.
    """
    from trt_conformance.catalog.expectations import Expectations
    from trt_conformance.core.words import one_line
    from trt_conformance.results import report as reports
    from trt_conformance.results.known_today import finding
    from trt_conformance.results.versions.columns import versions
    from trt_conformance.results.versions.runs import read_runs
    from trt_conformance.results.versions.since import histories

    given = read_runs([*over, *(more or ())])
    for line in given.notes:
        note(one_line(line))
    view = reports.view_of(list(given.records.values()))
    found = histories(versions(view.records, Expectations(view.expectations, finding(view.catalog))), case)
    if as_json:
        print_json([one.to_json() for one in found])
        return
    rows = [(one.case, "-".join(filter(None, (one.flavor, one.gpu))), one.check, one.text()) for one in found]
    print_table(("case", "target", "check", "verdict"), rows)
