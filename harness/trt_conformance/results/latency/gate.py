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

The sums over the layers of a model (`models`) are judged in the same way, beside the layers and corrected apart: many
changes that are too small to be found layer by layer may be one of the model that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Effort
from trt_conformance.core.words import counted, one_line, percent
from trt_conformance.results.latency.calibration import UNCALIBRATED, Thresholds, calibrate
from trt_conformance.results.latency.change import TOLERANCE, Answer, LatencyChange
from trt_conformance.results.latency.draft import Draft
from trt_conformance.results.latency.model_timings import model_medians, model_timings
from trt_conformance.results.latency.recorded import Key, Timing, device_of, medians, timings
from trt_conformance.results.record.record import Record


@dataclass(frozen=True)
class LatencyComparison:
    """Every latency that both runs have, the largest ratio first, and the ones that only one has.

    ``models``: the sums over the layers of each model that both runs timed whole, the largest ratio first.
    """

    changes: tuple[LatencyChange, ...]
    only_base: tuple[str, ...]
    only_new: tuple[str, ...]
    tolerance: float
    calibrated: bool
    refused: str = ""
    refused_full: bool = True
    """Whether full latencies are among what was refused."""
    models: tuple[LatencyChange, ...] = ()

    @property
    def regressions(self) -> tuple[LatencyChange, ...]:
        return tuple(change for change in self.changes if change.is_regression)

    @property
    def slower(self) -> list[str]:
        """How many latencies, and how many models, became longer; nothing if none did."""
        numbers = {"case": len(self.regressions), "model": sum(change.is_regression for change in self.models)}
        return [f"{counted(number, thing)} slower" for thing, number in numbers.items() if number]

    @property
    def exit_code(self) -> int:
        """1 if a latency or a model became slower, 3 if that is ambiguous or nothing was compared, else 0.

        A quick latency that is ambiguous or not compared does not cause 3.
        """
        if self.slower:
            return 1
        full = (change for change in (*self.changes, *self.models) if change.effort == "full")
        is_open = any(change.answer == "ambiguous" for change in full)
        return 3 if (self.refused and self.refused_full) or is_open else 0

    def of(self, effort: Effort) -> tuple[LatencyChange, ...]:
        """The changes of quick, or of full latencies."""
        return tuple(change for change in self.changes if change.effort == effort)

    @property
    def summary(self) -> str:
        """How many of each answer, or why there is none; empty if nothing was timed."""
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
            within = float(np.median([change.within for change in quick]))
            within_text = "known to within " + percent(within) if within < 1 else "too imprecise to compare"
            parts.append(f"of quick latencies {_counted(quick)} ({within_text}{of_quick})")
        return "; ".join(parts)

    def lines(self) -> list[str]:
        """Text lines: how many of each answer, then every change that is not "same". Empty if nothing was timed."""
        if not self.summary:
            return []
        lines = [f"latency: {self.summary}"]
        changed = (change for change in self.changes if change.answer != "same" or change.other_kernel)
        lines += [change.text() for change in changed if change.effort == "full" or change.answer != "ambiguous"]
        lines += [f"model {change.text()}" for change in self.models]
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
    normalize: bool = False,
    across_devices: bool = False,
    across_modes: bool = False,
) -> LatencyComparison:
    """Compare each latency of ``new`` with that of ``base``; several records of a side are repetitions of it.

    Args:
        calibration: further repeated runs of one thing. Where nothing at all is repeated, a spread is assumed.
        tolerance: the change, as a fraction, that is tolerated.
        normalize: divide each latency by its yardstick, the fixed kernel that was timed beside it.
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
    groups = [list(calibration), *([] if across_devices else [bases, news])]
    thresholds = calibrate(*groups)
    befores, afters = _gathered(bases, timings), _gathered(news, timings)
    pairs = list(_pairs(befores, afters, across_modes))
    drafts = [Draft.of(old, befores[old], key, afters[key], thresholds, normalize) for old, key in pairs]
    return LatencyComparison(
        changes=_judged(drafts, tolerance),
        only_base=tuple(str(key) for key in befores if key not in {old for old, _ in pairs}),
        only_new=tuple(str(key) for key in afters if key not in {key for _, key in pairs}),
        tolerance=tolerance,
        calibrated=bool(thresholds.by_case),
        models=_judged(_sums(bases, news, groups, thresholds, normalize), tolerance),
    )


def _sums(
    bases: Sequence[Record],
    news: Sequence[Record],
    groups: Sequence[Sequence[Record]],
    thresholds: Thresholds,
    normalize: bool,
) -> list[Draft]:
    """The models that both sides have. Without repetitions of its own, a sum varies as a single layer does."""
    befores, afters = _gathered(bases, model_timings), _gathered(news, model_timings)
    if not befores or not afters:
        return []
    own = Thresholds(thresholds.typical, calibrate(*groups, of=model_medians).by_case)
    return [Draft.of(key, befores[key], key, afters[key], own, normalize) for key in befores if key in afters]


def _judged(drafts: Sequence[Draft], tolerance: float) -> tuple[LatencyChange, ...]:
    """The changes with their p-values corrected, quick and full ones apart; the largest ratio first."""
    changes = []
    for effort in get_args(Effort):
        mine = [draft for draft in drafts if draft.key.effort == effort]
        corrected = holm([draft.p for draft in mine])
        changes += [draft.change(p, tolerance) for draft, p in zip(mine, corrected, strict=True)]
    return tuple(sorted(changes, key=lambda change: -change.ratio))


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


def _gathered(records: Iterable[Record], of: Callable[[Record], dict[Key, Timing]]) -> dict[Key, list[Timing]]:
    found: dict[Key, list[Timing]] = {}
    for record in records:
        for key, timing in of(record).items():
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
