"""The options ``--cases`` and ``--golden``: which folders of cases a command reads, and where their goldens are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.errors import ConformanceError

if TYPE_CHECKING:
    from trt_conformance.results.record.record import Record

Cases = Annotated[
    list[Path] | None,
    typer.Option(
        "--cases", metavar="DIR", help="A folder of your own case files. Repeatable.", show_default="the suite's own"
    ),
]
Golden = Annotated[
    Path | None,
    typer.Option("--golden", metavar="DIR", help="The folder of the goldens.", show_default="golden/ in that folder"),
]


def folders_of(cases: Sequence[Path] | None, golden: Path | None = None) -> tuple[CaseFolder, ...]:
    """The folders that the options name; the suite's own without ``--cases``.

    Raises:
        ConformanceError: there are goldens of one folder for several folders of cases.
    """
    if golden is None:
        return tuple(CaseFolder.at(path) for path in cases or ()) or (SUITE,)
    if cases and len(cases) > 1:
        raise ConformanceError("--golden names the goldens of one folder of cases, but several are given")
    return (CaseFolder.at(cases[0] if cases else SUITE.path, golden),)


def folders_of_run(record: Record) -> tuple[CaseFolder, ...]:
    """The folders whose cases a run read.

    Raises:
        ConformanceError: one is not there, perhaps because the run named it relative to another folder.
    """
    for folder in record.folders:
        if not folder.path.is_dir():
            reason = "no such directory; the run read its cases there: name the folder with --cases"
            raise ConformanceError(f"{folder.name}: {reason}")
    return record.folders
