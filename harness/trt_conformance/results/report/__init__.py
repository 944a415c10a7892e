"""Pages and exports made from run records: the report, the comparison of two runs, and formats of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from trt_conformance.catalog.catalog import Catalog, linted_files, load_catalog
from trt_conformance.catalog.expectations import Expectation, by_condition, read_expectations
from trt_conformance.catalog.profiles import Profile, load_profiles
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import replacing
from trt_conformance.core.paths import ACCEPTED, users_cache
from trt_conformance.results.record.record import Record, read_record
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.since import since_last
from trt_conformance.results.report.view import View

FILE_NAME = "report.html"


def view_of(records: Sequence[Record], folders: Sequence[CaseFolder] = ()) -> View:
    """The view of records, with what the case files say about their cases, if the files can be read.

    ``folders`` are those of the case files, by default the ones that the records name, or the suite's own.

    Raises:
        ConformanceError: one of ``folders`` is not a folder.
    """
    for folder in folders:
        if not folder.path.is_dir():
            raise ConformanceError(f"{folder.name}: {'is a file' if folder.path.exists() else 'no such directory'}")
    named = (folder for record in records for folder in record.folders)
    folders = folders or tuple(dict.fromkeys(named)) or (SUITE,)
    catalog = _catalog(folders)
    return View(tuple(records), catalog, _expectations(folders), _profiles(catalog))


def _catalog(folders: Sequence[CaseFolder]) -> Catalog | None:
    """The cases of the folders that exist here; records from other machines may name folders that do not.

    If these cannot be read, only the suite's own cases, if they are among them. None if nothing can be read.
    """
    here = [folder for folder in folders if folder.path.is_dir()]
    for chosen in (here, [folder for folder in here if folder == SUITE]):
        if chosen:
            with suppress(ConformanceError):
                return load_catalog(*chosen, tier=None, linted=linted_files(users_cache()))
    return None


def _profiles(catalog: Catalog | None) -> tuple[Profile, ...]:
    """The profiles, if the catalog has the suite's cases and their rules can be read."""
    if catalog is not None and SUITE in catalog.folders:
        with suppress(ConformanceError):
            return load_profiles(catalog)
    return ()


def _expectations(folders: Sequence[CaseFolder]) -> tuple[Expectation, ...]:
    """The known differences of the folders, as far as they can be read: a report only quotes them, a run checks them.

    Cases of other folders than the suite's meet the suite's as well, as `Expectation.by_condition` says.
    """
    found = [entry for folder in folders for entry in read_expectations(folder.expectations, ids=None)[0]]
    if SUITE not in folders:
        found += by_condition(read_expectations(SUITE.expectations, ids=None)[0])
    return tuple(found)


def write(path: Path, content: str | bytes) -> None:
    """Write a file completely or not at all. Raises ConformanceError if that fails."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", errors="backslashreplace")
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as fault:
        raise ConformanceError(f"{path}: cannot be written: {fault.strerror or fault}") from None


def write_beside(record: Path, catalog: Catalog, expectations: Sequence[Expectation]) -> Path:
    """The report of one run, beside its record, with what changed since the last run of its targets."""
    path, run = record.with_name(FILE_NAME), read_record(record)
    view = View((run,), catalog, tuple(expectations), _profiles(catalog))
    write(path, report_page(view, since_last(record, run, ACCEPTED)))
    return path
