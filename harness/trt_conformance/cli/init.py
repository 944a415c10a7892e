"""``trt-conformance init``: creates a folder for your own cases, with an example and its golden."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.core.advice import program
from trt_conformance.core.errors import ConformanceError

DATA = Path(__file__).with_name("own_cases")
NAMES = {"gitignore": ".gitignore"}
"""Files that have another name in the new folder."""

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder to create. It may exist if it is empty.")]


def init(folder: Folder) -> None:
    """Create a folder for your own cases.

    It contains an example case with its golden, the settings of the CI
    gate, and a CI file.
    """
    from trt_conformance.catalog.imports.folder import write_all

    _check_empty(folder)
    files = {NAMES.get(path.name, path.name): path.read_bytes() for path in sorted(DATA.iterdir())}
    here = shlex.quote(folder.name if folder.is_absolute() or ".." in folder.parts else folder.as_posix())
    files["github-actions.yml"] = files["github-actions.yml"].replace(b"FOLDER", here.encode())
    write_all(folder, files | _goldens(files))
    shown = shlex.quote(str(folder))
    typer.echo(f"{folder}: {', '.join(sorted(files))}, and golden/ with the golden of the example. Next:")
    for words in ("cases lint", "golden update", "run --target numpy"):
        typer.echo(f"  {program('trt-conformance')} {words} --cases {shown}")


def _check_empty(folder: Path) -> None:
    """Raise ConformanceError if there is something at the path other than an empty folder."""
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise ConformanceError(f"{folder}: is not a directory")
        if any(folder.iterdir()):
            raise ConformanceError(f"{folder}: is not empty: name a new folder")
    except OSError as fault:
        raise ConformanceError(f"{folder}: cannot be read: {fault.strerror}") from None


def _goldens(files: dict[str, bytes]) -> dict[str, bytes]:
    """The goldens of case files, by their paths in the folder that has these files."""
    from trt_conformance.catalog.catalog import load_catalog
    from trt_conformance.core.case_folder import CaseFolder
    from trt_conformance.golden import update
    from trt_conformance.golden.lock import NAME

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for file, content in files.items():
            (root / file).write_bytes(content)
        folder = CaseFolder.at(root)
        update(load_catalog(folder))
        made = (path for path in folder.golden.rglob("*") if path.is_file() and path.name != NAME)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in made}
