"""``trt-conformance accept``: stores a run as the baseline of the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.core.paths import ACCEPTED

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run's record, or its folder.")]
Folder = Annotated[Path, typer.Option("--accepted", metavar="DIR", help="Where accepted runs are stored.")]


def accept(run: Run, folder: Folder = ACCEPTED) -> None:
    """Store a run as the baseline of `compare --gate`.

    It replaces the earlier baseline of the same targets. Commit it, so that CI can read it.
    """
    from trt_conformance.core.paths import from_here
    from trt_conformance.results.accepted import accept as store
    from trt_conformance.results.record.record import read_record

    typer.echo(f"accepted: {from_here(store(read_record(run), folder))}")
