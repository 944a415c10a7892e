"""The last lines of a run: how many claims hold and differ on each target, then the exit code and its reason."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from trt_conformance.catalog.claims import Claim
from trt_conformance.core.verdict import NEUTRAL, REFERENCE, Verdict
from trt_conformance.core.words import counted, one_line
from trt_conformance.results import claims as claim_states
from trt_conformance.results import summary

_NAMES = {2: "the run was interrupted", 3: "an internal error", 4: "wrong usage", 5: "no tests were run"}


def untested(verdicts: Sequence[Verdict], requested: Sequence[str], min_claims: int | None) -> list[str]:
    """Why requested targets were not tested enough, one reason per target.

    Without ``min_claims`` a target needs one check with a result; a correct value in a wider precision counts.
    """
    reasons = []
    for target in requested:
        found = [v for v in verdicts if v.target == target and (v.status not in NEUTRAL or v.status == "fallback")]
        claims = {claim for v in found for claim in v.claims}
        if min_claims is None and not found:
            reasons.append(f"no check on {target} had a result (--min-claims 0 accepts this)")
        elif min_claims is not None and len(claims) < min_claims:
            reasons.append(f"{target} checked {counted(len(claims), 'claim')}, fewer than --min-claims {min_claims}")
    return reasons


def headline(
    verdicts: Sequence[Verdict],
    claims: Mapping[str, Claim],
    code: int,
    reasons: Sequence[str],
    width: int | None = None,
) -> list[str]:
    """The last lines of a run: one for each target, and ``exit code 1: 2 checks failed``.

    Args:
        verdicts: of the run.
        claims: those of the catalog, by id.
        code: the exit code.
        reasons: why the run fails, apart from failed checks.
        width: the columns of the terminal; the lines about targets are folded to it.
    """
    claimed = claim_states.brief_lines(verdicts, claims)
    lines = []
    for target in sorted({verdict.target for verdict in verdicts} - {REFERENCE}):
        about = claimed.get(target) or _checks([v for v in verdicts if v.target == target])
        lines += _folded(one_line(f"{target}: {about}"), width)
    return [*lines, one_line(f"exit code {code}: {_reason(verdicts, code, reasons)}")]


def _checks(verdicts: Sequence[Verdict]) -> str:
    """The checks of a target without a check about a claim: ``1 of 3 checks passes, 2 differ``."""
    count = summary.counts(verdicts)
    differ = count["fail"] + count["error"]
    of_all = f"{count['pass']} of {counted(len(verdicts), 'check')} {'passes' if count['pass'] == 1 else 'pass'}"
    known = f", {claim_states.counted_state(count['known'], 'known')}" if count["known"] else ""
    return f"{of_all}{known}, {differ} {'differs' if differ == 1 else 'differ'}"


def _folded(text: str, width: int | None) -> list[str]:
    if width is None:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _reason(verdicts: Sequence[Verdict], code: int, reasons: Sequence[str]) -> str:
    count = summary.counts(verdicts)
    faults = [f"{counted(count['fail'], 'check')} failed"] if count["fail"] else []
    faults += [f"{counted(count['error'], 'check')} ended in an error"] if count["error"] else []
    if code == 0:
        return "no check failed"
    if code == 1:
        return ", ".join([*faults, *reasons]) or "a test outside the conformance checks failed"
    return ", ".join([_NAMES.get(code, "the run was stopped"), *faults])
