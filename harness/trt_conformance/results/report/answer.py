"""The result of a run in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trt_conformance.results.report.view import Column, View

Tone = Literal["pass", "fail", "open"]


@dataclass(frozen=True)
class ReportAnswer:
    """A sentence, and whether it is good news."""

    tone: Tone
    text: str


def answer(view: View) -> ReportAnswer:
    """The result of all targets together."""
    own = view.reference
    if own is not None and own.faults:
        text = f"{counted(own.faults, 'check')} of the suite's own data {_verb(own.faults)}, so no result is valid."
        return ReportAnswer("fail", text)
    targets = view.targets
    if not any(column.verdicts for column in targets):
        text = "No target was tested" if not targets else f"Nothing was run on {_list([c.name for c in targets])}"
        return ReportAnswer("open", f"{text}.")
    found = of_target(view, targets[0]) if len(targets) == 1 else _of_targets(view, targets)
    if all(record.complete for record in view.records):
        return found
    tone: Tone = "fail" if found.tone == "fail" else "open"
    run = "The run" if len(view.records) == 1 else "A run"
    return ReportAnswer(tone, f"{run} did not finish. Until then: {found.text[0].lower()}{found.text[1:]}")


def of_target(view: View, column: Column) -> ReportAnswer:
    """The result of one target."""
    if not column.verdicts:
        return ReportAnswer("open", f"Nothing was run on {column.name}.")
    failing, total = column.faults, len(column.verdicts)
    compared = any(v.phase in ("compare", "latency") and (v.status == "pass" or v.is_fault) for v in column.verdicts)
    if failing:
        start = f"{failing} of {counted(total, 'check')} {_verb(failing)}"
        if today := view.known_today(column).known:
            start = f"{failing} of {counted(total, 'check')} failed when run, {_known(today, failing)}"
    else:
        start = "No check fails" if compared else "No check fails, but no output was compared"
    tone: Tone = "fail" if failing else "pass" if compared else "open"
    found = _claims(view, column) or _latencies(column)
    return ReportAnswer(tone, f"{start}: {column.name} {found}." if found else f"{start} on {column.name}.")


def _latencies(column: Column) -> str:
    """How many latencies a run has that checks no claim."""
    timed = [v for v in column.verdicts if v.phase == "latency" and v.figures.get("samples")]
    return f"has {len(timed)} {'latency' if len(timed) == 1 else 'latencies'}" if timed else ""


def _claims(view: View, column: Column) -> str:
    found, total = view.claim_counts(column), len(view.claim_ids)
    if not total or found["open"] == total:
        return ""
    parts = [f"does what the Cookbook states in {found['holds']} of {counted(total, 'claim')}"]
    if found["differs"]:
        parts.append(f"differs in {found['differs']}")
    if found["known"]:
        parts.append(f"has known differences in {found['known']}")
    if found["built"]:
        parts.append(f"builds {found['built']} more without a comparison of values")
    if found["fallback"]:
        parts.append(f"gives correct values in a wider precision in {found['fallback']}")
    missing = found["not run"] + found["unsupported"] + found["open"]
    tail = f"; {missing} {'has' if missing == 1 else 'have'} no result" if missing else ""
    return _list(parts) + tail


def _of_targets(view: View, targets: tuple[Column, ...]) -> ReportAnswer:
    by_tone: dict[str, list[str]] = {"fail": [], "pass": [], "open": []}
    for column in targets:
        by_tone[of_target(view, column).tone].append(column.name)
    failing, passing, unclear = by_tone["fail"], by_tone["pass"], by_tone["open"]
    parts = []
    if failing:
        parts.append(f"{_list(failing)} {_verb(len(failing))}")
    if passing:
        parts.append(f"{_list(passing)} {'passes' if len(passing) == 1 else 'pass'}")
    if unclear:
        parts.append(f"nothing was compared on {_list(unclear)}")
    start = f"{len(failing)} of {len(targets)} targets fail" if failing else "No check fails"
    return ReportAnswer("fail" if failing else "open" if unclear else "pass", f"{start}: {_list(parts)}.")


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 check, 2 checks."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _known(today: int, failing: int) -> str:
    """``24 of which are known differences today``."""
    which = "which" if failing == 1 else "all of which" if today == failing else f"{today:,} of which"
    return f"{which} {'is a known difference' if today == 1 else 'are known differences'} today"


def _verb(count: int) -> str:
    return "fails" if count == 1 else "fail"


def _list(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
