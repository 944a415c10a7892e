"""Makes verdicts of what many engines of a case gave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from trt_conformance.checks import message
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.rebuilds.trial import Known, Trial
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import FAULTS, Verdict, verdict


def verdict_of(
    case: Case, target: str, check: str, found: Finding, trials: Iterable[Trial], known: Known, rerun: str
) -> Verdict:
    """The verdict of a check on a case.

    Args:
        trials: those that the finding is about; where all of their faults are known, the verdict is.
        known: marks a verdict that meets an expectation of the check itself.
        rerun: the command that runs the check again.
    """
    is_fault = found.status in FAULTS
    text = message.failure(case, "compare", found.lines) if is_fault else "\n".join(found.lines)
    figures = dict(found.figures) | ({"rerun": rerun} if is_fault else {})
    made = replace(verdict(case, target, "compare", found.status, text, **figures), check=check)
    trials = list(trials)
    of_trials = [trial.known for trial in trials if trial.known]
    if of_trials and not any(trial.is_fault for trial in trials):
        return replace(made, known=of_trials[0])
    return known(made) if is_fault else made
