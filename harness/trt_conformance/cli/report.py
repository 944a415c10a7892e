"""``trt-conformance report``: writes run records as one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.folders import Cases, folders_of
from trt_conformance.cli.output import note

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run records, or their folders.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Where to write.", show_default="report.html next to the first RUN"
    ),
]


def report(runs: Runs, output: Output = None, cases: Cases = None) -> None:
    """Write a report of one or more runs: one self-contained HTML file.

    The report of one run also shows what changed since the previous run of its
    targets in the same folder, or since the accepted one.
    """
    from trt_conformance.core.paths import ACCEPTED, from_here
    from trt_conformance.core.words import one_line
    from trt_conformance.results import report as reports
    from trt_conformance.results.record.record import read_record, record_path
    from trt_conformance.results.report.page import report_page
    from trt_conformance.results.report.since import since_last

    records = [read_record(run) for run in runs]
    first = runs[0]
    path = output or (first if first.is_dir() else first.parent) / reports.FILE_NAME
    record = (record_path(first) or first) if first.is_dir() else first
    since = since_last(record, records[0], ACCEPTED) if len(runs) == 1 else None
    view = reports.view_of(records, folders_of(cases) if cases else ())
    reports.write(path, report_page(view, since))
    typer.echo(from_here(path))
    for column in view.targets:
        if text := view.known_today(column).text:
            note(one_line(f"{column.name}: {text}"))
