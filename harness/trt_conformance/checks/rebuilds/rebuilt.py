"""Do the engines that a builder makes of one case differ: in their GPU kernels, their bits, their latency?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

from trt_conformance.checks.finding import Finding
from trt_conformance.checks.rebuilds.trial import Trial
from trt_conformance.core.verdict import Status
from trt_conformance.core.words import counted, percent

ORDER = ("error", "fail", "known", "refused", "fallback", "not run", "unsupported", "pass")
"""Statuses of trials, the worst first."""
_STATUS: dict[str, Status] = {
    "error": "error",
    "fail": "fail",
    "known": "fail",
    "refused": "fail",
    "fallback": "fallback",
    "not run": "not run",
    "unsupported": "unsupported",
    "pass": "pass",
}


def judge_rebuilds(trials: Sequence[Trial], times: int) -> Finding:
    """A fault of any build is a fault of the case. Different choices and bits are reported, but are not faults.

    Args:
        trials: of each build, in order; fewer than ``times`` where the time ran out.
    """
    if not trials:
        return Finding("not run", ["the time limit was reached before it was built"])
    choices, figures = _choices(trials), _figures(trials, times)
    status = _status(trials)
    lines = [_summary(trials, choices, times)]
    faults = [trial for trial in trials if trial.status in ("error", "fail", "known", "refused")]
    if faults:
        lines = [f"{len(faults)} of {counted(len(trials), 'build')} wrong; {lines[0]}"]
        lines += _first_of_each(faults)
    elif status in ("not run", "unsupported"):
        lines += trials[0].message.splitlines()[:1]
    return Finding(status, lines, {"rebuild": figures})


def _status(trials: Sequence[Trial]) -> Status:
    """The worst. A refusal is a fault: the case must be built every time."""
    worst = min((trial.status for trial in trials), key=ORDER.index)
    return _STATUS[worst]


def _choices(trials: Sequence[Trial]) -> dict[tuple[str, ...], list[Trial]]:
    """The builds by the GPU kernels that they chose, the most frequent choice first."""
    found: dict[tuple[str, ...], list[Trial]] = defaultdict(list)
    for trial in trials:
        if trial.ran:
            found[trial.kernels].append(trial)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _figures(trials: Sequence[Trial], times: int) -> dict[str, Any]:
    choices = _choices(trials)
    outputs = {trial.output_sha256 for trial in trials if trial.output_sha256}
    return {
        "times": times,
        "built": sum(trial.build_s is not None or trial.ran for trial in trials),
        "ran": sum(trial.ran for trial in trials),
        "outputs": len(outputs),
        "choices": [_choice(kernels, builds) for kernels, builds in choices.items()],
        **_spreads(list(choices.values())),
    }


def _choice(kernels: tuple[str, ...], builds: Sequence[Trial]) -> dict[str, Any]:
    first = builds[0]
    latencies = [trial.latency_s for trial in builds if trial.latency_s is not None]
    return {
        "kernel": first.kernel,
        "kernels": list(kernels),
        "count": len(builds),
        "status": min((trial.status for trial in builds), key=ORDER.index),
        "ran_in": first.ran_in,
        "fraction": max((trial.fraction for trial in builds), key=_size, default=None),
        "outputs": sorted({trial.output_sha256 for trial in builds if trial.output_sha256}),
        "latencies_s": latencies,
        **({"mode": first.mode} if first.mode else {}),
    }


def _size(fraction: Any) -> float:
    return float("-inf" if fraction is None else "inf" if fraction == "nan" else fraction)


def _spreads(choices: Sequence[Sequence[Trial]]) -> dict[str, float]:
    """How much slower the slowest choice is than the fastest, and the slowest build than the fastest of one choice.

    Fractions. The first is what the choice alone costs, by the medians of the builds; the second is noise.
    """
    timed = [[t.latency_s for t in builds if t.latency_s is not None] for builds in choices]
    timed = [latencies for latencies in timed if latencies]
    found: dict[str, float] = {}
    if len(timed) > 1:
        medians = [median(latencies) for latencies in timed]
        found["spread_of_choices"] = max(medians) / min(medians) - 1
    if any(len(latencies) > 1 for latencies in timed):
        found["spread_within_a_choice"] = max(max(latencies) / min(latencies) - 1 for latencies in timed)
    return found


def _summary(trials: Sequence[Trial], choices: dict[tuple[str, ...], list[Trial]], times: int) -> str:
    built = f"{len(trials)} of {times} builds" if len(trials) < times else counted(times, "build")
    counts = "+".join(str(len(builds)) for builds in choices.values())
    parts = [built]
    if choices:
        parts.append(f"{counted(len(choices), 'choice')} of GPU kernels{f' ({counts})' if len(choices) > 1 else ''}")
        outputs = len({trial.output_sha256 for trial in trials if trial.output_sha256})
        parts.append("the same output bits" if outputs < 2 else f"{outputs} different outputs")
    spreads = _spreads(list(choices.values()))
    if "spread_of_choices" in spreads:
        parts.append(f"the slowest choice takes {percent(spreads['spread_of_choices'])} longer than the fastest")
    return ", ".join(parts)


def _first_of_each(faults: Sequence[Trial]) -> list[str]:
    """The message of the first fault with each choice of kernels."""
    seen: dict[tuple[str, ...], Trial] = {}
    for trial in faults:
        seen.setdefault(trial.kernels, trial)
    lines = []
    for trial in seen.values():
        _, *rest = trial.message.splitlines() or [""]
        lines += [f"{trial.kernel or 'kernel not reported'}:", *(line.strip() for line in rest or [trial.message])]
    return lines
