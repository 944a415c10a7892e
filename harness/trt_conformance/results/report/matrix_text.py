"""Versions side by side as text: for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trt_conformance.core.table import columns_of_output, table
from trt_conformance.core.words import one_line
from trt_conformance.results.report.answer import counted
from trt_conformance.results.report.compare_text import Table, escaped, markdown_table
from trt_conformance.results.versions.columns import Version
from trt_conformance.results.versions.events import VersionStep
from trt_conformance.results.versions.matrix import Matrix, MatrixRow

EVENT_COLUMNS = ("change", "what", "cause", "how many", "smallest case")

UNDECIDED = {"open", "unstated", "not run"}
"""States of a claim that a version did not check."""


def sentence(matrix: Matrix) -> str:
    """The result in one sentence."""
    events = sum(len(step.events) for step in matrix.steps)
    return f"{counted(len(matrix.versions), 'version')}, {counted(events, 'change')} between consecutive versions."


def known_today(matrix: Matrix) -> list[str]:
    """For each version in which a check failed, how many of these failures an expectation explains today."""
    return [
        f"{version.target}: {version.known_today.text}" for version in matrix.versions if version.known_today.failed
    ]


def headline(step: VersionStep) -> str:
    """``tensorrt-8.5.3-sm90 to tensorrt-8.6.0-sm90``."""
    return f"{step.before.target} to {step.now.target}"


def notes(step: VersionStep) -> list[str]:
    """What to know about two consecutive versions in addition to the table of changes."""
    found = [f"{counted(step.shared, 'check')} in both"]
    found += [f"a run of {side.target} did not finish" for side in _incomplete(step)]
    if not step.events:
        found.append("nothing changed")
    return found + ([f"latency: {step.latency}"] if step.latency else [])


def dates(version: Version) -> str:
    """The day on which the runs of a version started, or the first and the last: ``2026-11-22 to 2026-11-30``."""
    days = dict.fromkeys(started.partition("T")[0] for started in (version.started[0], version.started[-1]))
    return " to ".join(days)


def tables(matrix: Matrix) -> Iterator[Table]:
    """What each version does, one table a question."""
    names = [version.target for version in matrix.versions]
    pairs = zip(matrix.versions, matrix.outcomes, strict=True)
    rows: list[Sequence[str]] = [
        (version.target, str(len(version.started)), dates(version), counts) for version, counts in pairs
    ]
    yield "versions", ("target", "runs", "started", "checks"), rows
    for title, name, found in (
        ("claims by document", "document", matrix.claim_counts),
        ("claims that changed", "claim", changed_claims(matrix)),
        ("known differences, in checks", "difference", matrix.known),
        ("families of cases, in checks", "family", matrix.families),
    ):
        if found:
            yield title, (name, *names), [(row.name, *row.cells) for row in found]


def changed_claims(matrix: Matrix) -> list[MatrixRow]:
    """The claims whose state is not the same in every version of one flavor on one GPU that checked them."""
    series = [version.series for version in matrix.versions]

    def changed(row: MatrixRow) -> bool:
        states: dict[tuple[str, str], set[str]] = {}
        for name, state in zip(series, row.cells, strict=True):
            states.setdefault(name, set()).add(state)
        return any(len(found - UNDECIDED) > 1 for found in states.values())

    return [row for document in matrix.documents for _, row in matrix.claims_of(document) if changed(row)]


def terminal(matrix: Matrix) -> str:
    """Plain text: what changed, one line for each cause, and the tables."""
    room = columns_of_output()
    lines = [sentence(matrix), *map(one_line, known_today(matrix))]
    for step in matrix.steps:
        lines += [
            "",
            f"{headline(step)}: {'; '.join(notes(step))}",
            *(f"  {one_line(event.text())}" for event in step.events),
        ]
    for title, columns, rows in tables(matrix):
        lines += ["", f"{title}:", *(f"  {line}" for line in table(columns, rows, room and room - 2))]
    return "\n".join(lines)


def markdown(matrix: Matrix) -> str:
    """GitHub's Markdown."""
    lines = [f"**{sentence(matrix)}**", *(f"- {escaped(line)}" for line in known_today(matrix))]
    for step in matrix.steps:
        lines += ["", f"### {escaped(headline(step))}", "", f"{escaped('; '.join(notes(step)))}.", ""]
        if step.events:
            lines += markdown_table(EVENT_COLUMNS, [event.cells for event in step.events])
    for title, columns, rows in tables(matrix):
        lines += ["", f"### {title[0].upper()}{title[1:]}", "", *markdown_table(columns, rows)]
    return "\n".join(lines) + "\n"


def _incomplete(step: VersionStep) -> list[Version]:
    return [side for side in (step.before, step.now) if not side.record.complete]
