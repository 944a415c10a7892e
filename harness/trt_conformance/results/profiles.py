"""Which profiles a target has, computed from the verdicts of its runs: passed, or how many cases it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.profiles import LEVELS, Level, Profile
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.summary import DIFFERS, case_outcome

_PASSES = ("pass", "fallback")


@dataclass(frozen=True)
class ProfileResult:
    """How a target does in the cases of a level of a profile.

    ``outcomes``: the outcome of each case, "not run" where there is no verdict. A known difference is a failure here,
    because the target does not do what is documented. A fallback passes: its values are right.
    """

    profile: str
    level: Level
    doc: str
    outcomes: Mapping[str, str]

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.outcomes.values())

    @property
    def fails(self) -> int:
        return sum(self.counts[name] for name in DIFFERS)

    @property
    def ran(self) -> bool:
        """Whether a case has a result."""
        return any(name not in ("not run", "unsupported") for name in self.outcomes.values())

    @property
    def is_passed(self) -> bool:
        """Whether every case passes."""
        return bool(self.outcomes) and all(name in _PASSES for name in self.outcomes.values())

    @property
    def state(self) -> str:
        """The overall outcome: pass, fail, unsupported or not run."""
        if self.is_passed:
            return "pass"
        if self.fails:
            return "fail"
        return "not run" if self.counts["not run"] or not self.outcomes else "unsupported"

    @property
    def words(self) -> str:
        """``pass``, ``fails 3``, ``fails 3, unsupported 8, not run 112``."""
        if self.is_passed:
            return "pass"
        numbers = {"fails": self.fails, "unsupported": self.counts["unsupported"], "not run": self.counts["not run"]}
        return ", ".join(f"{word} {number}" for word, number in numbers.items() if number) or "none ran"

    @property
    def failing(self) -> tuple[str, ...]:
        """The cases that fail."""
        return tuple(case for case, name in self.outcomes.items() if name in DIFFERS)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        numbers = {"profile": self.profile, "level": self.level, "result": self.words, "cases": len(self.outcomes)}
        return numbers | {"outcomes": dict(self.counts), "failing": list(self.failing)}


def profile_results(
    profiles: Sequence[Profile], catalog: Catalog | None, target: str, verdicts: Iterable[Verdict]
) -> tuple[ProfileResult, ...]:
    """The results of a target, two for each profile: core and extended.

    A case that checks claims none of which is stated for the target's version is left out.

    Args:
        profiles: the rules.
        catalog: the cases of this checkout; without it, there are no results.
        target: the target's name, which says its version.
        verdicts: those of the target, in any order; others are ignored.
    """
    if catalog is None:
        return ()
    by_case: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.target == target:
            by_case.setdefault(verdict.case, []).append(verdict)
    return tuple(
        ProfileResult(
            profile.id,
            level,
            profile.doc,
            {
                case.id: case_outcome(by_case[case.id]) if case.id in by_case else "not run"
                for case in profile.cases(level, catalog)
                if _is_stated(case, target, catalog)
            },
        )
        for profile in profiles
        for level in LEVELS
    )


def _is_stated(case: Case, target: str, catalog: Catalog) -> bool:
    claims = [catalog.claims[name] for name in case.claims if name in catalog.claims]
    return not claims or any(claim.stated_for(target) for claim in claims)
