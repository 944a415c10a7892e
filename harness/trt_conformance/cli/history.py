"""``trt-conformance history``: latency and use of the error bound over many runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.output import AsJson, print_json, print_table
from trt_conformance.core.words import one_line

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Run records, the folders that hold them, or a folder of such folders."),
]
Database = Annotated[
    Path | None, typer.Option("--db", metavar="FILE", help="Keep the SQLite database; rebuilt whole or not at all.")
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write one self-contained HTML file as well.")
]
Top = Annotated[int, typer.Option("--top", metavar="N", min=0, help="How many trends to list.")]


def history(runs: Runs, db: Database = None, html: Html = None, as_json: AsJson = False, top: Top = 20) -> None:
    """Show what changed most over many runs, from the first to the last of them.

    Latencies are listed with the standard error of their median, and
    the changes of versions and devices that came with the largest step.
    """
    from trt_conformance.core.paths import relative
    from trt_conformance.results import history as histories
    from trt_conformance.results import report as reports
    from trt_conformance.results.report.answer import counted
    from trt_conformance.results.report.trend import history_page

    found = histories.history(runs, db)
    if html:
        reports.write(html, history_page(found))
    if as_json:
        print_json(found.to_json())
        return
    typer.echo(f"{counted(len(found.runs), 'run')}, {counted(len(found.trends), 'trend')}, {len(found.moved)} moved")
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
        typer.echo(relative(path))
