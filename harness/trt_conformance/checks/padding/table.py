"""The padding truth table: the output shape of every configuration, and which configurations are invalid.

A target's own shape inference is compared with the formula of `numerics.reference.shape` over every combination of the
values of one axis, for each padding mode, in 2D and in 3D. I is the input size, B and A the padding before and after, S
the stride, and DK = 1 + D*(F-1) the extent of a window of F elements at dilation D.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import update_wrapper
from itertools import islice
from pathlib import Path
from typing import Any

from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.padding.formulas import DEVIATIONS, FORMULAS, Deviation, stated
from trt_conformance.checks.padding.tiers import PaddingTier, Rank, Shape, table_id
from trt_conformance.core.paths import relative
from trt_conformance.core.types import PaddingMode
from trt_conformance.core.verdict import FAULTS, Verdict
from trt_conformance.targets.errors import NotRun, Unsupported
from trt_conformance.targets.protocols import Configuration, offers

TableCheck = Callable[[Any, PaddingTier, Rank, PaddingMode], Finding]
"""A check of a target's table of one tier, rank and mode."""
SHOWN_GROUPS = 8
# Configurations per call, so that even a slow target answers within its time limit.
BATCH = 4096


def judged_in_network(check: TableCheck) -> Callable[[Any, PaddingTier, Rank, PaddingMode], Verdict]:
    """Turn what a check finds, or what the target raises in it, into a verdict of phase network with the tier's name.

    This is `checks.subject.judged` for checks of a table, which has no case.
    """

    def run(target: Any, tier: PaddingTier, rank: Rank, mode: PaddingMode) -> Verdict:
        try:
            found = check(target, tier, rank, mode)
        except Unsupported as fault:
            found = Finding("unsupported", [str(fault)])
        except NotRun as fault:
            found = Finding("not run", [str(fault)])
        except Exception as fault:  # whatever a target raises is an error of this check alone
            found = Finding("error", [f"{type(fault).__name__}: {fault}"])
        return _verdict(target, tier, table_id(rank, mode), found)

    update_wrapper(run, check)
    return run


@judged_in_network
def check_table(target: Any, tier: PaddingTier, rank: Rank, mode: PaddingMode) -> Finding:
    """The target infers the shape that the formula gives for every valid configuration, and refuses the others.

    If it follows a known deviation without exception, the message says so in words that an expectation can match.
    """
    configurations = list(tier.configurations(rank, mode))
    inferred = _inferred(target, configurations)
    differing = [
        Difference(c, theirs, ours)
        for c, theirs in zip(configurations, inferred, strict=True)
        if theirs != (ours := stated(c))
    ]
    lines = _explain(configurations, inferred, differing, mode) if differing else []
    return finding(lines, configurations=len(configurations), refused=inferred.count(None), differ=len(differing))


@judged_in_network
def check_fresh(target: Any, tier: PaddingTier, rank: Rank, mode: PaddingMode) -> Finding:
    """Shapes do not depend on earlier inferences: a scattered sample in one call, and in one call each."""
    sample = list(islice(tier.scattered(rank, mode), tier.fresh))
    alone = [_inferred(target, [c])[0] for c in sample]
    stale = [
        f"{_say(c)}: {_result(reused)} after other configurations, but {_result(fresh)} in a new network"
        for c, reused, fresh in zip(sample, _inferred(target, sample), alone, strict=True)
        if reused != fresh
    ]
    if stale:
        stale[1:] = [f"{len(stale)} of {len(sample)} shapes depend on what was inferred before"]
    return finding(stale, configurations=len(sample))


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
        """The kind of difference: a known deviation, wrongly accepted or refused, or by how much on which axis."""
        for deviation in known:
            if self.inferred == deviation.shape(self.configuration):
                return f"as {deviation.name} says, which does not explain the rest"
        if self.inferred is None:
            return "refused, but should be accepted"
        if self.stated is None:
            return "accepted, but should be refused"
        if len(self.inferred) != len(self.stated):
            return "with another rank"
        names = "DHW"[-len(self.stated) :]
        changes = zip(names, self.inferred, self.stated, strict=True)
        return "output " + ", ".join(f"{name} {a - b:+d}" for name, a, b in changes if a != b)

    def __str__(self) -> str:
        return f"{_say(self.configuration)}: {_result(self.inferred)}, but should be {_result(self.stated)}"


def describe(differing: Iterable[Difference], known: Iterable[Deviation] = ()) -> list[str]:
    """One line per kind of difference, most frequent first, with the count and the smallest example."""
    counts: Counter[str] = Counter()
    smallest: dict[str, Difference] = {}
    for difference in differing:
        kind = difference.kind(known)
        counts[kind] += 1
        smallest[kind] = min(smallest.get(kind, difference), difference, key=Difference.order)
    lines = [f"{n} {kind}; smallest: {smallest[kind]}" for kind, n in counts.most_common(SHOWN_GROUPS)]
    hidden = len(counts) - SHOWN_GROUPS
    return [*lines, f"and {hidden} more kinds of difference"] if hidden > 0 else lines


def _explain(
    configurations: list[Configuration], inferred: list[Shape], differing: list[Difference], mode: PaddingMode
) -> list[str]:
    total = f"{len(differing)} of {len(configurations)} configurations differ"
    known = [deviation for deviation in DEVIATIONS if mode in deviation.modes]
    for deviation in known:
        if all(theirs == deviation.shape(c) for c, theirs in zip(configurations, inferred, strict=True)):
            smallest = min(differing, key=Difference.order)
            lines = [f"{deviation.name}: {deviation.formula}", f"smallest: {smallest}"]
            return [*lines, f"{total}, all as {deviation.name} says"]
    return [f"{total} from {FORMULAS[mode]}", *describe(differing, known)]


def _say(c: Configuration) -> str:
    return f"I {c.size}, F {c.window}, S {c.stride}, D {c.dilation}, B {c.pre}, A {c.post}"


def _result(shape: Shape) -> str:
    return "refused" if shape is None else str(shape)


def _inferred(target: Any, configurations: list[Configuration]) -> list[Shape]:
    if not offers(target, "infer_shapes"):
        raise Unsupported("the target infers no shapes without building")
    starts = range(0, len(configurations), BATCH)
    return [shape for start in starts for shape in target.infer_shapes(configurations[start : start + BATCH])]


def _verdict(target: Any, tier: PaddingTier, table: str, found: Finding) -> Verdict:
    location, text = relative(Path(__file__)), "\n".join(found.lines)
    if found.status in FAULTS:
        title = f"{table} [{tier.name}] FAILED in network"
        text = "\n".join([f"{title:<56}({location})", *(f"  {line}" for line in found.lines)])
    figures = {"tier": tier.name, **found.figures}
    return Verdict(table, target.name, "network", found.status, message=text, location=location, figures=figures)
