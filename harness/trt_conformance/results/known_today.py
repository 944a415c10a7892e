"""Which faults of recorded runs are known differences today.

A record keeps the verdicts of its run: what no expectation explained then stays a fault in it. Whoever reads the record
later says both.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.expectations import Expectations, Find
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import counted


@dataclass(frozen=True)
class KnownToday:
    """How many checks failed without an expectation when they ran, and how many of them one explains today."""

    failed: int
    known: int

    @property
    def text(self) -> str:
        """``29 checks failed when run; 24 of them are known differences today``; empty if none failed."""
        if not self.failed:
            return ""
        if self.failed == 1:
            today = f"it is {'a' if self.known else 'no'} known difference today"
        elif self.known == 1:
            today = "one of them is a known difference today"
        else:
            share = {0: "none", self.failed: "all"}.get(self.known, f"{self.known:,}")
            today = f"{share} of them {'are known differences' if self.known else 'is a known difference'} today"
        return f"{counted(self.failed, 'check')} failed when run; {today}"


def explained(verdict: Verdict, expectations: Expectations | None) -> Verdict:
    """A verdict with the expectation that explains it today, if it is a fault that was not known in its run."""
    if expectations is None or verdict.known or not verdict.is_fault:
        return verdict
    return expectations.apply(verdict)


def known_today(verdicts: Iterable[Verdict], expectations: Expectations | None) -> KnownToday:
    """Of the verdicts of a run, how many faults were not known in it, and how many of them are known today."""
    faults = [verdict for verdict in verdicts if verdict.is_fault and not verdict.known]
    return KnownToday(len(faults), sum(bool(explained(fault, expectations).known) for fault in faults))


def finding(catalog: Catalog | None) -> Find:
    """Finds the case of an id, once for each; None for one that this checkout does not have."""

    @cache
    def find(name: str) -> Case | None:
        with suppress(ConformanceError):  # of another checkout, perhaps
            return None if catalog is None else catalog.find(name)
        return None

    return find
