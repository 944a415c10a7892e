"""Latency, use of the error bound and size of engines over many runs: a SQLite database made of their records, and the
trends in it.

A target's name holds its version, so that a trend is named by the flavor before the first ``-``; where some run has
two targets of a flavor, by the full name.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import replacing
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.verdict import REFERENCE, Verdict
from trt_conformance.core.words import cache_word
from trt_conformance.numerics.samples import PERCENTILES, Summary, summarize
from trt_conformance.results.engine_costs import EngineFigures, engine_costs
from trt_conformance.results.latency.models import ModelLatency, model_latencies, whole
from trt_conformance.results.latency.recorded import effort_of
from trt_conformance.results.record.own_targets import without_doubles
from trt_conformance.results.record.record import Record, read_record, record_paths
from trt_conformance.results.trends import SIZES, History, HistoryRun, Quantity, Trend, TrendPoint, _changed

APPLICATION_ID = 0x54435648
"""Marks a SQLite file as a history, so that no other file is overwritten."""

_TABLES = """
create table run (id integer primary key, path text not null, started text not null, complete integer not null);
create table fact (run integer not null references run, target text not null, name text not null, value text not null,
    primary key (run, target, name)) without rowid;
create table latency (run integer not null references run, case_id text not null, target text not null,
    series text not null, mode text not null, cache text not null, effort text not null, kernels text,
    count integer not null, median real not null, error real, p1 real not null, p5 real not null, p25 real not null,
    p75 real not null, p95 real not null, p99 real not null, primary key (run, case_id, target, mode, cache, effort));
create table fraction (run integer not null references run, case_id text not null, target text not null,
    series text not null, fraction real not null, primary key (run, case_id, target));
create table size (run integer not null references run, case_id text not null, target text not null,
    series text not null, quantity text not null, bytes integer not null,
    primary key (run, case_id, target, quantity));
"""
_COLUMNS = ("count", "median", "error", "p1", "p5", "p25", "p75", "p95", "p99")
# What a fact of the device is called among the changes; of a target all plain facts count.
_DEVICE = {"gpu": "GPU", "driver": "driver", "cuda_driver": "CUDA driver", "cuda_runtime": "CUDA runtime"}


def history(paths: Sequence[Path], database: Path | None = None) -> History:
    """The history of runs. A database file, if named, is rebuilt whole or left unchanged.

    Runs of doubles, targets from a file that have the name of a registered one, are left out.

    Args:
        paths: run records, their folders, or folders of such folders.

    Raises:
        ConformanceError: a record cannot be read, all are of doubles, or the file is no history or cannot be written.
    """
    found, notes = without_doubles({str(path): read_record(path) for path in record_paths(paths)})
    if database is None:
        return replace(history_of(found), notes=tuple(notes))
    _check_ours(database)
    try:
        with replacing(database) as partial, closing(sqlite3.connect(partial)) as connection:
            _fill(connection, found)
            return replace(_trends(connection), notes=tuple(notes))
    except ConformanceError:
        raise
    except (OSError, sqlite3.Error) as fault:
        raise ConformanceError(f"{database}: cannot be written: {fault}") from None


def history_of(records: Mapping[str, Record]) -> History:
    """The history of records, given by the names under which it lists them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        _fill(connection, records)
        return _trends(connection)


def _check_ours(database: Path) -> None:
    if not database.exists():
        return
    if not database.is_file():
        raise ConformanceError(f"{database}: is a folder and is not a history, so it is not overwritten")
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("pragma application_id").fetchone()
    except (OSError, sqlite3.Error) as fault:
        raise ConformanceError(f"{database}: exists and is not a history, so it is not overwritten: {fault}") from None
    if found != APPLICATION_ID:
        raise ConformanceError(f"{database}: exists and is not a history, so it is not overwritten")


def _fill(connection: sqlite3.Connection, records: Mapping[str, Record]) -> None:
    found = sorted(records.items(), key=lambda one: datetime.fromisoformat(one[1].header.started))
    connection.executescript(f"pragma application_id = {APPLICATION_ID};{_TABLES}")
    split = _split_families([record for _, record in found])
    with connection:
        for number, (path, record) in enumerate(found, start=1):
            row = (number, _encodable(path), record.header.started, record.complete)
            connection.execute("insert into run values (?, ?, ?, ?)", row)
            facts = ((number, *map(_encodable, fact)) for fact in _facts(record))
            connection.executemany("insert into fact values (?, ?, ?, ?)", facts)
            for verdict in record.verdicts:
                if verdict.target != REFERENCE:
                    _insert(connection, number, _series(verdict.target, split), verdict)
            for cost in engine_costs(v for v in record.verdicts if v.target != REFERENCE):
                _insert_sizes(connection, number, _series(cost.target, split), cost)
            for model in whole(model_latencies(record.verdicts)):
                _insert_model(connection, number, _series(model.key.target, split), model)


def _encodable(text: str) -> str:
    """The text with escapes for half surrogate pairs, which SQLite cannot store."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _insert(connection: sqlite3.Connection, number: int, series: str, verdict: Verdict) -> None:
    figures = verdict.figures
    key = (number, *map(_encodable, (verdict.case, verdict.target, series)))
    if verdict.phase == "latency" and verdict.status in ("pass", "fallback") and figures.get("samples"):
        summary: Summary = summarize(figures["samples"])
        values = [getattr(summary, name) for name in _COLUMNS]
        values[_COLUMNS.index("error")] = float(figures.get("uncertainty", summary.error))
        row = (*key, figures["mode"], cache_word(figures), effort_of(verdict), _kernels(verdict), *values)
        connection.execute(f"insert or replace into latency values ({', '.join('?' * len(row))})", row)  # noqa: S608
    elif verdict.check == "forward" and figures.get("fraction") is not None and not verdict.known:
        fraction = float(figures["fraction"])
        row = (*key, math.inf if math.isnan(fraction) else fraction)
        connection.execute("insert or replace into fraction values (?, ?, ?, ?, ?)", row)


def _kernels(verdict: Verdict) -> str | None:
    """The GPU kernels of the engine's layers in one text; None if a layer names none."""
    names = [str(layer.get("kernel") or "") for layer in verdict.figures.get("layers") or ()]
    return _encodable(" + ".join(sorted(names))) if names and all(names) else None


def _insert_sizes(connection: sqlite3.Connection, number: int, series: str, cost: EngineFigures) -> None:
    for quantity, size in zip(SIZES, (cost.plan, cost.device_memory), strict=True):
        if size is not None:
            row = (number, *map(_encodable, (cost.case, cost.target, series)), quantity, size)
            connection.execute("insert or replace into size values (?, ?, ?, ?, ?, ?)", row)


def _series(target: str, split: set[str]) -> str:
    flavor = TargetName.parse(target).flavor
    return target if flavor in split else flavor


def _insert_model(connection: sqlite3.Connection, number: int, series: str, model: ModelLatency) -> None:
    """A model as a latency of its own; its percentiles are those of a normal distribution of its error."""
    key, error = model.key, model.seconds * model.error
    spread = {f"p{p}": max(0.0, model.seconds + NormalDist().inv_cdf(p / 100) * error) for p in PERCENTILES}
    values = {"count": model.convolutions, "median": model.seconds, "error": model.error, **spread}
    place = (number, *map(_encodable, (model.title, key.target, series)), key.mode, key.cache, key.effort)
    row = (*place, None, *(values[column] for column in _COLUMNS))
    connection.execute(f"insert or replace into latency values ({', '.join('?' * len(row))})", row)  # noqa: S608


def _split_families(records: Sequence[Record]) -> set[str]:
    """The flavors of which some run has two targets."""
    found = set()
    for record in records:
        families = [TargetName.parse(target).flavor for target in record.targets]
        found |= {family for family in families if families.count(family) > 1}
    return found


def _facts(record: Record) -> Iterator[tuple[str, str, str]]:
    """Versions and devices: target (empty for the machine), name, value."""
    environment = record.header.environment
    device = environment.device.to_json()
    yield from (("", label, str(device[name])) for name, label in _DEVICE.items() if device.get(name))
    for target, facts in environment.targets.items():
        for name, value in facts.items():
            if isinstance(value, str | int | float):
                yield target, name, str(value)


def _trends(connection: sqlite3.Connection) -> History:
    facts: dict[int, dict[tuple[str, str], str]] = {}
    for run, target, name, value in connection.execute("select run, target, name, value from fact"):
        facts.setdefault(run, {})[target, name] = value
    rows = connection.execute("select id, path, started, complete from run order by id")
    runs = tuple(
        HistoryRun(run, path, started, bool(complete), facts.get(run, {})) for run, path, started, complete in rows
    )
    trends = [*_latencies(connection, facts), *_fractions(connection, facts), *_sizes(connection, facts)]
    trends.sort(key=lambda trend: (len(trend.points) < 2, not trend.moved, -trend.size, trend.case, trend.series))
    return History(runs, tuple(trends))


_Facts = Mapping[int, Mapping[tuple[str, str], str]]


def _latencies(connection: sqlite3.Connection, facts: _Facts) -> Iterator[Trend]:
    groups: dict[tuple[str, str, str], list[TrendPoint]] = {}
    rows = connection.execute(
        "select case_id, series, mode, cache, effort, run, target, median, p5, p95, error, count, kernels "
        "from latency order by run"
    )
    for case, series, mode, cache, effort, *point in rows:
        way = f"{'quick ' * (effort == 'quick')}{mode}, {cache}"
        groups.setdefault((case, series, way), []).append(TrendPoint(*point))
    for (case, series, way), points in groups.items():
        yield Trend("latency", case, series, way, _marked(points, facts))


def _fractions(connection: sqlite3.Connection, facts: _Facts) -> Iterator[Trend]:
    groups: dict[tuple[str, str], list[TrendPoint]] = {}
    rows = connection.execute("select case_id, series, run, target, fraction from fraction order by run")
    for case, series, run, target, fraction in rows:
        groups.setdefault((case, series), []).append(TrendPoint(run, target, fraction, fraction, fraction, 0.0, 1))
    for (case, series), points in groups.items():
        yield Trend("error fraction", case, series, "", _marked(points, facts))


def _sizes(connection: sqlite3.Connection, facts: _Facts) -> Iterator[Trend]:
    groups: dict[tuple[Quantity, str, str], list[TrendPoint]] = {}
    rows = connection.execute("select quantity, case_id, series, run, target, bytes from size order by run")
    for quantity, case, series, run, target, size in rows:
        groups.setdefault((quantity, case, series), []).append(TrendPoint(run, target, size, size, size, 0.0, 1))
    for (quantity, case, series), points in groups.items():
        yield Trend(quantity, case, series, "", _marked(points, facts))


def _marked(points: Sequence[TrendPoint], facts: _Facts) -> tuple[TrendPoint, ...]:
    """The points with what changed since the one before."""
    found = [points[0]]
    for before, now in pairwise(points):
        changed = _changed(facts.get(before.run, {}), facts.get(now.run, {}), (before.target, now.target))
        if before.kernels and now.kernels and before.kernels != now.kernels:
            changed += ("other kernels",)
        found.append(replace(now, changed=changed))
    return tuple(found)
