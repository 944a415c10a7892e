"""``trt-conformance site``: a static site of records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.output import note

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Run records, their folders, or folders of such folders."),
]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write: a new one, or a site to replace.")
]


def site(runs: Runs, output: Output) -> None:
    """Write a static site about many runs.

    It shows versions, GPUs, claims, families of cases and latencies over runs, and has badges.

    It needs no server and loads nothing from other sites. An existing folder
    is replaced completely, and only if it is such a site.
    """
    from trt_conformance.core.paths import from_here
    from trt_conformance.core.words import counted, one_line
    from trt_conformance.results.site.build import build_site

    found = build_site(runs, output)
    for line in found.notes:
        note(one_line(line))
    runs_of, versions = counted(len(found.records), "run"), counted(len(found.matrix.versions), "version")
    typer.echo(f"{from_here(output / 'index.html')}: {versions} of {runs_of}")
