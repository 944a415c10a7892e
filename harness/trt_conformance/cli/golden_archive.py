"""``trt-conformance golden pack`` and ``unpack``: the goldens as one archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Archive = Annotated[Path, typer.Argument(metavar="FILE", help="The archive.")]
PackedFile = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The archive to write, a .tar.gz.")]
Store = Annotated[
    Path | None, typer.Option("--golden", metavar="DIR", help="The goldens to pack.", show_default="the suite's own")
]
Folder = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder, or an empty one.")]


def pack(output: PackedFile, golden: Store = None) -> None:
    """Write the goldens as one archive for a release.

    It has the SHA-256 of every file. Equal goldens give equal bytes. FILE.sha256 is written beside it, for
    `sha256sum --check`.
    """
    from trt_conformance.core.paths import GOLDEN, from_here
    from trt_conformance.golden.archive import pack as write_archive
    from trt_conformance.results.report import write

    digest = write_archive(golden or GOLDEN, output)
    write(output.with_name(f"{output.name}.sha256"), f"{digest}  {output.name}\n")
    typer.echo(f"{from_here(output)}: {output.stat().st_size:,} bytes, SHA-256 {digest}")


def unpack(archive: Archive, output: Folder) -> None:
    """Check the checksums of an archive of goldens, and unpack it.

    Nothing is written if a file is damaged.
    """
    from trt_conformance.core.paths import from_here
    from trt_conformance.core.words import counted
    from trt_conformance.golden.archive import unpack as write_files

    typer.echo(f"{from_here(output)}: {counted(write_files(archive, output), 'file')}")
