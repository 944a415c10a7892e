"""The closing summary of a run: outcomes per target and phase, reasons, and the use of bounds."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from trt_conformance.core.check_names import QUICK_LATENCY
from trt_conformance.core.types import PHASES
from trt_conformance.core.verdict import FAULTS, NEUTRAL, Verdict
from trt_conformance.core.words import one_line, percent, printable
from trt_conformance.results.bound_use import bound_use, share
from trt_conformance.results.causes import reason_of_neutral
from trt_conformance.results.claims import DECISIVE_CHECKS

WORST_FIRST = ("error", "fail", "known", "fallback", "not run", "unsupported", "pass")
"""Outcomes from worst to best: the worst outcome of a case is its result."""
DIFFERS = (*FAULTS, "known")
"""Outcomes of a target that does not do what the case states."""
COLUMNS = ("pass", "fail", "error", "fallback", "known", "unsupported", "not run")


def outcome(verdict: Verdict) -> str:
    """The status, or ``known`` for a known difference."""
    return "known" if verdict.known else verdict.status


def case_outcome(verdicts: Sequence[Verdict]) -> str:
    """The worst fault of a case's checks; without a fault, the outcome of the decisive ones."""
    every = {outcome(verdict) for verdict in verdicts}
    for name in DIFFERS:
        if name in every:
            return name
    decisive = {outcome(v) for v in verdicts if v.check in ("forward", *DECISIVE_CHECKS)} or every
    return min(decisive, key=WORST_FIRST.index)


def counts(verdicts: Iterable[Verdict]) -> Counter[str]:
    return Counter(outcome(v) for v in verdicts)


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """The lines of a table with one row per target and phase, at most 80 columns wide for names of ordinary length."""
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for v in verdicts:
        cells[v.target, v.phase][outcome(v)] += 1
    widths = {name: max(len(name), *(len(str(row[name])) for row in cells.values())) + 2 for name in COLUMNS}
    lines = [f"{'phase':<9}" + "".join(f"{name:>{width}}" for name, width in widths.items())]
    for target in sorted({v.target for v in verdicts}):
        lines.append(one_line(target))
        for phase in PHASES:
            row = cells.get((target, phase))
            if row:
                numbers = "".join(f"{row[name] or '-':>{width}}" for name, width in widths.items())
                lines.append(f"  {phase:<7}{numbers}")
    return lines


def reasons(verdicts: Sequence[Verdict]) -> list[str]:
    """Per target, why checks were unsupported or not run: ``numpy: 12 unsupported: the reason``."""
    found = Counter((v.target, v.status, reason_of_neutral(v)) for v in verdicts if v.status in NEUTRAL and not v.known)
    return [printable(f"{target}: {n} {status}: {message}") for (target, status, message), n in sorted(found.items())]


def timing(verdicts: Iterable[Verdict], run_s: float) -> dict[str, float]:
    """What quick latencies cost a run of ``run_s`` seconds: how many were taken, and the seconds of all attempts.

    Empty if none was attempted.
    """
    mine = [v for v in verdicts if v.check == QUICK_LATENCY]
    if not mine:
        return {}
    taken = sum(v.status in ("pass", "fallback") for v in mine)
    seconds = sum(v.figures.get("cost_s", 0.0) for v in mine)
    return {"taken": taken, "not_taken": len(mine) - taken, "seconds": round(seconds, 3), "run_s": round(run_s, 3)}


def timing_lines(verdicts: Sequence[Verdict], run_s: float) -> list[str]:
    """``quick latencies: 924 in 13.2 s, 4.1 % of this run; median standard error 0.7 %``; empty without any."""
    cost = timing(verdicts, run_s)
    if not cost:
        return []
    mine = [v for v in verdicts if v.check == QUICK_LATENCY]
    known = [float(v.figures["uncertainty"]) for v in mine if "uncertainty" in v.figures]
    share = percent(cost["seconds"] / run_s)
    line = f"quick latencies: {cost['taken']} in {cost['seconds']:.1f} s, {share} of this run"
    if cost["not_taken"]:
        line += f"; {cost['not_taken']} not taken"
    error = median(known) if known else math.inf  # a series too short for an error counts as infinitely wide
    return [f"{line}; median standard error {percent(error)}" if math.isfinite(error) else line]


def bounds(verdicts: Sequence[Verdict]) -> list[str]:
    """Per target and arithmetic: the number of right outputs, and the largest fraction of a bound that they use."""
    return [
        one_line(
            f"{use.target}: {use.arithmetic}: {share(use.largest)}{f' ({use.case})' if use.largest else ''}; "
            f"{use.exact} of {use.outputs} outputs exact"
        )
        for use in bound_use(verdicts)
    ]


def known(verdicts: Sequence[Verdict]) -> list[str]:
    """Per target: the known differences that occurred, with their counts."""
    found = Counter((v.target, v.known) for v in verdicts if v.known)
    return [one_line(f"{target}: {name} ({n})") for (target, name), n in sorted(found.items())]


def engines(verdicts: Iterable[Verdict]) -> dict[str, Counter[str]]:
    """Per target: the numbers of engines that were built, cached or remembered as refused, and of cache faults."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    seen = set()
    for v in verdicts:
        if "engine" in v.figures and (v.target, v.case) not in seen:
            seen.add((v.target, v.case))
            counted[v.target][v.figures["engine"]] += 1
        if "cache" in v.figures:
            counted[v.target]["cache faults"] += 1
    return dict(counted)


def engine_lines(verdicts: Iterable[Verdict]) -> list[str]:
    """``tensorrt-8.6.1-sm90: engines: 12 built, 507 cached``."""
    return [
        one_line(f"{target}: engines: {', '.join(f'{n} {word}' for word, n in sorted(counted.items()))}")
        for target, counted in sorted(engines(verdicts).items())
    ]
