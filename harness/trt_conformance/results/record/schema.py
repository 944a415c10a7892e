"""What the lines of a run record hold: checked when one is read, and published as a JSON Schema."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from trt_conformance.core.paths import ROOT, relative
from trt_conformance.core.types import Phase
from trt_conformance.core.verdict import Status

SCHEMA_VERSION = 1
PATH = ROOT / "reports" / "record.schema.json"


def _is_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$"), AfterValidator(_is_time)]
# JSON has no infinities and no NaN: records write them as text.
Number = float | Literal["inf", "-inf", "nan"]
Index = list[int]


class Line(BaseModel):
    """Known keys are checked; others are let pass, so that a record may say more than this program reads."""

    model_config = ConfigDict(extra="allow", strict=True)


class Term(Line):
    """One product of the sum behind an output element. Where ``x_at`` lies outside the input, padding is read."""

    x_at: Index
    w_at: Index
    x: Number
    w: Number
    product: Number


class Evidence(Line):
    """The output around the worst element of a failure, flat in C order, and that element's terms.

    ``offset`` is where the crop begins in the output. Of more terms than are kept, those of largest
    magnitude are.
    """

    input_shape: Index
    output_shape: Index
    worst: Index
    offset: Index
    shape: Index
    actual: list[Number]
    expected: list[Number]
    fraction: list[Number]
    terms: list[Term]
    terms_total: int
    bias: Number


class Figures(Line):
    """Figures of a check that readers of records rely on, each where it applies; a check may add its own.

    ``fraction`` is the part of the bound that the worst element uses, ``ran_in`` the precision that the
    engine reports, ``arithmetic`` the one that the output's own digits show, and ``output_sha256`` the
    first 16 hexadecimal digits of the hash of all output bits. ``engine`` tells whether the engine was built,
    in ``build_s`` seconds, came from a cache, or was refused before, which is remembered; ``cache`` what was
    wrong with the cache.
    """

    fraction: Number | None = None
    ran_in: str | None = None
    arithmetic: str | None = None
    kernel: str | None = None
    output_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    evidence: Evidence | None = None
    rerun: str | None = None
    engine: Literal["built", "cached", "remembered"] | None = None
    build_s: float | None = None
    cache: str | None = None


class Shard(Line):
    """Which part of a run this is: ``tests`` hashes the names of the tests of all its parts."""

    index: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=1)]
    tests: str


class Environment(Line):
    """Where a run ran. ``source`` holds the commit and whether the tree was clean; ``device`` the GPU or a reason."""

    python: str | None = None
    platform: str | None = None
    packages: dict[str, str] = {}
    source: dict[str, Any] = {}
    device: dict[str, Any] = {}
    targets: dict[str, dict[str, Any]] = {}
    arguments: list[str] = []


class Part(Line):
    """One of the records that a merged record was made of, and where it ran. ``targets`` are its names for them."""

    started: Time
    ended: Time | None
    shard: Shard | None
    targets: dict[str, str]
    environment: Environment


class RunLine(Line):
    """The first line. Where shards were merged, ``environment`` holds what their machines share."""

    kind: Literal["run"]
    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
    started: Time
    targets: list[str]
    environment: Environment
    shard: Shard | None = None
    merged: list[Part] | None = None


class VerdictLine(Line):
    """What one check of one case on one target found. ``known`` names the expectation it met."""

    kind: Literal["verdict"]
    case: str
    target: str
    phase: Phase
    status: Status
    check: str = ""
    message: str = ""
    location: str = ""
    claims: list[str] = []
    figures: Figures = Figures()
    known: str = ""


class EndLine(Line):
    """The last line; a record without one belongs to a run that was killed.

    stopped: it ended before all its tests had run, by Ctrl-C or after a failure (-x).
    """

    kind: Literal["end"]
    ended: Time
    counts: dict[str, int] = {}
    exit: int | None = None
    stopped: bool = False
    engines: dict[str, dict[str, int]] = {}


_LINE: TypeAdapter[Any] = TypeAdapter(Annotated[RunLine | VerdictLine | EndLine, Field(discriminator="kind")])


def fault(entry: Any) -> str:
    """What is wrong with a line, in words; empty where nothing is."""
    try:
        _LINE.validate_python(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    return ""


def record_schema() -> dict[str, Any]:
    """The JSON Schema of one line of a record."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a run record",
        "description": "A run record is a file of JSON Lines: one run, then verdicts, then one end.",
        **_LINE.json_schema(),
    }


def rendered() -> str:
    """The schema as `reports/record.schema.json` holds it."""
    return json.dumps(record_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(path: Path = PATH) -> None:
    """Write the schema to a file."""
    path.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    write_schema()
    print(f"wrote {relative(PATH)}")
