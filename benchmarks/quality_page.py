"""The page of figures of the measurement: how good latencies are on one machine, beside the goals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.quality_figures import EFFORTS, SHORT_US, Spread, Trials, answers, plant, spreads
from trt_conformance.core.types import Effort
from trt_conformance.results.latency.recorded import device_of
from trt_conformance.results.record.record import Record

PROCESSES = 10
"""The spread is that of the first so many processes, whatever more there are."""
SPREAD_GOAL, PAIRS_GOAL, FOUND_GOAL = 0.01, 1000, 0.99
PERCENT, TRIALS, PER_SIDE, TOLERANCE = 2.0, 200, 4, 0.01
"""Planted delays: by how much, how many, the runs of each side, and the tolerance of the gate."""


@dataclass
class Figure:
    """A row of the table: what was counted, the goal of full latencies, and what each effort gave."""

    name: str
    goal: str = ""
    given: dict[Effort, str] = field(default_factory=dict)
    missed: bool = False
    """Whether full latencies miss the goal."""


def figures(runs: Mapping[Effort, Sequence[Record]]) -> list[Figure]:
    """All rows, from the runs of each effort."""
    rows = {name: Figure(name, goal) for name, goal in _ROWS.items()}
    for effort in EFFORTS:
        records = runs.get(effort, ())
        for name, text, is_met in _of_effort(effort, records) if len(records) > 1 else ():
            rows[name].given[effort] = text
            rows[name].missed |= effort == "full" and not is_met
    return list(rows.values())


_SHORT = f"spread of medians between {PROCESSES} processes, up to {SHORT_US} µs"
_LONG = f"the same above {SHORT_US} µs"
_SIZE = "processes, and cases in all of them"
_PAIRS = "pairs of runs of one thing that are called different, of all pairs"
_DELAY = f"planted delays of {PERCENT:g} % that are found, {PER_SIDE} runs a side"
_ALARM = "the same trials without a delay that are called different"
_ROWS = {
    _SIZE: f"{PROCESSES} processes",
    _SHORT: f"largest at most {SPREAD_GOAL:.0%}",
    _LONG: "",
    _PAIRS: f"0 of {PAIRS_GOAL} at least",
    _DELAY: f"{FOUND_GOAL:.0%} of {TRIALS} at least",
    _ALARM: "",
}


_HOW = (
    f"Delays are planted in cases up to {SHORT_US} µs, where there are any, and judged with a tolerance of "
    f"{TOLERANCE:.0%}. Pairs are judged with the gate's own, with and without the other runs as calibration."
)


def _of_effort(effort: Effort, records: Sequence[Record]) -> Iterator[tuple[str, str, bool]]:
    """A row's name, what was counted, and whether the goal is met."""
    mine = [row for row in spreads(records[:PROCESSES]) if row.key.effort == effort]
    yield _SIZE, f"{len(records)}, {len(mine)}", len(records) >= PROCESSES
    for name, is_short in ((_SHORT, True), (_LONG, False)):
        rows = [row for row in mine if row.is_short == is_short]
        if rows:
            yield name, _spread(rows), not is_short or max(row.ratio for row in rows) <= SPREAD_GOAL
    counted = [counts for (one, _), counts in answers(records).items() if one == effort]
    pairs, alarms = max(counts.total() for counts in counted), max(counts["different"] for counts in counted)
    yield _PAIRS, f"{alarms} of {pairs}", not alarms and pairs >= PAIRS_GOAL
    trials = _trials(effort, records)
    if trials is not None:
        yield _DELAY, f"{trials.found} of {trials.trials}", trials.share >= FOUND_GOAL
        yield _ALARM, f"{trials.alarmed} of {trials.trials}", True
    else:
        yield _DELAY, f"needs {2 * PER_SIDE} processes", False


def _trials(effort: Effort, records: Sequence[Record]) -> Trials | None:
    """Of short cases where there are any."""
    if len(records) < 2 * PER_SIDE:
        return None
    short = plant(records, PERCENT, TRIALS, PER_SIDE, TOLERANCE, SHORT_US)
    return (short if effort in short else plant(records, PERCENT, TRIALS, PER_SIDE, TOLERANCE, float("inf")))[effort]


def _spread(rows: Sequence[Spread]) -> str:
    ratios = [row.ratio for row in rows]
    middle, most = np.median(ratios), np.percentile(ratios, 90)
    return f"median {middle:.2%}, 90 % within {most:.2%}, largest {max(ratios):.2%} ({len(rows)} cases)"


def page(runs: Mapping[Effort, Sequence[Record]], rows: Sequence[Figure], commands: Sequence[str]) -> str:
    """The page in Markdown."""
    records = [record for each in runs.values() for record in each]
    header = records[0].header
    driver = f", driver {header.environment.device.driver}" if header.environment.device.driver else ""
    lines = ["# Figures of the measurement", ""]
    lines += [f"{', '.join(header.targets)} on {device_of(records[0])}{driver}, {header.started[:10]}.", ""]
    lines += ["```", *commands, "```", ""]
    lines += ["| | goal of full latencies | full | quick |", "| --- | --- | --- | --- |"]
    for row in rows:
        goal = f"{row.goal} ({'missed' if row.missed else 'met'})" if row.goal and "full" in row.given else row.goal
        lines.append(f"| {row.name} | {goal} | {row.given.get('full', '')} | {row.given.get('quick', '')} |")
    lines += ["", _HOW]
    lines += ["", "| case | mode | median µs | spread |", "| --- | --- | --- | --- |"]
    for effort in EFFORTS:
        for row in spreads(list(runs.get(effort, ()))[:PROCESSES]):
            if row.key.effort == effort:
                lines.append(f"| {row.key.case} | {row.key.timing_mode} | {row.median_us:.2f} | {row.ratio:.2%} |")
    return "\n".join(lines) + "\n"
