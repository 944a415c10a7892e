"""``trt-conformance merge``: combines the records of a run's shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.core.words import counted, one_line

Records = Annotated[list[Path], typer.Argument(metavar="RECORD...", help="The shards' records, or their folders.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write the record into.")]
Partial = Annotated[bool, typer.Option("--partial", help="Merge even if shards are missing or incomplete.")]


def merge(records: Records, output: Output, partial: Partial = False) -> None:
    """Combine the records of shards into one that all commands read.

    Targets that ran on different kinds of machine stay separate. Records that contradict each other, come
    from different commits, or are not shards of one run are refused. With --partial, the merged record of an
    incomplete run has no closing line, like the record of an interrupted run.
    """
    from trt_conformance.core.errors import ConformanceError
    from trt_conformance.core.paths import from_here, relative
    from trt_conformance.results.record import merge as merging
    from trt_conformance.results.record.record import read_record, save_record

    merged = merging.merge({relative(path): read_record(path) for path in records})
    if merged.missing and not partial:
        lines = "\n  ".join(merged.missing)
        raise ConformanceError(f"not merged:\n  {lines}\n--partial merges the others")
    for line in merged.missing:
        typer.echo(one_line(f"warning: {line}"), err=True)
    path = save_record(output, merged.record)
    verdicts, parts = counted(len(merged.record.verdicts), "verdict"), counted(len(records), "record")
    typer.echo(f"{from_here(path)}: {verdicts} of {parts}")
