"""A summary of a run for the page of a CI job, in GitHub's Markdown."""

from __future__ import annotations

import html

from trt_conformance.core.words import one_line, percent, printable, seconds
from trt_conformance.results.causes import others
from trt_conformance.results.claims import WORDS
from trt_conformance.results.report.answer import answer, counted
from trt_conformance.results.report.compare_text import escaped, markdown_table
from trt_conformance.results.report.exports.series import models_of
from trt_conformance.results.report.page import rerun
from trt_conformance.results.report.view import ORDER, View

MOST_FAILURES = 50


def markdown(view: View) -> str:
    """The answer, tables of results, and the failures, folded."""
    result = answer(view)
    sign = {"pass": "✅", "fail": "❌", "open": "⚠️"}[result.tone]
    shown = [status for status in ORDER if any(column.counts[status] for column in view.columns)]
    rows = [[column.name, *(str(column.counts[status] or "-") for status in shown)] for column in view.columns]
    lines = [f"## {sign} {escaped(result.text)}", "", *markdown_table(["target", *shown], rows)]
    lines += _claims(view)
    if models := [*models_of(view)]:
        found = [[m.key.name, c.name, f"{seconds(m.seconds)} ±{percent(m.error)}", m.text] for c, m in models]
        lines += ["", "### Models", "", *markdown_table(["model", "target", "sum of its layers", "of"], found)]
    if view.failures:
        causes = view.failures_by_cause
        lines += ["", f"### Failures ({len(view.failures)})", ""]
        for same in causes[:MOST_FAILURES]:
            row, verdict = same[0], same[0].faults[0]
            more = f" and {counted(len(same) - 1, 'more case')}" if len(same) > 1 else ""
            case, target = (html.escape(one_line(text)) for text in (row.case, row.column.name))
            also = f"with this cause, too: {others(other.case for other in same[1:])}\n" if more else ""
            today = view.known_as(verdict)
            also += f"a known difference today, but not when it ran: {today}\n" if today else ""
            text = printable(f"{verdict.message}\n{also}rerun: {rerun(verdict)}")
            status = f"{row.status}, known today" if today else row.status
            fence = _fence(text)
            lines += [
                f"<details><summary><code>{case}</code>{more} on {target}: {status}</summary>",
                "",
                fence,
                text,
                fence,
                "",
                "</details>",
            ]
        left = sum(len(same) for same in causes[MOST_FAILURES:])
        if left:
            lines += ["", f"and {counted(left, 'more failure')}"]
    if view.known:
        known = [[k.id, k.column.name, str(len(k.rows))] for k in view.known]
        lines += ["", "### Known differences", "", *markdown_table(["difference", "target", "cases"], known)]
    if view.reasons:
        reasons = [[r.column.name, r.status, r.message, str(len(r.rows))] for r in view.reasons]
        lines += ["", "### Not run, and why", "", *markdown_table(["target", "result", "reason", "cases"], reasons)]
    return "\n".join(lines) + "\n"


def _claims(view: View) -> list[str]:
    """A table for each document with its claims by target and state."""
    lines = []
    for document in view.documents:
        found = {column.name: view.claim_counts(column, document) for column in view.targets}
        states = [state for state in WORDS if any(count[state] for count in found.values())]
        rows = [[name, *(str(count[state] or "-") for state in states)] for name, count in found.items()]
        title = f"Claims of the document {document.title} ({len(document.ids)})"
        lines += ["", f"### {title}", "", *markdown_table(["target", *(WORDS[state] for state in states)], rows)]
    return lines


def _fence(text: str) -> str:
    """A code fence that no line of the text closes."""
    fence = "```"
    while fence in text:
        fence += "`"
    return fence
