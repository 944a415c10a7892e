"""Whether a run's targets are what their names say: a user's own file may give a target any name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.flavors import FLAVORS
from trt_conformance.core.target_name import TargetName
from trt_conformance.results.record.record import Record


def posing(record: Record) -> str:
    """The file and class of a run's target that has the name of a registered one; "" if there is none.

    Such a target is a double of it: one that breaks, or is slower, on purpose.
    """
    asked = list(_asked(record))
    files = [word for word in asked if ".py:" in word]
    is_registered = any(TargetName.parse(name).flavor in FLAVORS for name in record.targets)
    return files[0] if files and len(files) == len(asked) and is_registered else ""


def without_doubles(records: Mapping[str, Record]) -> tuple[dict[str, Record], list[str]]:
    """The runs whose targets are the registered ones, and a line about each run that is left out.

    Raises:
        ConformanceError: all are of doubles.
    """
    doubles = {name: file for name, record in records.items() if (file := posing(record))}
    if len(doubles) == len(records):
        raise ConformanceError(
            f"no record has a registered target: {next(iter(doubles.values()))} only has the name of one"
        )
    notes = [
        f"{name} is left out: its target is {file}, not the registered one of that name"
        for name, file in doubles.items()
    ]
    return {name: record for name, record in records.items() if name not in doubles}, notes


def _asked(record: Record) -> Iterator[str]:
    """The values of ``--target`` in the arguments of a run, or of the parts that it was merged of."""
    parts = [part.environment for part in record.header.merged or ()] or [record.header.environment]
    for environment in parts:
        words = iter(environment.arguments)
        for word in words:
            if word == "--target":
                yield next(words, "")
            elif word.startswith("--target="):
                yield word.partition("=")[2]
