"""What changed from one run to another: results, output bits, kernels, precisions, errors, and where they ran."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from trt_conformance.core.check_names import QUICK_LATENCY
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.json import finite
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.verdict import FAULTS, Verdict
from trt_conformance.results.causes import reason
from trt_conformance.results.record.keys import keyed
from trt_conformance.results.record.record import Record
from trt_conformance.results.summary import outcome

ABSENT = "absent"
# Facts that always differ between two runs, or have nothing to do with what was tested.
UNREPORTED = ("arguments", "device.clock_sm_mhz", "device.clock_memory_mhz")

Group = Literal["failing", "erroring", "lost", "passing", "other"]
GROUPS: dict[Group, str] = {
    "failing": "newly failing",
    "erroring": "newly erroring",
    "lost": "passed before, not run now",
    "passing": "newly passing",
    "other": "other changed results",
}
REGRESSIONS: tuple[Group, ...] = ("failing", "erroring", "lost")


@dataclass(frozen=True)
class Check:
    """One check of one case, before and now; None if a run does not have it."""

    case: str
    check: str
    base: Verdict | None
    new: Verdict | None

    @property
    def target(self) -> str:
        found = self.new or self.base
        assert found is not None
        return found.target

    @property
    def before(self) -> str:
        return outcome(self.base) if self.base else ABSENT

    @property
    def now(self) -> str:
        return outcome(self.new) if self.new else ABSENT

    @property
    def message(self) -> str:
        """Why it does not pass now, in one line."""
        if self.new is None:
            return "it is not in the new run"
        if self.is_known_otherwise:
            assert self.base is not None
            return f"known as {self.base.known} before, as {self.new.known} now"
        return reason(self.new.message)

    @property
    def is_known_otherwise(self) -> bool:
        """Whether both runs have a known difference, but not the same one."""
        known = (self.base.known, self.new.known) if self.base and self.new else ("", "")
        return all(known) and known[0] != known[1]

    @property
    def is_wrong_in_both(self) -> bool:
        """Whether both runs have a fault, known or not."""
        return bool(self.base and self.new and self.base.is_fault and self.new.is_fault)

    @property
    def group(self) -> Group | None:
        """Which kind of change; None if the result is the same, or the check is new and no fault."""
        before, now = self.before, self.now
        if before == now:
            return "other" if self.is_known_otherwise else None
        if now == "error":
            return "erroring"
        if now == "fail" and before not in FAULTS:
            return "failing"
        if before == "pass" and now in ("not run", ABSENT):
            return "lost"
        if now == "pass" and before not in ("pass", ABSENT):
            return "passing"
        return None if ABSENT in (before, now) else "other"

    def figure(self, name: str) -> tuple[Any, Any]:
        """A figure before and now; None if a verdict has none."""
        return self.base and self.base.figures.get(name), self.new and self.new.figures.get(name)


@dataclass(frozen=True)
class FactChange:
    """A fact that differs."""

    case: str
    target: str
    before: str
    now: str


@dataclass(frozen=True)
class Drift:
    """The fraction of the error bound that a case uses, before and now."""

    case: str
    target: str
    before: float
    now: float

    @property
    def size(self) -> float:
        """How far it moved; a figure that is infinite in both runs has not moved."""
        return 0.0 if self.before == self.now else abs(self.now - self.before)


@dataclass(frozen=True)
class Changes:
    """Everything that differs between two runs whose targets are paired."""

    base: Record
    new: Record
    pairs: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]

    @cached_property
    def groups(self) -> dict[Group, tuple[Check, ...]]:
        """The checks whose result changed, by kind."""
        return {group: tuple(check for check in self.checks if check.group == group) for group in GROUPS}

    @property
    def regressions(self) -> tuple[Check, ...]:
        """What fails a gate: newly failing, newly erroring, and passed before but not run or absent now."""
        return tuple(check for group in REGRESSIONS for check in self.groups[group])

    @cached_property
    def both(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.base and check.new)

    @property
    def shared(self) -> Changes:
        """The changes of the checks that both runs have."""
        return replace(self, checks=self.both)

    @cached_property
    def bits(self) -> tuple[FactChange, ...]:
        """Outputs that are within their bounds in both runs, but differ in their bits."""
        return tuple(self._changed("output_sha256"))

    @cached_property
    def compared_bits(self) -> int:
        return sum(all(check.figure("output_sha256")) for check in self.both)

    @cached_property
    def kernels(self) -> tuple[FactChange, ...]:
        return tuple(dict.fromkeys(self._changed("kernel")))

    @cached_property
    def precisions(self) -> tuple[FactChange, ...]:
        return tuple(dict.fromkeys(self._changed("ran_in")))

    def _changed(self, figure: str) -> Iterator[FactChange]:
        for check in self.both:
            before, now = check.figure(figure)
            if before and now and before != now:
                yield FactChange(check.case, check.target, str(before), str(now))

    @cached_property
    def drifts(self) -> tuple[Drift, ...]:
        """Changes of the fraction of the bound in use, largest first, without outputs that are wrong in both runs."""
        found = []
        for check in self.both:
            if check.is_wrong_in_both:
                continue
            before, now = check.figure("fraction")
            if check.check == "forward" and before is not None and now is not None:
                drift = Drift(check.case, check.target, _number(before), _number(now))
                found += [drift] if drift.size > 0 else []
        return tuple(sorted(found, key=lambda drift: -drift.size))

    @cached_property
    def environment(self) -> tuple[tuple[str, str, str], ...]:
        """Facts of where the runs ran: name, before, now."""
        base = dict(_facts(self.base.header.environment.to_json(), dict(self.pairs)))
        new = dict(_facts(self.new.header.environment.to_json(), {}))
        names = [name for name in dict.fromkeys((*base, *new)) if name not in UNREPORTED]
        return tuple((n, base.get(n, "-"), new.get(n, "-")) for n in names if base.get(n) != new.get(n))

    @cached_property
    def only_base(self) -> tuple[tuple[str, str], ...]:
        """Cases, with their target, that only the base run has."""
        return self._alone(lambda check: check.base)

    @cached_property
    def only_new(self) -> tuple[tuple[str, str], ...]:
        return self._alone(lambda check: check.new)

    def _alone(self, side: Callable[[Check], Verdict | None]) -> tuple[tuple[str, str], ...]:
        found: dict[tuple[str, str], bool] = {}
        for check in self.checks:
            key = (check.case, check.target)
            alone = side(check) is not None and (check.base is None or check.new is None)
            found[key] = found.get(key, True) and alone
        return tuple(key for key, alone in found.items() if alone)

    def to_json(self, top: int | None = None) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "pairs": [{"base": old, "new": new} for old, new in self.pairs],
            "complete": {"base": self.base.complete, "new": self.new.complete},
            "regressions": len(self.regressions),
            **{
                group: [
                    {
                        "case": c.case,
                        "target": c.target,
                        "check": c.check,
                        "before": c.before,
                        "now": c.now,
                        "message": c.message,
                    }
                    for c in checks
                ]
                for group, checks in self.groups.items()
            },
            "bits": [vars(change) for change in self.bits],
            "kernels": [vars(change) for change in self.kernels],
            "precisions": [vars(change) for change in self.precisions],
            "fractions": [
                {"case": d.case, "target": d.target, "before": finite(d.before), "now": finite(d.now)}
                for d in self.drifts[:top]
            ],
            "environment": [{"name": n, "before": before, "now": now} for n, before, now in self.environment],
            "only_base": [{"case": case, "target": target} for case, target in self.only_base],
            "only_new": [{"case": case, "target": target} for case, target in self.only_new],
        }


def between(base: Record, new: Record, pairs: Sequence[str] = ()) -> Changes:
    """Compare two runs check by check.

    Targets are paired as stated ("OLD=NEW"), then by name, then by what is left: one of the same flavor
    on each side, or one on each side at all.

    Raises:
        ConformanceError: a stated pair names a target that is not there.
    """
    paired = _pair(base.targets, new.targets, pairs)
    partner = dict(paired)
    # A base target without a partner keeps its checks to itself, even where the new run uses its name.
    partner |= {name: f"{name} (base)" for name in base.targets if name not in partner and name in new.targets}
    old, current = keyed(base, partner), keyed(new, {})
    keys = (key for key in dict.fromkeys((*old, *current)) if key[2] != QUICK_LATENCY)
    checks = tuple(Check(key[1], key[2], old.get(key), current.get(key)) for key in keys)
    return Changes(base, new, paired, checks)


def _pair(base: Sequence[str], new: Sequence[str], stated: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for pair in stated:
        old, equals, current = pair.partition("=")
        if not equals or old not in base or current not in new:
            raise ConformanceError(
                f"--pair {pair}: give OLD=NEW with OLD one of {', '.join(base)} and NEW one of {', '.join(new)}"
            )
        found.append((old, current))
    found += [(name, name) for name in base if name in new and not _taken(found, name, name)]
    for flavor in dict.fromkeys((*map(_flavor, base), "")):
        left = [name for name in base if flavor in ("", _flavor(name)) and name not in dict(found)]
        right = [name for name in new if flavor in ("", _flavor(name)) and name not in dict(found).values()]
        if len(left) == len(right) == 1:
            found.append((left[0], right[0]))
    return tuple(found)


def _flavor(target: str) -> str:
    return TargetName.parse(target).flavor


def _taken(found: list[tuple[str, str]], old: str, new: str) -> bool:
    return any(old == one or new == other for one, other in found)


def _facts(environment: Mapping[str, Any], partner: Mapping[str, str], path: str = "") -> Iterator[tuple[str, str]]:
    """Each fact by its path, the base run's targets under the names of their partners."""
    for key, value in environment.items():
        name = partner.get(key, key) if path == "targets." else key
        if isinstance(value, Mapping):
            yield from _facts(value, partner, f"{path}{name}.")
        else:
            yield f"{path}{name}", " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: Any) -> float:
    number = float(value)
    return math.inf if math.isnan(number) else number
