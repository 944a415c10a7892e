"""Checks everything below a folder of cases at once: case files, sweeps, claims and expectations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trt_conformance.catalog.catalog import EXPECTATIONS_FOLDER, Catalog, load_catalog
from trt_conformance.catalog.expectations import Expectation, read_expectations
from trt_conformance.catalog.source import CaseFileError, Fault


def lint_folder(root: Path, unfiled: Iterable[str] = ()) -> tuple[Catalog, list[Expectation]]:
    """Read and check a folder of cases with its expectations.

    Args:
        root: the folder.
        unfiled: ids of checks that are not in a case file, which expectations may name as well.

    Raises:
        CaseFileError: with every fault of every file.
        ConformanceError: there is no such directory, or it has no case files.
    """
    catalog: Catalog | None = None
    faults: list[Fault] = []
    ids: list[str] | None = None
    try:
        catalog = load_catalog(root)
        ids = [*(case.id for case in catalog.cases), *unfiled]
        ids += (case_id for sweep in catalog.sweeps for case_id in sweep.ids)
    except CaseFileError as error:
        faults += error.faults
    expectations, wrong = read_expectations(root / EXPECTATIONS_FOLDER, ids, catalog.cases if catalog else None)
    faults += wrong
    if catalog is None or faults:
        raise CaseFileError(faults)
    return catalog, expectations
