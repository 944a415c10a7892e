"""``trt-conformance repro``: writes a bug report for a failure of TensorRT, with a standalone program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.folders import Cases, folders_of, folders_of_run
from trt_conformance.cli.selection import one_case, read_catalog
from trt_conformance.core.errors import ConformanceError

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run record, or its folder.")]
Chosen = Annotated[
    str, typer.Argument(metavar="CASE", help="A case's id. The precision may be omitted if there is only one.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="The folder to write.", show_default="repro/CASE"),
]
Target = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="The target, if the case failed on several.")
]
Check = Annotated[str | None, typer.Option("--check", metavar="NAME", help="The check, if several failed.")]


def repro(
    run: Run, case: Chosen, output: Output = None, target: Target = None, check: Check = None, cases: Cases = None
) -> None:
    """Write a bug report for a case that failed on TensorRT.

    The folder contains a program that needs only TensorRT, NumPy and cuda-python, and exits with 1 if TensorRT differs
    from what is expected; the ONNX model, with commands for trtexec and Polygraphy; and the text of an issue.
    """
    from trt_conformance.core.words import closest
    from trt_conformance.repro.package import write_repro
    from trt_conformance.results.record.record import read_record

    record = read_record(run)
    names = {verdict.case for verdict in record.verdicts}
    if not any(name == case or name.startswith(f"{case}-") for name in names):
        raise ConformanceError(f"{run}: the run has no check of a case {case!r}{closest(case, names)}")
    folders = folders_of(cases) if cases else folders_of_run(record)
    found = one_case(read_catalog(folders, patterns=[case]), case)
    folder = output or Path("repro") / found.id
    failure, files = write_repro(record, found, folder, target, check)
    typer.echo(f"{found.id} on {failure.verdict.target}, check {failure.verdict.check}: {failure.lines[0]}")
    for file in files:
        typer.echo(f"  {file}")
