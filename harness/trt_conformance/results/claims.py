"""What a run says about claims: whether each holds on a target, and how many of each document do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trt_conformance.catalog.claims import Checkable, Claim
from trt_conformance.core.documents import COOKBOOK, DOCUMENTS, document_of
from trt_conformance.core.verdict import Verdict

DECISIVE_CHECKS = ("reject", "deprecated", "engine")
"""Checks that decide about a claim without a comparison of values: of a refusal, a name, or what an engine says."""

WORDS = {
    "holds": "holds",
    "differs": "differs",
    "known": "known difference",
    "built": "builds; values not compared",
    "fallback": "holds in a wider precision",
    "not run": "not run",
    "unsupported": "unsupported",
    "open": "not checked",
    "unstated": "not stated for this version",
}
"""The states of a claim on a target."""
_VERBS = {
    "holds": ("holds", "hold"),
    "differs": ("differs", "differ"),
    "known": ("is a known difference", "are known differences"),
    "built": ("is only built", "are only built"),
    "fallback": ("holds in a wider precision", "hold in a wider precision"),
}

# The worst first: a claim has the first of the states that its verdicts give it.
_ORDER = ("differs", "known", "holds", "built", "fallback", "not run", "unsupported")
# The checks that decide about a claim that no run is needed for.
_DECIDES: dict[Checkable, tuple[str, ...]] = {"network": ("network", "build"), "build": ("build",)}


def states(verdicts: Iterable[Verdict], registered: Mapping[str, Claim]) -> dict[str, str]:
    """The state of each claim that a verdict of one target names. A claim that is not registered needs a run."""
    found: dict[str, str] = {}
    for verdict in verdicts:
        for claim in verdict.claims:
            state = _state(verdict, registered.get(claim))
            found[claim] = min(found.get(claim, state), state, key=_ORDER.index)
    return found


def _state(verdict: Verdict, claim: Claim | None) -> str:
    if verdict.known:
        return "known"
    if verdict.is_fault:
        return "differs"
    if verdict.status != "pass":
        return verdict.status
    if claim is not None and claim.checkable == "dla" and verdict.check == "network":
        return "not run"  # the network says nothing of the device that it is built for
    decisive = (*DECISIVE_CHECKS, *(_DECIDES.get(claim.checkable, ()) if claim else ()))
    return "holds" if verdict.phase == "compare" or verdict.check in decisive else "built"


@dataclass(frozen=True)
class DocumentClaims:
    """The claims of one document: by section, each claim's id and statement. Section "" has unregistered claims."""

    name: str
    sections: Mapping[str, Sequence[tuple[str, str]]]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(claim for section in self.sections.values() for claim, _ in section)

    @property
    def title(self) -> str:
        return DOCUMENTS[self.name].title


def by_document(registered: Mapping[str, Claim], others: Iterable[str] = ()) -> tuple[DocumentClaims, ...]:
    """The documents that have claims, the cookbook first. ``others`` are claims that are not registered."""
    found: dict[str, dict[str, list[tuple[str, str]]]] = {name: {} for name in DOCUMENTS}
    for claim in registered.values():
        found[claim.document].setdefault(claim.section, []).append((claim.id, claim.statement))
    for claim_id in dict.fromkeys(others):
        if claim_id not in registered:
            found[document_of(claim_id)].setdefault("", []).append((claim_id, ""))
    return tuple(DocumentClaims(name, sections) for name, sections in found.items() if sections)


def counts(
    document: DocumentClaims, target: str, found: Mapping[str, str], registered: Mapping[str, Claim]
) -> Counter[str]:
    """How many claims of a document are in each state on a target.

    Args:
        document: the claims to count.
        target: the target's name, which says its version.
        found: the states of the target's claims.
        registered: the claims by id.
    """
    return Counter(state_of(claim, target, found, registered) for claim in document.ids)


def state_of(claim: str, target: str, found: Mapping[str, str], registered: Mapping[str, Claim]) -> str:
    """A claim's state on a target.

    Without a verdict it is "open", or "unstated" where the document does not state it for the target's version.
    """
    stated = claim not in registered or registered[claim].stated_for(target)
    return found.get(claim, "open" if stated else "unstated")


def lines(verdicts: Sequence[Verdict], registered: Mapping[str, Claim]) -> list[str]:
    """Per target and document: how many claims hold, were only built, or differ, and how many are not checked.

    A claim holds if a check of it passed that compared values, that is about a refusal or a name, or that is all it
    takes. A document of whose claims none was checked has no line.
    """
    text = []
    for target, counted in _by_target(verdicts, registered).items():
        for document, count in counted.items():
            name = "" if document == COOKBOOK else f"{document}: "
            text.append(f"{target}: {name}{_said(count)}, {_unchecked(count)} not checked")
    return text


def counted_state(number: int, state: str) -> str:
    """How many claims are in a state: ``10 hold``, ``1 is a known difference``, ``3 not checked``."""
    return f"{number} {_VERBS[state][number != 1] if state in _VERBS else WORDS[state]}"


def brief_lines(verdicts: Sequence[Verdict], registered: Mapping[str, Claim]) -> dict[str, str]:
    """By target: how many claims of the cookbook hold or differ, and how many of all other documents.

    A target without a check about a claim is left out.
    """
    text = {}
    for target, counted in _by_target(verdicts, registered).items():
        others = sum((count for document, count in counted.items() if document != COOKBOOK), Counter[str]())
        parts = [_said(counted[COOKBOOK])] if COOKBOOK in counted else []
        if others:
            parts.append(f"other documents: {_said(others)}")
        text[target] = "; ".join(parts)
    return text


def _by_target(verdicts: Sequence[Verdict], registered: Mapping[str, Claim]) -> dict[str, dict[str, Counter[str]]]:
    """By target and document the number of claims in each state, where a claim of the document was checked."""
    by_name: dict[str, dict[str, Counter[str]]] = {}
    for target in sorted({v.target for v in verdicts if v.claims}):
        found = states((v for v in verdicts if v.target == target), registered)
        counted = {
            document.name: counts(document, target, found, registered)
            for document in by_document(registered)
            if any(claim in found for claim in document.ids)
        }
        if counted:
            by_name[target] = counted
    return by_name


def _said(count: Counter[str]) -> str:
    built = f", {count['built']} built without a comparison of values" if count["built"] else ""
    total = count.total() - count["unstated"]
    known = f", {counted_state(count['known'], 'known')}" if count["known"] else ""
    hold, differ = count["holds"], count["differs"]
    return f"{hold} of {total} claims {_verb('hold', hold)}{built}{known}, {differ} {_verb('differ', differ)}"


def _verb(word: str, number: int) -> str:
    return f"{word}s" if number == 1 else word


def _unchecked(count: Counter[str]) -> int:
    return count.total() - sum(count[state] for state in ("unstated", "holds", "built", "known", "differs"))
