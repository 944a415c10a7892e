"""Checks everything below folders of cases at once: case files, sweeps, claims and expectations."""

from __future__ import annotations

from collections.abc import Sequence

from trt_conformance.catalog.catalog import Catalog, load_catalog
from trt_conformance.catalog.expectations import Expectation, read_expectations
from trt_conformance.catalog.profiles import profile_faults
from trt_conformance.catalog.source import CaseFileError, Fault
from trt_conformance.core.case_folder import SUITE, CaseFolder


def lint_folders(*folders: CaseFolder, unfiled: Sequence[str] = ()) -> tuple[Catalog, list[Expectation]]:
    """Read and check folders of cases, by default the suite's own, with their expectations and the suite's profiles.

    Args:
        folders: the folders.
        unfiled: ids of checks that are not in a case file, which the suite's expectations may name as well.

    Raises:
        CaseFileError: with every fault of every file.
        ConformanceError: there is no such folder, or it has no case files.
    """
    catalog: Catalog | None = None
    faults: list[Fault] = []
    try:
        catalog = load_catalog(*folders)
    except CaseFileError as error:
        faults += error.faults
    expectations: list[Expectation] = []
    for folder in folders or (SUITE,):
        part = catalog.part(folder) if catalog else None
        ids = [*part.ids(), *(unfiled if folder.is_suite else ())] if part else None
        found, wrong = read_expectations(folder.expectations, ids, part.cases if part else None)
        expectations += found
        faults += wrong
        if part is not None and folder.is_suite:
            faults += profile_faults(part)
    if catalog is None or faults:
        raise CaseFileError(faults)
    return catalog, expectations
