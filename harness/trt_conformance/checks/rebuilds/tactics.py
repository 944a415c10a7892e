"""Is each tactic that the builder could choose correct, even if its timings never select it?"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trt_conformance.checks.finding import Finding
from trt_conformance.checks.rebuilds.trial import Trial
from trt_conformance.checks.subject import raised
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Status
from trt_conformance.core.words import counted, one_line, percent
from trt_conformance.targets.protocols import Tactic, TacticChoices, Target, offers

MOST_SHOWN = 8
MOST_REASONS = 4
MOST_OF_MESSAGE = 500
INSTEAD = "the builder chose another tactic: "


def list_tactics(case: Case, target: Target) -> TacticChoices | Finding:
    """The tactics of a case on a target, in an order that is the case's own; or why there are none.

    The order is drawn by the case's id: a run that ends early has then left out no kind of tactic.
    """
    if not offers(target, "tactics", "build_with"):
        return Finding("unsupported", ["the target does not list its tactics"])
    try:
        reason = target.supports(case)
        if reason is not None:
            return Finding("unsupported", [reason])
        found = target.tactics(case)
    except Exception as fault:  # whatever a target raises is about this case alone
        return raised(fault, "build")
    offered = list(found.offered)
    random.Random(case.id).shuffle(offered)  # noqa: S311 - no secret
    return replace(found, offered=tuple(offered))


def judge_tactics(choices: TacticChoices, trials: Mapping[Tactic, Trial]) -> Finding:
    """A wrong tactic is a fault of the case. One that the builder cannot use or does not use is reported as such.

    Args:
        trials: by tactic; those that the run had no time for are missing.
    """
    listed, ran = len(choices.offered), sum(trial.ran for trial in trials.values())
    statuses = Counter(trial.status for trial in trials.values())
    left = listed - len(trials)
    parts = [f"{ran} of {counted(listed, 'tactic')} ran ({percent(ran / listed)})"]
    parts += [f"{n} {status}" for status, n in sorted(statuses.items()) if status not in ("pass", "not run")]
    parts += [f"{statuses['not run']} not used by the builder"] if statuses["not run"] else []
    parts += [f"{left} left when the time limit was reached"] if left else []
    kernels = len({trial.kernel for trial in trials.values() if trial.ran})
    parts.append(counted(kernels, "different GPU kernel"))
    lines = [", ".join(parts), *_refused(choices), *_reasons(trials), *_wrong(choices, trials)]
    return Finding(_status(statuses, ran), lines, {"tactics": _figures(choices, trials, ran)})


def _status(statuses: Counter[str], ran: int) -> Status:
    if statuses["fail"]:
        return "fail"
    if statuses["error"]:
        return "error"
    return "pass" if ran else "not run"


def _refused(choices: TacticChoices) -> list[str]:
    """What the builder said where it listed tactics, and with all of them allowed built nothing."""
    if not choices.refusal:
        return []
    return [f"with every tactic allowed, the builder built nothing: {one_line(choices.refusal)}"]


def _reasons(trials: Mapping[Tactic, Trial]) -> list[str]:
    """Why tactics did not run, the most frequent reasons first."""
    found = Counter(reason_of(trial) for trial in trials.values() if not trial.ran and not trial.is_fault)
    lines = [f"{count} not run: {reason}" for reason, count in found.most_common(MOST_REASONS)]
    rest = found.total() - sum(count for _, count in found.most_common(MOST_REASONS))
    return [*lines, f"{rest} not run for other reasons; the record has all of them"] if rest else lines


def reason_of(trial: Trial) -> str:
    """Why a tactic did not run, in a line without the numbers of the tactic that the builder chose instead."""
    lines = [line.strip() for line in trial.message.splitlines() if line.strip()]
    said = next((line for line in lines if not line.endswith(":") and " FAILED in " not in line), trial.status)
    return one_line(said.partition(INSTEAD)[0] + INSTEAD.rstrip(": ") if INSTEAD in said else said)


def _wrong(choices: TacticChoices, trials: Mapping[Tactic, Trial]) -> list[str]:
    """Each wrong tactic with its message, the builder's own choice marked."""
    wrong = [(tactic, trial) for tactic, trial in trials.items() if trial.is_fault]
    lines = []
    for tactic, trial in wrong[:MOST_SHOWN]:
        own = ", the builder's own choice" if tactic == choices.chosen else ""
        _, *rest = trial.message.splitlines() or [""]
        lines.append(f"tactic {tactic.tactic} of {tactic.implementation} ({trial.kernel or 'kernel unknown'}){own}:")
        lines += [f"  {line.strip()}" for line in rest or [trial.message]]
    if len(wrong) > MOST_SHOWN:
        lines.append(f"and {len(wrong) - MOST_SHOWN} more; the record has all of them")
    return lines


def _figures(choices: TacticChoices, trials: Mapping[Tactic, Trial], ran: int) -> dict[str, Any]:
    return {
        "listed": len(choices.offered),
        "ran": ran,
        "chosen": None if choices.chosen is None else choices.chosen.tactic,
        **({"refusal": choices.refusal[:MOST_OF_MESSAGE]} if choices.refusal else {}),
        "trials": [
            {
                "implementation": tactic.implementation,
                "tactic": tactic.tactic,
                "tensors": list(tactic.tensors),
                "is_chosen": tactic == choices.chosen,
                "status": trials[tactic].status if tactic in trials else "not tried",
                **(_trial(trials[tactic]) if tactic in trials else {}),
            }
            for tactic in choices.offered
        ],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    figures = {
        "kernel": trial.kernel,
        "layers": len(trial.kernels),
        "ran_in": trial.ran_in,
        "fraction": trial.fraction,
        "output_sha256": trial.output_sha256,
        "build_s": trial.build_s,
        "message": trial.message[:MOST_OF_MESSAGE],
        "optimization_level": trial.optimization_level,
    }
    return {name: value for name, value in figures.items() if value not in (None, "", 0)}
