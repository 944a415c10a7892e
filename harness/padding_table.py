"""The padding truth table: what output shape every configuration has, and which there is none for.

A target's own shape inference is compared with the reference's formula (harness/reference/shape.py) over every
combination of one axis's numbers, for each padding mode, in 2D and in 3D. I is the input size, B and A the padding
before and after, S the stride, DK = 1 + D*(F-1) the span of a window of F elements at dilation D.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from typing import Any, Literal, get_args

from harness.errors import InvalidConvolution
from harness.model import PaddingMode
from harness.paths import relative
from harness.reference import shape as reference
from harness.targets.base import Configuration, InfersShapes, NotRun, Unsupported
from harness.verdict import Status, Verdict

Rank = Literal[2, 3]
Axis = tuple[int, int, int, int, int, int]
"""Size, window, stride, dilation, and padding before and after."""
Shape = tuple[int, ...] | None
"""Spatial output shape, or None where there is no convolution."""
Findings = tuple[list[str], dict[str, Any]]
"""The lines that say what is wrong, none where nothing is, and figures."""

MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)
RANKS: tuple[Rank, ...] = get_args(Rank)
SHOWN_GROUPS = 8
FRESH_SAMPLES = 200
# Configurations a call, so that even a slow target answers within its time limit.
BATCH = 4096

# A prime that divides no tier's number of axes: its multiples visit them all, far apart from each other.
_STEP = 7919


@dataclass(frozen=True)
class Tier:
    """Ranges of every number of an axis, and how many configurations of a kind are built (see padding_sample)."""

    name: str
    sizes: range
    windows: range
    strides: range
    dilations: range
    paddings: range
    samples: int

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """Every combination of one axis's numbers."""
        ranges = (self.sizes, self.windows, self.strides, self.dilations, self.paddings, self.paddings)
        return tuple(product(*ranges))

    @cached_property
    def companions(self) -> tuple[Axis, ...]:
        """Axes whose window fits without padding: beside them, nothing hides the fate of another axis."""
        return tuple(axis for axis in self.axes if reference.extent(axis[1], axis[3]) <= axis[0])

    def configuration(self, index: int, rank: Rank, mode: PaddingMode) -> Configuration:
        """The axis of this index, in a place that goes round, among companions of other sizes than its own."""
        axes = [self.axes[index]]
        place = index * _STEP
        while len(axes) < rank:
            place += _STEP
            companion = self.companions[place % len(self.companions)]
            if companion[0] not in {axis[0] for axis in axes}:
                axes.append(companion)
        turn = index % rank
        return Configuration._make((*zip(*axes[turn:], *axes[:turn], strict=True), mode))

    def configurations(self, rank: Rank, mode: PaddingMode) -> Iterator[Configuration]:
        """As many as there are axes, each axis once beside its companions."""
        return (self.configuration(index, rank, mode) for index in range(len(self.axes)))

    def scattered(self, rank: Rank, mode: PaddingMode) -> Iterator[Configuration]:
        """The same, neighbours far apart."""
        return (self.configuration(i * _STEP % len(self.axes), rank, mode) for i in range(len(self.axes)))


TIERS: dict[str, Tier] = {
    tier.name: tier
    for tier in (
        Tier("smoke", range(6), range(1, 4), range(1, 4), range(1, 3), range(2), samples=1),
        Tier("ci", range(14), range(1, 6), range(1, 5), range(1, 4), range(4), samples=1),
        Tier("nightly", range(25), range(1, 8), range(1, 6), range(1, 5), range(6), samples=4),
    )
}

# TensorRT 8.6 needs 1.6 ms for a shape and 15 ms for a refusal: 160 and 600 times what TensorRT-RTX needs.
SLOW_TARGETS = ("tensorrt-8.*",)


def tier_of(asked: str | None, target: str) -> Tier:
    """The tier asked for by name; else ``ci``, or ``smoke`` where a target infers slowly."""
    is_slow = any(fnmatchcase(target, pattern) for pattern in SLOW_TARGETS)
    return TIERS[asked or ("smoke" if is_slow else "ci")]


FORMULAS: dict[PaddingMode, str] = {
    "EXPLICIT_ROUND_DOWN": "floor((I+B+A-DK)/S) + 1, refused where DK > I+B+A",
    "EXPLICIT_ROUND_UP": "ceil((I+B+A-DK)/S) + 1, refused where DK > I+B+A",
    "SAME_UPPER": "ceil(I/S), refused where I = 0",
    "SAME_LOWER": "ceil(I/S), refused where I = 0",
    "CAFFE_ROUND_DOWN": "floor((I+2B-DK)/S) + 1, refused where DK > I+2B",
    "CAFFE_ROUND_UP": "ceil((I+2B-DK)/S) + 1, refused where DK > I+2B",
}


def stated(configuration: Configuration) -> Shape:
    """The output shape by the reference's formula."""
    try:
        return tuple(
            reference.resolve_axis(size, window, stride, pre, post, dilation, configuration.mode).size
            for size, window, stride, dilation, pre, post in zip(*configuration[:6], strict=True)
        )
    except InvalidConvolution:
        return None


@dataclass(frozen=True)
class Deviation:
    """Another formula that targets are known to follow, in some modes; an expectation names who does.

    ``size`` gives an axis's output size in a mode, None where it is refused.
    """

    name: str
    modes: tuple[PaddingMode, ...]
    formula: str
    size: Callable[[Axis, PaddingMode], int | None]

    def shape(self, configuration: Configuration) -> Shape:
        """The output shape by this formula."""
        sizes = [self.size(axis, configuration.mode) for axis in zip(*configuration[:6], strict=True)]
        return None if None in sizes else tuple(n for n in sizes if n is not None)


def spare(axis: Axis, mode: PaddingMode) -> int:
    """What the padded input of an explicit or Caffe mode holds beyond one window; below 0 where that is larger."""
    size, window, _, dilation, pre, post = axis
    return size + pre + (pre if mode.startswith("CAFFE") else post) - reference.extent(window, dilation)


def _up_to_nothing(axis: Axis, mode: PaddingMode) -> int | None:
    out = math.ceil(spare(axis, mode) / axis[2]) + 1
    return out if out >= 1 else None


def _up_by_truncation(axis: Axis, mode: PaddingMode) -> int | None:
    free, stride = spare(axis, mode), axis[2]
    return math.ceil(free / stride) + 1 if math.trunc((free + stride - 1) / stride) >= 0 else None


def _same_of_nothing(axis: Axis, _: PaddingMode) -> int | None:
    size, stride = axis[0], axis[2]
    return None if size == 0 and stride == 1 else math.ceil(size / stride)


DEVIATIONS = (
    Deviation(
        "window_past_the_end",
        ("EXPLICIT_ROUND_UP",),
        "ceil(free/S) + 1 with free = I+B+A-DK, refused where that is below 1: "
        "a window larger than the padded input gives one output where -S < free < 0",
        _up_to_nothing,
    ),
    Deviation(
        "window_far_past_the_end",
        ("EXPLICIT_ROUND_UP", "CAFFE_ROUND_UP"),
        "ceil(free/S) + 1 with free = I+B+A-DK (Caffe: I+2B-DK), refused where trunc((free+S-1)/S) < 0: a window "
        "larger than the padded input gives one output where -S < free < 0, and none where 1-2S < free <= -S",
        _up_by_truncation,
    ),
    Deviation(
        "same_of_nothing",
        ("SAME_UPPER", "SAME_LOWER"),
        "ceil(I/S), refused where I = 0 and S = 1: an empty input gives an empty output where S > 1",
        _same_of_nothing,
    ),
)


def table_id(rank: Rank, mode: PaddingMode) -> str:
    """Stands where a case's id stands: ``padding/2d_same_upper``."""
    return f"padding/{rank}d_{mode.lower()}"


def check_table(target: Any, tier: Tier, rank: Rank, mode: PaddingMode) -> Verdict:
    """The target infers the formula's shape for every configuration, and refuses those that have none.

    Where it follows a known deviation without exception, the message says so in words an expectation can match.
    """

    def check() -> Findings:
        configurations = list(tier.configurations(rank, mode))
        inferred = _inferred(target, configurations)
        differing = [
            Difference(c, theirs, ours)
            for c, theirs in zip(configurations, inferred, strict=True)
            if theirs != (ours := stated(c))
        ]
        figures = {"configurations": len(configurations), "refused": inferred.count(None), "differ": len(differing)}
        if not differing:
            return [], figures
        total = f"{len(differing)} of {len(configurations)} configurations differ"
        known = [deviation for deviation in DEVIATIONS if mode in deviation.modes]
        for deviation in known:
            if all(theirs == deviation.shape(c) for c, theirs in zip(configurations, inferred, strict=True)):
                smallest = min(differing, key=Difference.order)
                lines = [f"{deviation.name}: {deviation.formula}", f"smallest: {smallest}"]
                return [*lines, f"{total}, all as {deviation.name} says"], figures
        return [f"{total} from {FORMULAS[mode]}", *describe(differing, known)], figures

    return _verdict(target, tier, rank, mode, check)


def check_fresh(target: Any, tier: Tier, rank: Rank, mode: PaddingMode) -> Verdict:
    """Shapes do not depend on what was inferred before: a scattered sample, in one call and in a call each."""

    def check() -> Findings:
        sample = list(islice(tier.scattered(rank, mode), FRESH_SAMPLES))
        alone = [_inferred(target, [c])[0] for c in sample]
        stale = [
            f"{_say(c)}: {_result(reused)} after other configurations, but {_result(fresh)} in a new network"
            for c, reused, fresh in zip(sample, _inferred(target, sample), alone, strict=True)
            if reused != fresh
        ]
        if stale:
            stale[1:] = [f"{len(stale)} of {len(sample)} shapes depend on what was inferred before"]
        return stale, {"configurations": len(sample)}

    return _verdict(target, tier, rank, mode, check)


@dataclass(frozen=True)
class Difference:
    """A configuration on which a target's shape is not the stated one."""

    configuration: Configuration
    inferred: Shape
    stated: Shape

    def order(self) -> tuple[int, Any]:
        """Smallest numbers first."""
        numbers = self.configuration[:6]
        return sum(map(sum, numbers)), numbers

    def kind(self, known: Iterable[Deviation]) -> str:
        """What sort of difference it is: by a known formula, in accepting, or by how much on which axis."""
        for deviation in known:
            if self.inferred == deviation.shape(self.configuration):
                return f"as {deviation.name} says, which does not explain the rest"
        if self.inferred is None:
            return "refused, but should be accepted"
        if self.stated is None:
            return "accepted, but should be refused"
        if len(self.inferred) != len(self.stated):
            return "of another rank"
        names = "DHW"[-len(self.stated) :]
        changes = zip(names, self.inferred, self.stated, strict=True)
        return "output " + ", ".join(f"{name} {a - b:+d}" for name, a, b in changes if a != b)

    def __str__(self) -> str:
        return f"{_say(self.configuration)}: {_result(self.inferred)}, but should be {_result(self.stated)}"


def describe(differing: Iterable[Difference], known: Iterable[Deviation] = ()) -> list[str]:
    """A line for each kind of difference, most frequent first: how many there are, and the smallest."""
    counts: Counter[str] = Counter()
    smallest: dict[str, Difference] = {}
    for difference in differing:
        kind = difference.kind(known)
        counts[kind] += 1
        smallest[kind] = min(smallest.get(kind, difference), difference, key=Difference.order)
    lines = [f"{n} {kind}; smallest: {smallest[kind]}" for kind, n in counts.most_common(SHOWN_GROUPS)]
    hidden = len(counts) - SHOWN_GROUPS
    return [*lines, f"and {hidden} more kinds of difference"] if hidden > 0 else lines


def _say(c: Configuration) -> str:
    return f"I {c.size}, F {c.window}, S {c.stride}, D {c.dilation}, B {c.pre}, A {c.post}"


def _result(shape: Shape) -> str:
    return "refused" if shape is None else str(shape)


def _inferred(target: Any, configurations: list[Configuration]) -> list[Shape]:
    if not isinstance(target, InfersShapes):
        raise Unsupported("the target infers no shapes without building")
    starts = range(0, len(configurations), BATCH)
    return [shape for start in starts for shape in target.infer_shapes(configurations[start : start + BATCH])]


def _verdict(target: Any, tier: Tier, rank: Rank, mode: PaddingMode, check: Callable[[], Findings]) -> Verdict:
    """Run a check; what the target raises becomes a verdict, too."""
    case, location = table_id(rank, mode), relative(Path(__file__))

    def say(status: Status, lines: list[str] | str, figures: dict[str, Any] | None = None) -> Verdict:
        if isinstance(lines, list):
            title = f"{case} [{tier.name}] FAILED in network"
            lines = "\n".join([f"{title:<56}({location})", *(f"  {line}" for line in lines)])
        known = {"tier": tier.name} | (figures or {})
        return Verdict(case, target.name, "network", status, message=lines, location=location, figures=known)

    try:
        lines, figures = check()
    except Unsupported as fault:
        return say("unsupported", str(fault))
    except NotRun as fault:
        return say("not run", str(fault))
    except Exception as fault:  # whatever a target raises is an error of this check alone
        return say("error", [f"{type(fault).__name__}: {fault}"])
    return say("fail", lines, figures) if lines else say("pass", "", figures)
