"""The padding truth table: what output shape every configuration has, and which there is none for.

A target's own shape inference is compared with the formula of `numerics.reference.shape` over every
combination of one axis's numbers, for each padding mode, in 2D and in 3D. I is the input size, B and A the padding
before and after, S the stride, DK = 1 + D*(F-1) the span of a window of F elements at dilation D.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from trt_conformance.checks.padding.formulas import DEVIATIONS, FORMULAS, Deviation, stated
from trt_conformance.checks.padding.tiers import Rank, Shape, Tier, table_id
from trt_conformance.core.paths import relative
from trt_conformance.core.types import PaddingMode
from trt_conformance.core.verdict import Status, Verdict
from trt_conformance.targets.errors import NotRun, Unsupported
from trt_conformance.targets.protocols import Configuration, offers

Findings = tuple[list[str], dict[str, Any]]
"""The lines that say what is wrong, none where nothing is, and figures."""
SHOWN_GROUPS = 8
FRESH_SAMPLES = 200
# Configurations a call, so that even a slow target answers within its time limit.
BATCH = 4096


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
    if not offers(target, "infer_shapes"):
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
