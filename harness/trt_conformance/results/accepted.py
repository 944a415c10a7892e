"""The accepted run of each kind of target: the baseline that the gate compares a new run with.

It is stored as ``<folder>/<flavor>-<gpu>/record.jsonl.gz``, without the target's version, so that a run of a new
TensorRT finds the run of the old one. A run of several targets has the names of all, joined with ``+``.
"""

from __future__ import annotations

import re
from pathlib import Path

from trt_conformance.core.advice import program
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import encodable
from trt_conformance.core.paths import relative
from trt_conformance.core.words import shown
from trt_conformance.results.record.record import COMPRESSED_NAME, Record, record_path, save_record

# A record may come from anywhere: no name in it may lead out of the folder of accepted runs.
_AS_A_FOLDER = re.compile(r"[\w@][\w.@+=,-]{0,99}")

MISSING = 4
"""Exit code of a gate that has no accepted run to compare with."""


class NoAcceptedRun(ConformanceError):
    """There is no accepted run of these targets."""


def name_of(record: Record) -> str:
    """``tensorrt-sm90`` for a run of ``tensorrt-8.6.1-sm90``.

    Raises:
        ConformanceError: the run has no target, or one whose name cannot be part of a folder's name.
    """
    if not record.targets:
        raise ConformanceError("the run has no target, so it cannot be a baseline: run the suite with --target")
    for target in record.targets:
        if not _AS_A_FOLDER.fullmatch(target):
            raise ConformanceError(f"target {shown(target)}: this name cannot be part of a folder's name")
    return encodable("+".join(sorted(without_version(target) for target in record.targets)))


def accept(record: Record, folder: Path) -> Path:
    """Store a run as the baseline of its targets, in place of an earlier one. Returns the record's path.

    Raises:
        ConformanceError: the run did not finish, or compared nothing.
    """
    if record.end is None or record.end.stopped:
        raise ConformanceError("the run did not finish, so it cannot be a baseline: run it again, to its end")
    if not any(verdict.status == "pass" and verdict.target in record.targets for verdict in record.verdicts):
        raise ConformanceError("nothing passed in the run, so it cannot be a baseline: see its report")
    return save_record(folder / name_of(record), record, compressed=True)


def accepted_for(record: Record, folder: Path) -> Path:
    """The path of the accepted run to compare a new run with.

    Raises:
        NoAcceptedRun: none is stored; the message says how to store one.
    """
    path = record_path(folder / name_of(record))
    if path is None or not path.is_file():
        missing = folder / name_of(record) / COMPRESSED_NAME
        raise NoAcceptedRun(
            f"no accepted run at {relative(missing)}; "
            f"store one with `{program('trt-conformance')} accept RUN`, or name BASE"
        )
    return path


def without_version(target: str) -> str:
    """A target's name is its flavor, version and device; a user's own target may have one word only."""
    parts = target.split("-")
    return target if len(parts) < 3 else f"{parts[0]}-{parts[-1]}"
