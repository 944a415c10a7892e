"""The settings of the gate, from a small TOML file and from options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from trt_conformance.catalog import source
from trt_conformance.catalog.explain import explain
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Model
from trt_conformance.core.words import choice, shown
from trt_conformance.results.record.record import record_path

Tolerance = Annotated[float, Field(ge=0.001, le=1.0, allow_inf_nan=False)]
Growth = Annotated[float, Field(ge=0.0, le=1000.0, allow_inf_nan=False)]


class LatencySettings(Model):
    """The table ``[latency]``.

    ``tolerance`` is the change, as a fraction, that is tolerated. ``calibration`` names records of repeated runs of
    one thing, from which the gate learns how much latencies vary. ``normalize`` divides each latency by that of the
    yardstick; ``across_devices`` and ``across_modes`` allow comparisons that are refused otherwise.
    """

    tolerance: Tolerance = 0.02
    calibration: Annotated[tuple[str, ...], Field(strict=False)] = ()
    normalize: bool = False
    across_devices: bool = False
    across_modes: bool = False


class EngineSettings(Model):
    """The table ``[engine]``: by which fraction of its size before a cost may grow; None does not judge it.

    Plans and device memory are judged engine by engine, the time of builds as the sum over all engines.
    """

    plan_bytes_tolerance: Growth | None = None
    device_memory_tolerance: Growth | None = None
    build_time_tolerance: Growth | None = None


class GateSettings(Model):
    """Both tables."""

    latency: LatencySettings = LatencySettings()
    engine: EngineSettings = EngineSettings()


TABLES: Mapping[str, type[Model]] = {"latency": LatencySettings, "engine": EngineSettings}


def read_gate_settings(path: Path | None, options: Mapping[str, Any]) -> GateSettings:
    """The settings of a file, with options of the command line in their place where these are not None.

    Paths in the file are relative to its folder. Options have the names of the settings; no two tables share one.

    Raises:
        ConformanceError: the file cannot be read, is not TOML, has a key or a value that is not allowed, or names a
            record that does not exist, with file and line of each fault; or an option is not valid.
    """
    given = {
        table: {name: options[name] for name in model.model_fields if options.get(name) is not None}
        for table, model in TABLES.items()
    }
    faults = []
    for table, model in TABLES.items():
        try:
            model.model_validate(given[table])
        except ValidationError as error:
            faults += [explain(detail, detail["loc"], model) for detail in error.errors()]
    if faults:
        raise ConformanceError("\n".join(f"--{message.replace('_', '-')}" for message in faults))
    try:
        settings = _of_file(path) if path else GateSettings()
    except source.CaseFileError as error:
        raise ConformanceError("\n".join(map(str, error.faults))) from None
    return GateSettings(
        latency=settings.latency.model_copy(update=given["latency"]),
        engine=settings.engine.model_copy(update=given["engine"]),
    )


def _of_file(path: Path) -> GateSettings:
    file = source.read_source(path)
    for name in file.document:
        if name not in TABLES:
            file.fault((name,), choice("unknown key", name, [*TABLES]))
    tables: dict[str, Any] = {}
    for name, model in TABLES.items():
        try:
            tables[name] = model.model_validate(file.document.get(name, {}))
        except ValidationError as error:
            for detail in error.errors():
                place = (name, *detail["loc"])
                file.fault(place, explain(detail, place, model))
    found = GateSettings.model_construct(**tables)
    records = [str(path.parent / name) for name in found.latency.calibration]
    for index, record in enumerate(records):
        if not _is_a_record(record):
            place = ("latency", "calibration", index)
            file.fault(place, f"calibration: there is no run record at {shown(record)}")
    if file.faults:
        raise source.CaseFileError(file.faults)
    return found.model_copy(update={"latency": found.latency.model_copy(update={"calibration": tuple(records)})})


def _is_a_record(name: str) -> bool:
    try:
        path = record_path(Path(name)) if Path(name).is_dir() else Path(name)
        return path is not None and path.is_file()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        return False
