"""Latency and use of the error bound over many runs: a SQLite database made of their records, and the trends in it.

A target's name holds its version, so that a trend is named by the flavour before the first ``-``; where some run has
two targets of a flavour, by the full name.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal

from harness.errors import ConformanceError
from harness.files import replacing
from harness.latency.statistics import Summary, percent, seconds, summarise
from harness.record import FILE_NAME, Record, read
from harness.verdict import REFERENCE, Verdict

APPLICATION_ID = 0x54435648
"""Marks a SQLite file as a history, so that no other is overwritten."""

_TABLES = """
create table run (id integer primary key, path text not null, started text not null, complete integer not null);
create table fact (run integer not null references run, target text not null, name text not null, value text not null,
    primary key (run, target, name)) without rowid;
create table latency (run integer not null references run, case_id text not null, target text not null,
    series text not null, mode text not null, cold_l2 integer not null, count integer not null, median real not null,
    error real, p1 real not null, p5 real not null, p25 real not null, p75 real not null, p95 real not null,
    p99 real not null, primary key (run, case_id, target, mode, cold_l2));
create table fraction (run integer not null references run, case_id text not null, target text not null,
    series text not null, fraction real not null, primary key (run, case_id, target));
"""
_COLUMNS = ("count", "median", "error", "p1", "p5", "p25", "p75", "p95", "p99")
# What a fact of the device is called among the changes; of a target all plain facts count.
_DEVICE = {"gpu": "GPU", "driver": "driver", "cuda_driver": "CUDA driver", "cuda_runtime": "CUDA runtime"}
_NOISE = 2.0
"""A change counts where it is larger than so many standard errors."""
_ENOUGH = 3
_NORMAL_MAD = 0.6745
"""The median distance from its middle of a normal distribution with standard deviation 1."""

Quantity = Literal["latency", "error fraction"]


@dataclass(frozen=True)
class Run:
    """A run in a history."""

    number: int
    path: str
    started: str
    complete: bool
    facts: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Point:
    """A value in one run. ``low`` and ``high``: percentiles 5 and 95 of a latency's samples; ``error``: the standard
    error of its median as a fraction. An error fraction is one number, and has neither.
    """

    run: int
    target: str
    value: float
    low: float
    high: float
    error: float
    count: int
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trend:
    """A quantity of a case on a target over the runs that hold it. ``way``: mode and cache of a latency."""

    quantity: Quantity
    case: str
    series: str
    way: str
    points: tuple[Point, ...]

    @property
    def first(self) -> Point:
        return self.points[0]

    @property
    def last(self) -> Point:
        return self.points[-1]

    @cached_property
    def ratio(self) -> float:
        """The last value over the first."""
        if self.last.value == self.first.value:
            return 1.0
        return self.last.value / self.first.value if self.first.value else math.inf

    @property
    def size(self) -> float:
        """How far it moved, up or down: a logarithm for latencies, a difference for error fractions."""
        if self.quantity == "error fraction":
            return _distance(self.first.value, self.last.value)
        return abs(math.log(self.ratio))

    @property
    def moved(self) -> bool:
        """Whether it changed by more than noise explains."""
        return self.size > _NOISE * self.error

    @cached_property
    def error(self) -> float:
        """The standard error of the last value over the first: of the samples, or, where larger, from run to run.

        The usual step between neighbouring runs tells the latter, as few of them are true changes; below
        `_ENOUGH` steps nothing does.
        """
        if self.quantity == "error fraction":
            return 0.0
        within = math.hypot(self.first.error, self.last.error)
        steps = [abs(math.log(now.value / before.value)) for before, now in pairwise(self.points)]
        return max(within, median(steps) / _NORMAL_MAD) if len(steps) >= _ENOUGH else within

    @cached_property
    def step(self) -> Point | None:
        """The point with the largest step from the one before; None where all are equal."""
        steps = [(_distance(before.value, now.value), now) for before, now in pairwise(self.points)]
        size, point = max(steps, key=lambda step: step[0], default=(0.0, self.first))
        return point if size else None

    @property
    def step_text(self) -> str:
        """When that was, and the versions and devices that changed with it."""
        return ": ".join(filter(None, (f"run {self.step.run}", "; ".join(self.step.changed)))) if self.step else ""

    def text(self, point: Point) -> str:
        """A value with how sure it is."""
        if self.quantity == "latency":
            return f"{seconds(point.value)} ±{percent(point.error)} (n={point.count})"
        return f"{point.value:.3g}"

    @property
    def change(self) -> str:
        """How the last value differs from the first."""
        if len(self.points) < 2:
            return "one run"
        if self.quantity == "error fraction":
            return "same" if self.ratio == 1 else f"{self.last.value - self.first.value:+.3g}"
        text = f"{100 * (self.ratio - 1):+.1f} % ±{percent(self.ratio * self.error)}"
        return text if self.moved else f"{text}, noise"

    def to_json(self) -> dict[str, Any]:
        """JSON values: what is not finite as text."""
        points = [
            {key: str(value) if isinstance(value, float) and not math.isfinite(value) else value for key, value in p}
            for p in (vars(point).items() for point in self.points)
        ]
        named = {"quantity": self.quantity, "case": self.case, "target": self.series, "way": self.way}
        return named | {"change": self.change, "moved": self.moved, "points": points}


def _distance(before: float, now: float) -> float:
    """How far apart two values are; infinities that stay have not moved."""
    return 0.0 if before == now else abs(now - before)


@dataclass(frozen=True)
class History:
    """Runs in the order they were started, and the trends over them: those that changed most first."""

    runs: tuple[Run, ...]
    trends: tuple[Trend, ...]

    def of(self, quantity: Quantity) -> tuple[Trend, ...]:
        return tuple(trend for trend in self.trends if trend.quantity == quantity)

    @property
    def moved(self) -> tuple[Trend, ...]:
        return tuple(trend for trend in self.trends if trend.moved)

    def changes(self) -> Iterator[tuple[Run, str]]:
        """Each change of a version, with the first run that has it."""
        for before, now in pairwise(self.runs):
            yield from ((now, text) for text in _changed(before.facts, now.facts, None))

    def to_json(self) -> dict[str, Any]:
        return {
            "runs": [
                {"run": r.number, "path": r.path, "started": r.started, "complete": r.complete} for r in self.runs
            ],
            "versions": [{"run": run.number, "change": text} for run, text in self.changes()],
            "trends": [trend.to_json() for trend in self.trends],
        }


def history(paths: Sequence[Path], database: Path | None = None) -> History:
    """The history of runs, kept in a file where one is named, which is rebuilt whole or left as it was.

    Args:
        paths: run records, their folders, or folders of such folders.

    Raises:
        ConformanceError: a record cannot be read or used, or the file is no history or cannot be written.
    """
    found = [(path, read(path)) for path in dict.fromkeys(part.resolve() for path in paths for part in _records(path))]
    found.sort(key=lambda one: datetime.fromisoformat(one[1].header["started"]))
    if database is None:
        with closing(sqlite3.connect(":memory:")) as connection:
            _fill(connection, found)
            return _load(connection)
    _check_ours(database)
    try:
        with replacing(database) as partial, closing(sqlite3.connect(partial)) as connection:
            _fill(connection, found)
            return _load(connection)
    except (OSError, sqlite3.Error) as fault:
        raise ConformanceError(f"{database}: cannot be written: {fault}") from None


def _records(path: Path) -> list[Path]:
    """The records that a path stands for; itself where it is none, so that reading it says what is wrong."""
    if path.is_dir() and not (path / FILE_NAME).exists():
        below = sorted(path.glob(f"*/{FILE_NAME}"))
        if not below:
            raise ConformanceError(f"{path}: holds no run record")
        return below
    return [path / FILE_NAME if path.is_dir() else path]


def _check_ours(database: Path) -> None:
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("pragma application_id").fetchone()
    except (OSError, sqlite3.Error) as fault:
        raise ConformanceError(f"{database}: exists and is no history, so it is left as it is: {fault}") from None
    if found != APPLICATION_ID:
        raise ConformanceError(f"{database}: exists and is no history, so it is left as it is")


def _fill(connection: sqlite3.Connection, found: Sequence[tuple[Path, Record]]) -> None:
    connection.executescript(f"pragma application_id = {APPLICATION_ID};{_TABLES}")
    split = _split_families([record for _, record in found])
    with connection:
        for number, (path, record) in enumerate(found, start=1):
            row = (number, str(path), record.header["started"], record.complete)
            connection.execute("insert into run values (?, ?, ?, ?)", row)
            with _usable(f"{path}: the environment"):
                facts = ((number, *fact) for fact in _facts(record))
                connection.executemany("insert into fact values (?, ?, ?, ?)", facts)
            for verdict in record.verdicts:
                if verdict.target != REFERENCE:
                    family = verdict.target.partition("-")[0]
                    with _usable(f"{path}: {verdict.case} on {verdict.target}"):
                        _insert(connection, number, verdict.target if family in split else family, verdict)


@contextmanager
def _usable(what: str) -> Iterator[None]:
    """Says of which part of a record no use can be made."""
    try:
        yield
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as fault:
        raise ConformanceError(f"{what}: cannot be used: {fault!r}") from None


def _insert(connection: sqlite3.Connection, number: int, series: str, verdict: Verdict) -> None:
    figures = verdict.figures
    key = (number, verdict.case, verdict.target, series)
    if verdict.phase == "latency" and verdict.status in ("pass", "fallback") and figures.get("samples"):
        summary: Summary = summarise(figures["samples"])
        values = [getattr(summary, name) for name in _COLUMNS]
        row = (*key, str(figures["mode"]), bool(figures["cold_l2"]), *values)
        connection.execute(f"insert or replace into latency values ({', '.join('?' * len(row))})", row)  # noqa: S608
    elif verdict.check == "forward" and figures.get("fraction") is not None:
        fraction = float(figures["fraction"])
        row = (*key, math.inf if math.isnan(fraction) else fraction)
        connection.execute("insert or replace into fraction values (?, ?, ?, ?, ?)", row)


def _split_families(records: Sequence[Record]) -> set[str]:
    """The flavours of which some run has two targets."""
    found = set()
    for record in records:
        families = [target.partition("-")[0] for target in record.targets]
        found |= {family for family in families if families.count(family) > 1}
    return found


def _facts(record: Record) -> Iterator[tuple[str, str, str]]:
    """Versions and devices: target (empty for the machine), name, value."""
    environment = record.header["environment"]
    device = environment.get("device", {})
    yield from (("", label, str(device[name])) for name, label in _DEVICE.items() if device.get(name))
    for target, facts in environment.get("targets", {}).items():
        for name, value in facts.items():
            if isinstance(value, str | int | float):
                yield target, name, str(value)


def _load(connection: sqlite3.Connection) -> History:
    facts: dict[int, dict[tuple[str, str], str]] = {}
    for run, target, name, value in connection.execute("select run, target, name, value from fact"):
        facts.setdefault(run, {})[target, name] = value
    rows = connection.execute("select id, path, started, complete from run order by id")
    runs = tuple(Run(run, path, started, bool(complete), facts.get(run, {})) for run, path, started, complete in rows)
    trends = [*_latencies(connection, facts), *_fractions(connection, facts)]
    trends.sort(key=lambda trend: (len(trend.points) < 2, not trend.moved, -trend.size, trend.case, trend.series))
    return History(runs, tuple(trends))


_Facts = Mapping[int, Mapping[tuple[str, str], str]]


def _latencies(connection: sqlite3.Connection, facts: _Facts) -> Iterator[Trend]:
    groups: dict[tuple[str, str, str], list[Point]] = {}
    rows = connection.execute(
        "select case_id, series, mode, cold_l2, run, target, median, p5, p95, error, count from latency order by run"
    )
    for case, series, mode, cold, *point in rows:
        way = f"{mode}, {'cold' if cold else 'warm'}"
        groups.setdefault((case, series, way), []).append(Point(*point))
    for (case, series, way), points in groups.items():
        yield Trend("latency", case, series, way, _marked(points, facts))


def _fractions(connection: sqlite3.Connection, facts: _Facts) -> Iterator[Trend]:
    groups: dict[tuple[str, str], list[Point]] = {}
    rows = connection.execute("select case_id, series, run, target, fraction from fraction order by run")
    for case, series, run, target, fraction in rows:
        groups.setdefault((case, series), []).append(Point(run, target, fraction, fraction, fraction, 0.0, 1))
    for (case, series), points in groups.items():
        yield Trend("error fraction", case, series, "", _marked(points, facts))


def _marked(points: Sequence[Point], facts: _Facts) -> tuple[Point, ...]:
    """The points with what changed since the one before."""
    found = [points[0]]
    for before, now in pairwise(points):
        changed = _changed(facts.get(before.run, {}), facts.get(now.run, {}), (before.target, now.target))
        found.append(replace(now, changed=changed))
    return tuple(found)


def _changed(
    before: Mapping[tuple[str, str], str], now: Mapping[tuple[str, str], str], targets: tuple[str, str] | None
) -> tuple[str, ...]:
    """Facts of both sides that differ, in words: those of the machine and of one target, or of all, by flavour."""
    old, new = (
        {
            (target.partition("-")[0], name): value
            for (target, name), value in side.items()
            if target in ("", *((targets[index],) if targets else (target,)))
        }
        for index, side in enumerate((before, now))
    )
    # The machine says its GPU for all targets.
    machine = "GPU" in {name for target, name in old if not target}
    return tuple(
        f"{flavour} {name} {old[flavour, name]} → {value}".strip()
        for (flavour, name), value in new.items()
        if old.get((flavour, name), value) != value
        and not (machine and name in ("gpu", "sm", "gpu_memory", "multiprocessors"))
    )
