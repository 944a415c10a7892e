"""``trt-conformance matrix``: versions side by side, and what changed between consecutive versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.output import AsJson, note, print_json
from trt_conformance.core.errors import ConformanceError

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Run records, their folders, or folders of such folders."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write this file: .html, or .md for Markdown.", show_default="print text"
    ),
]
Only = Annotated[
    str, typer.Option("--target", metavar="PATTERN", help="Only the targets of this pattern, like 'tensorrt_rtx-*'.")
]


def matrix(runs: Runs, output: Output = None, target: Only = "*", as_json: AsJson = False) -> None:
    """Show the runs of several versions side by side.

    Tables list claims, families of cases and known differences.

    Each change between two consecutive versions of one flavor on one GPU is
    one line: what began or ended, became slower or faster, larger or smaller;
    its cause, and its smallest case. Several runs of one version count as one.
    """
    from trt_conformance.core.paths import from_here
    from trt_conformance.core.words import one_line
    from trt_conformance.results import report as reports
    from trt_conformance.results.report import matrix_text
    from trt_conformance.results.report.matrix import matrix_page
    from trt_conformance.results.versions.columns import of_targets
    from trt_conformance.results.versions.matrix import matrix as side_by_side
    from trt_conformance.results.versions.runs import read_runs

    if output is not None and output.suffix not in (".html", ".md"):
        raise ConformanceError(f"--output {output}: the name must end in .html or .md")
    given = read_runs(runs)
    view = reports.view_of(of_targets(list(given.records.values()), target))
    found = side_by_side(view.records, view.catalog, view.expectations)
    for line in given.notes:
        note(one_line(line))
    if output is not None:
        reports.write(output, matrix_page(found) if output.suffix == ".html" else matrix_text.markdown(found))
    if as_json:
        print_json(found.to_json())
    elif output is not None:
        typer.echo(from_here(output))
    else:
        typer.echo(matrix_text.terminal(found))
