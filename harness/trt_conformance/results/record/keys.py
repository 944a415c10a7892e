"""The key under which a verdict of one run is found in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from trt_conformance.core.verdict import Verdict
from trt_conformance.results.record.record import Record


def keyed(record: Record, partner: Mapping[str, str]) -> dict[tuple[str, str, str, int], Verdict]:
    """Verdicts by target (the new run's name), case, check, and number, since a check may judge a case twice."""
    seen: Counter[tuple[str, str, str]] = Counter()
    found = {}
    for verdict in record.verdicts:
        key = (partner.get(verdict.target, verdict.target), verdict.case, verdict.check)
        place = (*key, seen[key])
        found[place] = verdict
        seen[key] += 1
    return found
