"""The settings of the latency gate, from a small TOML file and from options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from trt_conformance.catalog import source
from trt_conformance.catalog.explain import explain
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Model
from trt_conformance.core.words import choice, shown
from trt_conformance.results.record.record import record_path

TABLE = "latency"


class GateSettings(Model):
    """Settings of the gate: the table ``[latency]`` of its file.

    ``tolerance`` is the change, as a fraction, that is tolerated. ``calibration`` names records of repeated runs of
    one thing, from which the gate learns how much latencies vary. ``normalise`` divides each latency by that of the
    yardstick; ``across_devices`` and ``across_modes`` allow comparisons that are refused otherwise.
    """

    tolerance: Annotated[float, Field(ge=0.001, le=1.0, allow_inf_nan=False)] = 0.02
    calibration: Annotated[tuple[str, ...], Field(strict=False)] = ()
    normalise: bool = False
    across_devices: bool = False
    across_modes: bool = False


def read_gate_settings(path: Path | None, options: dict[str, Any]) -> GateSettings:
    """The settings of a file, with options of the command line in their place where these are not None.

    Paths in the file are relative to its folder.

    Raises:
        ConformanceError: the file cannot be read, is not TOML, has a key or a value that is not allowed, or names a
            record that does not exist, with file and line of each fault; or an option is not valid.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        GateSettings.model_validate(given)
    except ValidationError as error:
        found = [explain(detail, detail["loc"], GateSettings) for detail in error.errors()]
        raise ConformanceError("\n".join(f"--{message.replace('_', '-')}" for message in found)) from None
    try:
        return (_of_file(path) if path else GateSettings()).model_copy(update=given)
    except source.CaseFileError as error:
        raise ConformanceError("\n".join(map(str, error.faults))) from None


def _of_file(path: Path) -> GateSettings:
    file = source.read_source(path)
    for name in file.document:
        if name != TABLE:
            file.fault((name,), choice("unknown key", name, [TABLE]))
    settings = GateSettings()
    try:
        settings = GateSettings.model_validate(file.document.get(TABLE, {}))
    except ValidationError as error:
        for detail in error.errors():
            place = (TABLE, *detail["loc"])
            file.fault(place, explain(detail, place, GateSettings))
    records = [str(path.parent / name) for name in settings.calibration]
    for index, record in enumerate(records):
        if not _is_a_record(record):
            file.fault((TABLE, "calibration", index), f"calibration: there is no run record at {shown(record)}")
    if file.faults:
        raise source.CaseFileError(file.faults)
    return settings.model_copy(update={"calibration": tuple(records)})


def _is_a_record(name: str) -> bool:
    try:
        path = record_path(Path(name)) if Path(name).is_dir() else Path(name)
        return path is not None and path.is_file()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        return False
