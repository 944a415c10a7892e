"""The schema of a run record's lines: what the reader enforces, and what `reports/record.schema.json` publishes.

JSON Schema cannot relate the values of several fields. The rules that do are listed in `RULES`, which the published
schema repeats in its description. Everything else that the reader enforces is in the published schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT, relative
from trt_conformance.core.types import Effort, Mode, Phase
from trt_conformance.core.verdict import Status
from trt_conformance.core.words import dotted
from trt_conformance.results.record.builds import Rebuilds, Tactics
from trt_conformance.results.record.costs import EngineCost, QuickCost
from trt_conformance.results.record.evidence import Evidence
from trt_conformance.results.record.line import (
    LONGEST,
    SHORTEST,
    Amount,
    Fraction,
    Integer,
    Line,
    Rate,
    Sample,
    Seconds,
    Size,
)

SCHEMA_VERSION = 1
PATH = ROOT / "reports" / "record.schema.json"

MAX_DEPTH = 32
"""Levels of nesting in a line."""
MAX_SHARDS = 10_000

RULES = (
    "integers are written without a decimal point, and no key is repeated in an object",
    "text is Unicode: a key or value has no surrogate without its pair",
    f"a line is nested at most {MAX_DEPTH} levels deep",
    "times are dates that exist",
    f"the median of samples is at least {SHORTEST:g} s",
    "evidence: actual, expected and fraction have as many values as shape has elements",
    "evidence: worst, offset, shape and output_shape have the same length",
    "evidence: the terms' indices have the same lengths, and x_at has at most that of input_shape",
)


def _is_date(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Time = Annotated[
    str,
    Field(
        pattern=r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][+-]([01][0-9]|2[0-3]):[0-5][0-9]$"
    ),
    AfterValidator(_is_date),
]


class GpuKernel(Line):
    """A GPU kernel that a trace of the timed work shows, and how long it ran."""

    name: str
    seconds: Annotated[float, Field(ge=0, le=LONGEST)]
    kind: str = Field("", alias="class")


class EngineLayer(Line):
    """A layer of the engine, and the GPU kernel that TensorRT chose for it."""

    name: str = ""
    kernel: str = ""


class Work(Line):
    """What a latency's case computes: floating-point operations, and bytes that it must move at least."""

    precision: str = ""
    flops: Amount = 0.0
    bytes: Amount = 0.0


class Floor(Line):
    """The shortest time that the measured ceilings allow, and which of them sets it."""

    seconds: Annotated[float, Field(ge=0, le=LONGEST)]
    bound: str


class Facts(Line):
    """Facts of a timing.

    ``placements``: median seconds at each of several places in memory; ``one_place`` is what was in the same place all
    the time. ``sample_mhz``: the SM clock of each sample, or the one that all of them have. ``warm_input``: where
    caches were emptied, the input was in them again.
    """

    ceilings: dict[str, Rate] = {}
    placements: list[Sample] = []
    one_place: list[str] = []
    warm_input: bool = False
    sample_mhz: Size | list[Size] | None = None


class Figures(EngineCost):
    """Figures of a check, each where it applies. A check may add others.

    ``fraction`` is the part of the bound that the worst element uses, ``ran_in`` the precision that the
    engine reports, ``arithmetic`` the one that the digits of the output show, and ``output_sha256`` the
    first 16 hexadecimal digits of the hash of all output bits. ``engine`` says whether the engine was built,
    came from a cache, or is known to be refused; ``cache`` is what was wrong with the cache. ``duration_s`` are the
    seconds from the start of the test, or from its previous check, to the verdict.

    Of a latency: ``samples`` in seconds, each divided by the number of runs it covers; ``mode`` and ``cold_l2``
    say what was timed; ``yardstick`` are the times of a fixed GPU kernel beside it, in seconds. ``effort`` says how
    long it was measured, full where it is missing. A quick latency has an ``uncertainty``, the standard error of its
    median as a fraction of it, with the part that places in memory leave; ``cost_s``, the seconds it took; and
    ``reformat_share``, the fraction of the engine's layers that copy from one layout to another.

    ``bound_for`` is the basis of the layer's bound; ``further_bound_for`` has those of further layers, or one for all.

    Of a layer of a model, ``occurrences`` says how often it occurs, and ``batch`` in which batch size it is timed.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["samples"], "properties": {"samples": {"type": "array"}}},
            "then": {
                "required": ["mode", "cold_l2"],
                "properties": {"mode": {"type": "string"}, "cold_l2": {"type": "boolean"}},
            },
        }
    )

    fraction: Fraction | None = None
    ran_in: str | None = None
    arithmetic: str | None = None
    bound_for: str | None = None
    further_bound_for: list[str] | str | None = None
    kernel: str | None = None
    output_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    evidence: Evidence | None = None
    rerun: str | None = None
    engine: Literal["built", "cached", "remembered"] | None = None
    duration_s: Annotated[float, Field(ge=0, le=LONGEST)] | None = None
    cache: str | None = None
    mode: Mode | None = None
    cold_l2: bool | None = None
    effort: Effort | None = None
    uncertainty: Fraction | None = None
    cost_s: Annotated[float, Field(ge=0, le=LONGEST)] | None = None
    reformat_share: Annotated[float, Field(ge=0, le=1)] | None = None
    occurrences: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    batch: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    samples: Annotated[list[Sample], Field(min_length=1)] | None = None
    yardstick: list[Seconds] | None = None
    work: Work | None = None
    floor: Floor | None = None
    facts: Facts | None = None
    kernels: list[GpuKernel] | None = None
    layers: list[EngineLayer] | None = None
    notes: list[str] | None = None
    stopped: str | None = None
    rebuild: Rebuilds | None = None
    tactics: Tactics | None = None

    @model_validator(mode="after")
    def _is_a_latency(self) -> Figures:
        if self.samples is None:
            return self
        if self.mode is None or self.cold_l2 is None:
            raise ValueError("samples need mode and cold_l2")
        if median(self.samples) < SHORTEST:
            raise ValueError(f"the median of samples is below {SHORTEST:g} s")
        return self


class Shard(Line):
    """Which part of a run this is. ``tests`` is a hash of the names of the tests of all its parts."""

    index: Annotated[int, Field(ge=1, le=MAX_SHARDS)]
    of: Annotated[int, Field(ge=1, le=MAX_SHARDS)]
    tests: str


class Source(Line):
    """The commit that was tested, and whether the tree was clean; null if Git could not tell."""

    commit: str | None = None
    clean: bool | None = None


class Device(Line):
    """The first GPU, its driver and its clocks in MHz when the run began; or the reason why there is none."""

    gpu: str | None = None
    reason: str | None = None
    gpus: Size | None = None
    compute_capability: str | None = None
    memory_bytes: Size | None = None
    cuda_driver: str | None = None
    cuda_runtime: str | None = None
    driver: str | None = None


class Environment(Line):
    """Where a run ran: versions, source, device, and what each target reports about itself.

    ``unavailable`` are the targets that the run would have tested by default, had they worked on this machine, with
    the reasons why they do not.
    """

    harness: str | None = None
    python: str | None = None
    platform: str | None = None
    machine: str | None = None
    packages: dict[str, str] = {}
    source: Source = Source()
    device: Device = Device()
    targets: dict[str, dict[str, Any]] = {}
    unavailable: dict[str, str] = {}
    arguments: list[str] = []


class ListedFolder(Line):
    """A folder of cases and that of its goldens, as they were given; null if they are the suite's own."""

    path: str | None
    golden: str | None


class Part(Line):
    """One of the records that a merged record was made of, and where it ran.

    ``targets`` maps the names of its targets to their names in the merged record.
    """

    started: Time
    ended: Time | None
    shard: Shard | None
    targets: dict[str, str]
    environment: Environment


class RunLine(Line):
    """The first line. Where shards were merged, ``environment`` is what their machines have in common.

    ``case_folders`` are those of the cases; none is listed where they are the suite's own. ``goldens``: of each file of
    the suite's goldens the first 16 hexadecimal digits of its SHA-256.
    """

    kind: Literal["run"]
    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
    started: Time
    targets: list[str]
    environment: Environment
    shard: Shard | None = None
    case_folders: list[ListedFolder] = []
    goldens: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]] = {}
    merged: list[Part] | None = None


class VerdictLine(Line):
    """What one check of one case on one target found. ``known`` is the expectation that it met."""

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
    """The last line; the record of a run that was killed does not have one.

    ``stopped``: the run ended before all its tests had run, by Ctrl-C or after a failure (-x).
    """

    kind: Literal["end"]
    ended: Time
    counts: dict[str, Size] = {}
    exit: Integer | None = None
    stopped: bool = False
    engines: dict[str, dict[str, Size]] = {}
    quick_latencies: QuickCost | None = None


AnyLine = RunLine | VerdictLine | EndLine
_LINE: TypeAdapter[AnyLine] = TypeAdapter(Annotated[AnyLine, Field(discriminator="kind")])


class LineFault(ConformanceError):
    """A line that the schema refuses. The message names the field."""


def validated(entry: Any) -> AnyLine:
    """A line as its model. Raises LineFault with the first field that is wrong."""
    if _depth(entry) > MAX_DEPTH:
        raise LineFault(f"nested more than {MAX_DEPTH} levels deep")
    try:
        return _LINE.validate_python(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = dotted(_place(entry, first["loc"][1:], first["type"] == "missing"))
        message = first["msg"].removeprefix("Value error, ")
        raise LineFault(f"{place}: {message}" if place else message) from None


def _place(entry: Any, loc: tuple[int | str, ...], is_missing: bool) -> Iterator[int | str]:
    """The part of pydantic's path that exists in the entry: its other parts name alternatives of a type."""
    for part in loc:
        try:
            entry = entry[part]
        except (KeyError, IndexError, TypeError):
            if is_missing:
                yield part
            return
        yield part


def _depth(entry: Any) -> int:
    """Levels of nesting; counts no further than one level too many."""
    level = [entry]
    for depth in range(MAX_DEPTH + 1):
        found: list[Any] = []
        for value in level:
            parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            found += [part for part in parts if isinstance(part, (dict, list))]
        if not found:
            return depth
        level = found
    return MAX_DEPTH + 1


def record_schema() -> dict[str, Any]:
    """The JSON Schema of one line of a record."""
    rules = "; ".join(RULES)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a run record",
        "description": "A run record is a file of JSON Lines: one run, then verdicts, then one end. "
        f"A reader also enforces what JSON Schema cannot express: {rules}.",
        **_LINE.json_schema(),
    }


def rendered() -> str:
    """The schema as the text of `reports/record.schema.json`."""
    return json.dumps(record_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(path: Path = PATH) -> None:
    """Write the schema to a file."""
    path.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    write_schema()
    print(f"wrote {relative(PATH)}")
