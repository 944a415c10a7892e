"""Badges: the JSON that the endpoint badge of shields.io reads, one file for each."""

from __future__ import annotations

import json
from collections.abc import Sequence

from trt_conformance.results.profiles import ProfileResult
from trt_conformance.results.site.topics import TopicCell, has_faults

SCHEMA_VERSION = 1
WORDS = {"fail": "fail", "error": "error", "known": "known", "fallback": "fallback"}


def badge(label: str, message: str, color: str) -> str:
    """The text of a badge's file: label, message, and a color that shields names."""
    return json.dumps({"schemaVersion": SCHEMA_VERSION, "label": label, "message": message, "color": color}) + "\n"


def target_badge(label: str, cell: TopicCell) -> str:
    """The badge of a version: red if a check fails without an explanation, yellow if a run did not finish."""
    return badge(label, ", ".join(_parts(cell.counts)) or "nothing passed", color(cell))


def profile_badge(label: str, result: ProfileResult) -> str:
    """The badge of a profile: pass, or how many cases fail, are unsupported or were not run."""
    colors = {"pass": "brightgreen", "fail": "red", "unsupported": "lightgrey", "not run": "lightgrey"}
    return badge(f"{result.profile} {result.level}, {label}", result.words, colors[result.state])


def color(cell: TopicCell) -> str:
    """The color that stands for the results of a version."""
    counts = dict(cell.counts)
    if has_faults(cell):
        return "red"
    if not counts.get("pass"):
        return "lightgrey"
    if not cell.version.record.complete:
        return "yellow"
    return "green" if counts.get("known") or counts.get("fallback") else "brightgreen"


def _parts(counts: Sequence[tuple[str, int]]) -> list[str]:
    found = dict(counts)
    passed = [f"{found['pass']:,} pass"] if found.get("pass") else []
    return passed + [f"{found[name]:,} {word}" for name, word in WORDS.items() if found.get(name)]
