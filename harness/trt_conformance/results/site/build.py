"""Builds a site from records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trt_conformance.results.report import view_of
from trt_conformance.results.site.folder import write_site
from trt_conformance.results.site.pages import Site, site_files
from trt_conformance.results.versions.matrix import matrix
from trt_conformance.results.versions.runs import read_runs


def build_site(paths: Sequence[Path], folder: Path) -> Site:
    """Write the site of records into a folder, and return what it is made of.

    Runs of doubles are left out: targets from a file that have the name of a registered one.

    Args:
        paths: run records, their folders, or folders of such folders.
        folder: where to write; see `write_site`.

    Raises:
        ConformanceError: a record cannot be read, none has a verdict of a target, or the folder cannot be written.
    """
    runs = read_runs(paths)
    view = view_of(())
    versions = matrix(list(runs.records.values()), view.catalog, view.expectations)
    site = Site(runs.records, versions, view.profiles, runs.notes)
    facts = {"targets": [version.target for version in site.matrix.versions], "records": list(runs.records)}
    write_site(folder, site_files(site), facts)
    return site
