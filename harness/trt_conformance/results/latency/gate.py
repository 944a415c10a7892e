"""Whether one run's latencies differ from another's, by how much, and whether that can be known at all.

Two runs of the same thing differ by more than their samples show: clocks, memory and the scheduler settle differently
in each. So the spread between runs counts beside the spread within them (Kalibera and Jones, Quantifying Performance
Changes with Effect Size Confidence Intervals, arXiv:2007.10899). The effect is the ratio of medians. The variance of
a median's logarithm is the largest of three: the square of its standard error (`numerics.samples`), that of
the mean over places in memory (`targets.timing.gpu`), and the variance between repeated runs
(`results.latency.calibration`). The interval is Student's.

Of many cases some differ by chance, so p-values are corrected as Holm does (Scandinavian Journal of Statistics 6,
1979). "Same" needs evidence too: the interval must lie within the tolerance (Schuirmann, Journal of Pharmacokinetics
and Biopharmaceutics 15, 1987). What is neither is ambiguous.

What became slower is confirmed in clock cycles, where the SM clock of each sample is known: a lower clock is not a
slower kernel.

Quick and full latencies are never compared with each other, and are corrected apart. A quick latency is tolerated as
much as it can tell: within twice the half width of its interval, where that is more than the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Effort, Mode
from trt_conformance.core.words import one_line, percent, seconds
from trt_conformance.numerics.samples import batches_of
from trt_conformance.results.latency.calibration import UNCALIBRATED, Thresholds, calibrate
from trt_conformance.results.latency.device_change import DeviceChange
from trt_conformance.results.latency.recorded import (
    Key,
    SameKernels,
    Timing,
    device_of,
    kernel_change,
    medians,
    timings,
)
from trt_conformance.results.latency.student_t import quantile, two_sided
from trt_conformance.results.record.record import Record

Answer = Literal["same", "different", "ambiguous"]

TOLERANCE = 0.02
"""A change of less than this fraction is tolerated."""
CONFIDENCE = 0.95
RESOLUTION = 0.5e-9
"""Records store samples to a nanosecond."""


@dataclass(frozen=True)
class LatencyChange:
    """The change of one latency. ``ratio`` is new over base, with its 95 % interval; ``p`` is Holm's.

    ``within`` is the fraction within which an answer "same" holds: the tolerance, or more for a quick latency.
    """

    case: str
    mode: Mode
    cache: str
    base_target: str
    new_target: str
    base_median: float
    new_median: float
    ratio: float
    low: float
    high: float
    p: float
    answer: Answer
    kernels: SameKernels
    base_kernels: tuple[str, ...] = ()
    new_kernels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    effort: Effort = "full"
    within: float = TOLERANCE

    @property
    def is_regression(self) -> bool:
        return self.answer == "different" and self.ratio > 1

    @property
    def other_kernel(self) -> bool:
        return self.kernels == "other kernel"

    @property
    def word(self) -> str:
        """The answer, with its direction."""
        return ("slower" if self.ratio > 1 else "faster") if self.answer == "different" else self.answer

    def text(self) -> str:
        """One line for people."""
        times = f"{seconds(self.base_median)} -> {seconds(self.new_median)}"
        parts = [f"{self.word}: {times}, {signed(self.ratio)} ({signed(self.low)} to {signed(self.high)})"]
        if self.other_kernel:
            parts.append(f"other kernel: {' + '.join(self.base_kernels)} -> {' + '.join(self.new_kernels)}")
        elif self.kernels == "same kernel" and self.answer == "different":
            parts.append("same kernel")
        mode = f"quick {self.mode}" if self.effort == "quick" else self.mode
        return f"{self.case} [{mode}] {'; '.join([*parts, *self.notes])}"


@dataclass(frozen=True)
class LatencyComparison:
    """Every latency that both runs have, the largest ratio first, and the ones that only one has."""

    changes: tuple[LatencyChange, ...]
    only_base: tuple[str, ...]
    only_new: tuple[str, ...]
    tolerance: float
    calibrated: bool
    refused: str = ""
    refused_full: bool = True
    """Whether full latencies are among what was refused."""

    @property
    def regressions(self) -> tuple[LatencyChange, ...]:
        return tuple(change for change in self.changes if change.is_regression)

    @property
    def exit_code(self) -> int:
        """1 where something became slower, 3 where that is ambiguous or the comparison was refused, else 0.

        A quick latency that is ambiguous or not compared is no reason for 3: it was not measured to be decided.
        """
        if self.regressions:
            return 1
        return (
            3
            if (self.refused and self.refused_full) or any(change.answer == "ambiguous" for change in self.of("full"))
            else 0
        )

    def of(self, effort: Effort) -> tuple[LatencyChange, ...]:
        """The changes of quick, or of full latencies."""
        return tuple(change for change in self.changes if change.effort == effort)

    @property
    def summary(self) -> str:
        """How many of each answer, or why there is none; empty where nothing was timed."""
        if self.refused:
            return self.refused
        if not (self.changes or self.only_base or self.only_new):
            return ""
        quick, full = self.of("quick"), self.of("full")
        assumed = "; no calibration runs given: a spread of {:.0%} between runs is assumed" * (not self.calibrated)
        of_quick = "; no calibration runs given" * (not self.calibrated)
        parts = []
        if full or not quick:
            parts.append(f"{_counted(full)} (tolerance {self.tolerance:.1%}{assumed.format(UNCALIBRATED)})")
        if quick:
            within = f"known to within {percent(float(np.median([change.within for change in quick])))}"
            parts.append(f"of quick latencies {_counted(quick)} ({within}{of_quick})")
        return "; ".join(parts)

    def lines(self) -> list[str]:
        """Text lines: how many of each answer, then every change that is not "same". Empty where nothing was timed."""
        if not self.summary:
            return []
        lines = [f"latency: {self.summary}"]
        told = (change for change in self.changes if change.answer != "same" or change.other_kernel)
        lines += [change.text() for change in told if change.effort == "full" or change.answer != "ambiguous"]
        for name, only in (("base", self.only_base), ("new", self.only_new)):
            if only:
                lines.append(f"only in {name}: {', '.join(only[:3])}{', ...' if len(only) > 3 else ''} ({len(only)})")
        return [one_line(line) for line in lines]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"exit_code": self.exit_code}


def compare_latency(
    base: Record | Sequence[Record],
    new: Record | Sequence[Record],
    calibration: Sequence[Record] = (),
    *,
    tolerance: float = TOLERANCE,
    normalise: bool = False,
    across_devices: bool = False,
    across_modes: bool = False,
) -> LatencyComparison:
    """Compare each latency of ``new`` with that of ``base``; several records of a side are repetitions of it.

    Args:
        calibration: further repeated runs of one thing. Where nothing at all is repeated, a spread is assumed.
        tolerance: the change, as a fraction, that is tolerated.
        normalise: divide each latency by its yardstick, the fixed kernel that was timed beside it.
        across_devices, across_modes: compare what ran on another device, or was timed in another way.

    Raises:
        ConformanceError: the devices differ, or a case was timed in different ways, and neither was asked for.
    """
    bases, news = ([side] if isinstance(side, Record) else list(side) for side in (base, new))
    devices = {device_of(record) for record in (*bases, *news) if medians(record)}
    if len(devices) > 1 and not across_devices:
        reason = f"latencies of different devices are not compared: {', '.join(sorted(devices))}"
        if any(key.effort == "full" for record in (*bases, *news) for key in medians(record)):
            raise ConformanceError(reason)
        return LatencyComparison((), (), (), tolerance, False, f"quick {reason}", refused_full=False)
    thresholds = calibrate(calibration, *(() if across_devices else (bases, news)))
    befores, afters = _gathered(bases), _gathered(news)
    pairs = list(_pairs(befores, afters, across_modes))
    drafts = [_Draft.of(old, befores[old], key, afters[key], thresholds, normalise) for old, key in pairs]
    changes = []
    for effort in get_args(Effort):
        mine = [draft for draft in drafts if draft.key.effort == effort]
        corrected = holm([draft.p for draft in mine])
        changes += [draft.change(p, tolerance) for draft, p in zip(mine, corrected, strict=True)]
    return LatencyComparison(
        changes=tuple(sorted(changes, key=lambda change: -change.ratio)),
        only_base=tuple(str(key) for key in befores if key not in {old for old, _ in pairs}),
        only_new=tuple(str(key) for key in afters if key not in {key for _, key in pairs}),
        tolerance=tolerance,
        calibrated=bool(thresholds.by_case),
    )


def latency_section(base: Record, new: Record, calibration: Sequence[Record] = (), **options: Any) -> LatencyComparison:
    """`compare_latency`, with a refusal as part of the result: verdicts can be compared where latencies cannot."""
    try:
        return compare_latency(base, new, calibration, **options)
    except ConformanceError as fault:
        return LatencyComparison((), (), (), options.get("tolerance", TOLERANCE), False, str(fault))


def _counted(changes: Sequence[LatencyChange]) -> str:
    """``3 same, 1 different, 0 ambiguous``."""
    answers = [change.answer for change in changes]
    return ", ".join(f"{answers.count(answer)} {answer}" for answer in get_args(Answer))


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected for their number: that any at all is below alpha by chance has probability alpha at most."""
    corrected = [1.0] * len(p)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = largest
    return corrected


def _gathered(records: Iterable[Record]) -> dict[Key, list[Timing]]:
    found: dict[Key, list[Timing]] = {}
    for record in records:
        for key, timing in timings(record).items():
            found.setdefault(key, []).append(timing)
    return found


def _pairs(befores: Iterable[Key], afters: Iterable[Key], across_modes: bool) -> Iterator[tuple[Key, Key]]:
    """Keys of both sides to compare: equal ones, and of a case that has none, any two where that is asked for."""
    by_case: dict[tuple[str, str, Effort], tuple[list[Key], list[Key]]] = {}
    for side, keys in enumerate((befores, afters)):
        for key in keys:
            by_case.setdefault((key.case, key.family, key.effort), ([], []))[side].append(key)
    for (case, *_), (old, new) in by_case.items():
        equal = [key for key in old if key in new]
        yield from ((key, key) for key in equal)
        if equal or not old or not new:
            continue
        if not across_modes:
            raise ConformanceError(
                f"{case} was timed as {old[0].timing_mode} and as {new[0].timing_mode}: these are not comparable"
            )
        yield old[0], new[0]


@dataclass(frozen=True)
class _Draft:
    """A change before its p-value is corrected. ``effect`` and its standard ``error`` are of the ratio's logarithm."""

    key: Key
    before: Sequence[Timing]
    after: Sequence[Timing]
    effect: float
    error: float
    freedom: float
    device: DeviceChange | None
    notes: tuple[str, ...]
    is_unknown: bool
    """Nothing is known of how much such latencies vary from run to run."""

    @classmethod
    def of(
        cls,
        old: Key,
        before: Sequence[Timing],
        key: Key,
        after: Sequence[Timing],
        thresholds: Thresholds,
        normalise: bool,
    ) -> _Draft:
        between, freedom = thresholds.of(key, all(len(t.placements) > 1 for t in (*before, *after)))
        effect, variance, freedoms = 0.0, 0.0, []
        for sign, side in ((-1, before), (1, after)):
            effect += sign * math.log(_median(side))
            within = sum(max(t.summary.error, RESOLUTION / t.summary.median) ** 2 for t in side) / len(side)
            placed = [t for t in side if len(t.placements) > 1]
            estimates = [(within, sum(batches_of(t.summary.count) - 1 for t in side)), (between, freedom)]
            if placed:
                mean = sum(t.placing**2 for t in placed) / len(placed)
                estimates.append((mean, sum(len(t.placements) - 1 for t in placed)))
            largest, known_by = max(estimates)
            variance += largest / len(side)
            freedoms.append(known_by)
        notes = [] if old == key else [f"base timed as {old.timing_mode}, new as {key.timing_mode}"]
        unknown = key.effort == "quick" and key.mode == "host" and not thresholds.knows(key)
        device: DeviceChange | None = DeviceChange.of(before, after)
        if normalise and (device is None or device.moved is None):
            notes.append("no yardstick: not normalised")
        elif normalise and device is not None and device.moved is not None:
            effect, device = effect - device.moved, None
        return cls(key, before, after, effect, math.sqrt(variance), min(freedoms), device, tuple(notes), unknown)

    @property
    def p(self) -> float:
        return two_sided(self.effect / self.error, self.freedom)

    def change(self, p: float, tolerance: float) -> LatencyChange:
        half = quantile(CONFIDENCE, self.freedom) * self.error
        limit = math.log1p(tolerance)
        within = max(limit, 2 * half) if self.key.effort == "quick" else limit
        answer: Answer = "ambiguous"
        notes = list(self.notes)
        if self.is_unknown:
            notes.append("a quick latency of a host says nothing of the next run: give repeated runs as calibration")
        elif abs(self.effect) + half <= within:
            answer = "same"
        elif p > 1 - CONFIDENCE or abs(self.effect) < limit:
            notes.append(self._advice(half, limit))
        elif self.device is not None and (reason := self.device.reason(self.effect, limit)):
            notes.append(reason)
        else:
            answer = "different"
        kernels, base_kernels, new_kernels = kernel_change(self.before[0], self.after[0])
        return LatencyChange(
            case=self.key.case,
            mode=self.key.mode,
            cache=self.key.cache,
            base_target=self.before[0].target,
            new_target=self.after[0].target,
            base_median=_median(self.before),
            new_median=_median(self.after),
            ratio=math.exp(self.effect),
            low=math.exp(self.effect - half),
            high=math.exp(min(self.effect + half, 700.0)),
            p=p,
            answer=answer,
            kernels=kernels,
            base_kernels=base_kernels,
            new_kernels=new_kernels,
            notes=tuple(notes),
            effort=self.key.effort,
            within=math.expm1(min(within, 700.0)),
        )

    def _advice(self, half: float, limit: float) -> str:
        """How many runs of each side would make the interval as narrow as the tolerance."""
        if not math.isfinite(half):
            return "too few samples to decide"
        runs = math.ceil(min(len(self.before), len(self.after)) * (2 * half / limit) ** 2)
        return f"to decide, compare about {max(2, runs)} runs of each side"


def _median(side: Sequence[Timing]) -> float:
    """The geometric mean of the medians of repeated runs, in seconds."""
    return math.exp(sum(math.log(timing.summary.median) for timing in side) / len(side))


def signed(ratio: float) -> str:
    """``+3.1 %`` for a ratio of 1.031."""
    return f"{100 * (ratio - 1):+.1f} %" if ratio < 100 else "? %"
