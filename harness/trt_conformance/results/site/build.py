"""Builds a site from records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import relative
from trt_conformance.core.verdict import REFERENCE
from trt_conformance.results.record.own_targets import posing
from trt_conformance.results.record.record import Record, read_record, record_paths
from trt_conformance.results.report import view_of
from trt_conformance.results.site.folder import write_site
from trt_conformance.results.site.pages import Site, site_files
from trt_conformance.results.versions.matrix import matrix


def build_site(paths: Sequence[Path], folder: Path) -> Site:
    """Write the site of records into a folder, and return what it is made of.

    Runs of doubles are left out: targets from a file that have the name of a registered one.

    Args:
        paths: run records, their folders, or folders of such folders.
        folder: where to write; see `write_site`.

    Raises:
        ConformanceError: a record cannot be read, none has a verdict of a target, or the folder cannot be written.
    """
    found = {_name(path): read_record(path) for path in record_paths(paths)}
    left_out = {name: why for name, record in found.items() if (why := posing(record))}
    if len(left_out) == len(found):
        raise ConformanceError(
            f"no record is of a registered target: {next(iter(left_out.values()))} is a double of one"
        )
    records = apart_by_gpu({name: record for name, record in found.items() if name not in left_out})
    view = view_of(())
    site = Site(records, matrix(list(records.values()), view.catalog, view.expectations), view.profiles, left_out)
    facts = {"targets": [version.target for version in site.matrix.versions], "records": list(records)}
    write_site(folder, site_files(site), facts)
    return site


def apart_by_gpu(records: Mapping[str, Record]) -> dict[str, Record]:
    """The records with a name for each target and GPU: of a target that ran on several, it says which.

    A target's name has the compute capability, which GPUs of several kinds share. As in `merge`, such a name gets
    ``@`` and the name of the GPU.
    """
    gpus: dict[str, set[str]] = {}
    for record in records.values():
        for target in record.targets:
            gpus.setdefault(target, set()).add(_gpu(record))
    shared = {target for target, found in gpus.items() if len(found) > 1}
    return {name: _renamed(record, shared) for name, record in records.items()}


def _renamed(record: Record, shared: set[str]) -> Record:
    if not shared.intersection(record.targets):
        return record
    suffix = f"@{_gpu(record).replace(' ', '_')}"
    names = {target: f"{target}{suffix}" if target in shared else target for target in record.targets}
    environment = record.header.environment
    facts = {names.get(target, target): found for target, found in environment.targets.items()}
    header = record.header.model_copy(
        update={
            "targets": [names[target] for target in record.header.targets if target != REFERENCE],
            "environment": environment.model_copy(update={"targets": facts}),
        }
    )
    verdicts = tuple(replace(verdict, target=names.get(verdict.target, verdict.target)) for verdict in record.verdicts)
    return replace(record, header=header, verdicts=verdicts)


def _gpu(record: Record) -> str:
    return record.header.environment.device.gpu or "no GPU"


def _name(path: Path) -> str:
    """How a site lists a record: by its folder, from where the command runs."""
    return relative(path.parent)
