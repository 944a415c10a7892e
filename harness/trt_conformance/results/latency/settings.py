"""How the latency gate judges, as a small TOML file or as options say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from trt_conformance.catalog.explain import explain
from trt_conformance.core.errors import ConformanceError, TomlError
from trt_conformance.core.toml import KeyLines, parse
from trt_conformance.core.types import Model


class GateSettings(Model):
    """Settings of the gate; the table ``[latency]`` of its file.

    ``tolerance`` is the change, as a fraction, that is let pass; ``calibration`` names records of one thing run
    several times, which tell how far latencies vary.
    """

    tolerance: Annotated[float, Field(ge=0.001, le=1.0)] = 0.02
    calibration: Annotated[tuple[str, ...], Field(strict=False)] = ()
    normalise: bool = False
    across_devices: bool = False
    across_modes: bool = False


def read_settings(path: Path | None, options: dict[str, Any]) -> GateSettings:
    """The settings of a file, its paths relative to it, with options given on the command line put over them.

    Raises:
        ConformanceError: the file cannot be read, is no TOML, or says what no gate knows; with its line.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if path is None:
        return GateSettings.model_validate(given)
    try:
        text = path.read_text(encoding="utf-8")
        document, lines = parse(text), KeyLines(text)
    except TomlError as fault:
        raise ConformanceError(f"{path}:{fault.line}: {fault}") from None
    except (OSError, UnicodeDecodeError) as fault:
        raise ConformanceError(f"{path}: cannot be read: {fault}") from None
    unknown = [
        f"{path}:{lines.line((name,))}: there is only the table [latency]" for name in document if name != "latency"
    ]
    if unknown:
        raise ConformanceError("\n".join(unknown))
    try:
        settings = GateSettings.model_validate(document.get("latency", {}))
    except ValidationError as fault:
        found = [(("latency", *detail["loc"]), detail) for detail in fault.errors()]
        raise ConformanceError(
            "\n".join(f"{path}:{lines.line(at)}: {explain(detail, at, GateSettings)}" for at, detail in found)
        ) from None
    records = tuple(str(path.parent / name) for name in settings.calibration)
    return settings.model_copy(update={"calibration": records} | given)
