"""Shares out the builds of many cases among a target's processes, and makes a verdict of each case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from trt_conformance.checks.finding import Finding
from trt_conformance.checks.rebuilds.rebuilt import judge_rebuilds
from trt_conformance.checks.rebuilds.tactics import judge_tactics, list_tactics, reason_of
from trt_conformance.checks.rebuilds.trial import Known, Trial, try_build, try_tactic
from trt_conformance.checks.rebuilds.verdicts import verdict_of
from trt_conformance.checks.subject import Golden
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Verdict
from trt_conformance.targets.protocols import Tactic, TacticChoices, Target, offers
from trt_conformance.targets.worker_pool import WorkerPool


@dataclass(frozen=True)
class Judging:
    """What turns trials into verdicts.

    Attributes:
        target: its name.
        known: marks a verdict that meets an expectation.
        may_differ: whether an expectation is about the output of a case.
        rerun: the command that repeats the check of a case.
    """

    target: str
    golden: Golden
    known: Known
    may_differ: Callable[[Case], bool]
    rerun: Callable[[Case], str]


class RebuildRuns:
    """Builds each of many cases many times. Cases take turns, so that each is built even if the run ends early."""

    def __init__(self, cases: Sequence[Case], times: int, judging: Judging, timed: bool, ahead: int = 0) -> None:
        """``ahead`` is how many further builds a target starts ahead of each."""
        self._cases, self._times, self._judging, self._timed = cases, times, judging, timed
        self._ahead = ahead
        self._trials: dict[str, list[Trial]] = {case.id: [] for case in cases}

    def run(self, pool: WorkerPool) -> Iterator[Verdict]:
        """The verdict of each case once its last build is done, then of those that the time did not suffice for."""
        judging = self._judging

        def work(target: Target, case: Case) -> Trial:
            return try_build(case, target, judging.golden, judging.known, self._timed)

        builds = [case for _ in range(self._times) for case in self._cases]
        for case, trial in pool.each(builds, work, _expect if self._ahead else None, self._ahead):
            self._trials[case.id].append(trial)
            if len(self._trials[case.id]) == self._times:
                yield self._verdict(case)
        yield from self.rest()

    def rest(self) -> Iterator[Verdict]:
        """The verdicts of the cases that have not had all of their builds."""
        for case in self._cases:
            if len(self._trials[case.id]) < self._times:
                yield self._verdict(case)

    def _verdict(self, case: Case) -> Verdict:
        trials = self._trials[case.id]
        found = judge_rebuilds(trials, self._times)
        return verdict_of(
            case, self._judging.target, "rebuild", found, trials, self._judging.known, self._judging.rerun(case)
        )


def _expect(target: Target, cases: Sequence[Case]) -> None:
    """Let a target build these ahead if it can. What goes wrong is reported by the build that needs it."""
    if offers(target, "expect"):
        with suppress(Exception):
            target.expect(cases)


def _expect_tactics(target: Target, asked: Sequence[tuple[Case, Tactic | None]]) -> None:
    """As `_expect`, for lists of tactics (None) and builds with a tactic."""
    if offers(target, "expect_tactics"):
        with suppress(Exception):
            target.expect_tactics([(case, tactic) for case, tactic in asked])


class _Unit(NamedTuple):
    case: Case
    tactic: Tactic


@dataclass
class _Listed:
    """The tactics of a case, and what each of them gave so far."""

    case: Case
    choices: TacticChoices
    trials: dict[Tactic, Trial] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return len(self.trials) == len(self.choices.offered)


class EveryTactic:
    """Lists the tactics of many cases, then builds and runs each of them.

    Cases with the fewest tactics come first: if the run ends early, all tactics of as many cases as possible have run.
    """

    def __init__(self, cases: Sequence[Case], judging: Judging, ahead: int = 0) -> None:
        """``ahead`` is as in `RebuildRuns`."""
        self._cases, self._judging, self._ahead = cases, judging, ahead
        self._listed: dict[str, _Listed | Finding] = {}

    def find_tactics(self, pool: WorkerPool) -> Iterator[Verdict]:
        """List the tactics of all cases; gives the verdicts of the cases that have none."""

        def foresee(target: Target, cases: Sequence[Case]) -> None:
            _expect_tactics(target, [(case, None) for case in cases])

        def work(target: Target, case: Case) -> TacticChoices | Finding:
            return list_tactics(case, target)

        for case, found in pool.each(self._cases, work, foresee if self._ahead else None, self._ahead):
            if isinstance(found, Finding):
                self._listed[case.id] = found
                yield self._without(case, found)
            else:
                self._listed[case.id] = _Listed(case, found)

    @property
    def listed(self) -> int:
        """How many tactics there are of all cases."""
        return sum(len(listed.choices.offered) for listed in self._with_tactics)

    @property
    def ran(self) -> int:
        """How many of them have run."""
        return sum(trial.ran for listed in self._with_tactics for trial in listed.trials.values())

    @property
    def tried(self) -> int:
        """How many of them were tried."""
        return sum(len(listed.trials) for listed in self._with_tactics)

    @property
    def reasons(self) -> Counter[str]:
        """Why tactics did not run, and how many for each reason."""
        trials = [trial for listed in self._with_tactics for trial in listed.trials.values()]
        found = Counter(reason_of(trial) for trial in trials if not trial.ran)
        left = self.listed - self.tried
        return found + Counter({"the time limit was reached": left})

    @property
    def cases_listed(self) -> int:
        """How many cases have tactics."""
        return len(self._with_tactics)

    def run(self, pool: WorkerPool) -> Iterator[Verdict]:
        """The verdict of each case once its last tactic has run, then of those that the time did not suffice for."""
        judging = self._judging

        def work(target: Target, unit: _Unit) -> Trial:
            return try_tactic(unit.case, target, unit.tactic, judging.golden, judging.known)

        foresee = _expect_tactics if self._ahead else None
        for unit, trial in pool.each(self._units(), work, foresee, self._ahead):
            listed = self._listed[unit.case.id]
            assert isinstance(listed, _Listed)
            listed.trials[unit.tactic] = trial
            if listed.is_complete:
                yield self._verdict(listed)
        yield from self.rest()

    def rest(self) -> Iterator[Verdict]:
        """The verdicts of the cases whose tactics have not all been tried, or not been listed."""
        for case in self._cases:
            listed = self._listed.get(case.id)
            if listed is None:
                reason = "the time limit was reached before its tactics were listed"
                yield self._without(case, Finding("not run", [reason]))
            elif isinstance(listed, _Listed) and not listed.is_complete:
                yield self._verdict(listed)

    @property
    def _with_tactics(self) -> list[_Listed]:
        return [listed for listed in self._listed.values() if isinstance(listed, _Listed)]

    def _units(self) -> list[_Unit]:
        """All tactics of the case that has the fewest, then those of the next, and so on."""
        fewest_first = sorted(self._with_tactics, key=lambda listed: len(listed.choices.offered))
        return [_Unit(listed.case, tactic) for listed in fewest_first for tactic in listed.choices.offered]

    def _verdict(self, listed: _Listed) -> Verdict:
        found = judge_tactics(listed.choices, listed.trials)
        judging, trials = self._judging, listed.trials.values()
        return verdict_of(
            listed.case, judging.target, "tactics", found, trials, judging.known, judging.rerun(listed.case)
        )

    def _without(self, case: Case, found: Finding) -> Verdict:
        return verdict_of(
            case, self._judging.target, "tactics", found, (), self._judging.known, self._judging.rerun(case)
        )
