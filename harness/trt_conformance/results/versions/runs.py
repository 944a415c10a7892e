"""The runs that make up versions: runs of registered targets, separately for each kind of GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trt_conformance.core.paths import relative
from trt_conformance.core.verdict import REFERENCE
from trt_conformance.results.record.own_targets import without_doubles
from trt_conformance.results.record.record import FILE_NAME, Record, read_record, record_paths


@dataclass(frozen=True)
class Runs:
    """Runs by the names of their folders. ``notes``: what is left out, a line each."""

    records: Mapping[str, Record]
    notes: Sequence[str] = ()


def read_runs(paths: Sequence[Path]) -> Runs:
    """Read runs, without those of test doubles: targets from a file that have the name of a registered one.

    Args:
        paths: run records, their folders, or folders of such folders.

    Raises:
        ConformanceError: a record cannot be read, or all are of doubles.
    """
    records, notes = without_doubles({_name(path): read_record(path) for path in record_paths(paths)})
    return Runs(apart_by_gpu(records), notes)


def _name(path: Path) -> str:
    """How a record is listed: by its folder, from where the command runs, unless its file has a name of its own."""
    return relative(path.parent if path.name.startswith(FILE_NAME) else path)


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
