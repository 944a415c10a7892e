"""``trt-conformance history``: trends of latencies, error fractions and engine sizes over many runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.output import AsJson, note, print_json, print_table
from trt_conformance.core.words import one_line

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Run records, their folders, or folders of such folders."),
]
Database = Annotated[
    Path | None,
    typer.Option("--db", metavar="FILE", help="Also write the history to this SQLite database, replacing it."),
]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also write one self-contained HTML file.")]
Top = Annotated[int, typer.Option("--top", metavar="N", min=0, help="How many trends to list.")]


Cases = Annotated[
    list[str] | None,
    typer.Option(
        "--case",
        metavar="GLOB",
        help="Show only these cases. The HTML file shows all trends of a case together. Repeatable.",
    ),
]


def history(
    runs: Runs,
    db: Database = None,
    html: Html = None,
    as_json: AsJson = False,
    top: Top = 20,
    case: Cases = None,
) -> None:
    """Show what changed most from the first of many runs to the last.

    This covers latencies, error fractions, and sizes of engines.

    Latencies are listed with the standard error of their median, and with
    the changes of version, device and kernels at their largest step.
    """
    from trt_conformance.core.paths import from_here
    from trt_conformance.results import history as histories
    from trt_conformance.results import report as reports
    from trt_conformance.results.report.answer import counted
    from trt_conformance.results.report.trend import history_page

    found = histories.history(runs, db)
    for line in found.notes:
        note(one_line(line))
    if case:
        found = found.only(case)
    if html:
        reports.write(html, history_page(found, with_cases=bool(case)))
    if as_json:
        print_json(found.to_json())
        return
    typer.echo(f"{counted(len(found.runs), 'run')}, {counted(len(found.trends), 'trend')}, {len(found.moved)} changed")
    for run, change in found.changes():
        typer.echo(one_line(f"run {run.number}, {run.started}: {change}"))
    shown = found.moved[:top]
    if shown:
        typer.echo()
        print_table(
            ("case", "target", "what", "runs", "first", "last", "change", "largest step"),
            [
                (
                    trend.case,
                    trend.series,
                    f"{trend.quantity} ({trend.mode})" if trend.mode else trend.quantity,
                    str(len(trend.points)),
                    trend.text(trend.first),
                    trend.text(trend.last),
                    trend.change,
                    trend.step_text,
                )
                for trend in shown
            ],
        )
    for path in filter(None, (db, html)):
        typer.echo(from_here(path))
