"""The closing summary of a run: outcomes per target and phase, reasons, and the use of bounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from trt_conformance.core.types import PHASES
from trt_conformance.core.verdict import NEUTRAL, Verdict
from trt_conformance.core.words import one_line, printable
from trt_conformance.results.bound_use import bound_use, share

COLUMNS = ("pass", "fail", "error", "fallback", "known", "unsupported", "not run")


def outcome(verdict: Verdict) -> str:
    """The status, or ``known`` for a known difference."""
    return "known" if verdict.known else verdict.status


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
    """Per target: the reasons why checks were unsupported or not run, with their counts."""
    found = Counter((v.target, v.status, v.message) for v in verdicts if v.status in NEUTRAL and not v.known)
    return [printable(f"{target}: {status} {n}: {message}") for (target, status, message), n in sorted(found.items())]


def bounds(verdicts: Sequence[Verdict]) -> list[str]:
    """Per target and arithmetic: the number of compared outputs, and the largest fraction of a bound that they used."""
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
