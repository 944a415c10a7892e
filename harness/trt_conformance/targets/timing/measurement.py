"""The plan and the result of a latency measurement."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, Literal

from trt_conformance.core.types import Cold, Effort, Mode

Stopped = Literal["precise", "stable", "limit"]
"""Why sampling ended: the median is precise enough, its noise no longer changes, or the time is up."""

QUICK_S = 0.008
"""Seconds of samples in a quick latency. The whole measurement takes about twice that."""
SPREAD = 0.01
"""The spread of samples, as a fraction, from which locking the clock is advised."""
UNSTEADY = 0.02
"""A yardstick that varies by more than this fraction is noted."""


@dataclass(frozen=True)
class TimingPlan:
    """What to time, and when to stop: times in seconds, ``relative_error`` a fraction of the median.

    ``cold_l2`` empties the caches before each sample; with ``warm_input``, the input is written again after that, as
    another layer of a network would have done.
    Sampling takes ``min_samples`` and ``min_s`` at least, so that slow changes are seen, and ``limit_s`` at most.
    An engine that measures a quick latency in another way is told so by ``effort``.
    """

    mode: Mode
    cold_l2: bool = False
    warmup_s: float = 0.1
    min_s: float = 0.2
    limit_s: float = 15.0
    relative_error: float = 0.005
    min_samples: int = 20
    effort: Effort = "full"
    warm_input: bool = False

    @property
    def cold(self) -> Cold | None:
        """What is cold when a sample begins."""
        return ("weights" if self.warm_input else "all") if self.cold_l2 else None

    @classmethod
    def quick(cls, mode: Mode) -> TimingPlan:
        """The plan of a quick latency."""
        return cls(mode, warmup_s=0.002, min_s=QUICK_S, limit_s=2 * QUICK_S, min_samples=8, effort="quick")


@dataclass(frozen=True)
class Measurement:
    """Samples in the order they were taken, each the seconds of one enqueue (or call).

    ``cold_l2`` says that caches were emptied, and the fact ``warm_input`` that the input was in them again.
    ``discarded`` samples were taken while the device was throttled, and are not among ``samples``.
    ``facts`` hold JSON values, whichever the engine knows:
    clocks (a table; SM and memory clocks in MHz), kernels (name, seconds, and class: convolution, reformat or
    other), nodes (kernels, copies and fills of an enqueue), idle_s (mean seconds between two kernels, in which none
    ran), graph_length, placements (seconds in each copy of the engine; each has its own place in memory), transfers,
    rotation (buffer copies), ceilings (``memory`` in bytes a second, and FLOP a second by precision, measured in the
    same run), yardstick (seconds of a fixed kernel, each time it ran), notes (texts).
    """

    mode: Mode
    cold_l2: bool
    samples: tuple[float, ...]
    discarded: int
    stopped: Stopped
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def cold(self) -> Cold | None:
        """What was cold when a sample began."""
        return ("weights" if self.facts.get("warm_input") else "all") if self.cold_l2 else None

    @property
    def notes(self) -> list[str]:
        """What a reader of the number should know: the engine's notes, and notes on the sampling."""
        notes = [*self.facts.get("notes", ()), *self._lock_advice()]
        fixed = self.facts.get("yardstick", ())
        if fixed and max(fixed) > (1 + UNSTEADY) * min(fixed):
            notes.append(f"a fixed kernel varied by {max(fixed) / min(fixed) - 1:.1%} meanwhile: unsteady clocks")
        if self.discarded > len(self.samples):
            taken = len(self.samples) + self.discarded
            notes.append(f"{self.discarded} of {taken} samples were discarded: the device was throttled")
        if self.stopped == "limit":
            notes.append("the time limit was reached before the median was precise")
        return notes

    def _lock_advice(self) -> list[str]:
        """How to lock the SM clock, where samples vary by more than `SPREAD` and the clock is known."""
        clocks = self.facts.get("clocks", {})
        if len(self.samples) < 2 or not {"median_mhz", "min_mhz", "max_mhz"} <= clocks.keys():
            return []
        low, middle, high = quantiles(self.samples, n=4)
        if not middle or (high - low) / middle <= SPREAD:
            return []
        mhz, bus = round(clocks["median_mhz"]), clocks.get("bus")
        which = f" -i {bus}" if bus else ""
        return [
            f"half of the samples are within {(high - low) / middle:.1%}, at SM clocks of {clocks['min_mhz']} to "
            f"{clocks['max_mhz']} MHz: `sudo nvidia-smi{which} -lgc {mhz}` locks the clock, and -rgc frees it"
        ]
