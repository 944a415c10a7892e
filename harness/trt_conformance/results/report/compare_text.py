"""The changes between two runs as text: for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trt_conformance.core.table import columns_of_output, table
from trt_conformance.core.words import one_line, printable
from trt_conformance.results.bound_use import share
from trt_conformance.results.changes import GROUPS, REGRESSIONS, Changes, Check
from trt_conformance.results.cost_changes import CostChanges
from trt_conformance.results.report.answer import counted

TERMINAL_ROWS = 20
MARKDOWN_ROWS = 100

Table = tuple[str, Sequence[str], list[Sequence[str]]]
"""A title, the columns' names, and the rows."""


def sentence(changes: Changes, slower: Sequence[str] = (), costlier: int = 0) -> str:
    """The answer in one sentence.

    Args:
        changes: of the checks.
        slower: what became slower, such as ``2 cases slower``.
        costlier: how many costs are beyond their tolerance.
    """
    regressions = len(changes.regressions)
    if not changes.both:
        lost = f"{counted(regressions, 'regression')}. " if regressions else ""
        return f"{lost}The runs have no check in common."
    start = f"{counted(regressions, 'regression')}" if regressions else "No regression"
    worse = list(slower)
    worse += [counted(costlier, "engine cost") + " beyond tolerance"] if costlier else []
    if worse:
        start += f" of results, {'and' if regressions else 'but'} {' and '.join(worse)}"
    passing = len(changes.groups["passing"])
    better = f"; {passing} of them newly {'passes' if passing == 1 else 'pass'}" if passing else ""
    return f"{start}. The runs share {counted(len(changes.both), 'check')}{better}."


def tables(changes: Changes, top: int, costs: CostChanges | None = None) -> Iterator[Table]:
    """What changed, one table a question; empty ones are left out."""
    for group, title in GROUPS.items():
        rows = [_row(check) for check in changes.groups[group]]
        if rows:
            mark = " (regressions)" if group in REGRESSIONS else ""
            yield f"{title}{mark}", ("case", "target", "check", "before", "now", "message"), rows
    for title, found in (
        ("changed output bits", changes.bits),
        ("changed kernels", changes.kernels),
        ("changed precision", changes.precisions),
    ):
        if found:
            yield title, ("case", "target", "before", "now"), [(c.case, c.target, c.before, c.now) for c in found]
    drifts = [(d.case, d.target, share(d.before), share(d.now)) for d in changes.drifts[:top]]
    if drifts:
        rest = len(changes.drifts) - len(drifts)
        more = f" (the largest of {len(changes.drifts)})" if rest else ""
        yield f"changed fraction of the error bound{more}", ("case", "target", "before", "now"), [*drifts]
    if costs is not None:
        yield from _cost_tables(costs)
    if changes.environment:
        yield "environment", ("fact", "before", "now"), [*changes.environment]
    for title, alone in (("only in the base run", changes.only_base), ("only in the new run", changes.only_new)):
        if alone:
            yield title, ("case", "target"), [*alone]


def _cost_tables(costs: CostChanges) -> Iterator[Table]:
    columns = ("case", "target", "cost", "before", "now", "change")
    for title, is_regression in (("engines beyond their tolerance (regressions)", True), ("changed engines", False)):
        found = [one for one in (*costs.totals, *costs.changes) if one.is_regression is is_regression]
        rows: list[Sequence[str]] = [
            (one.case or "all engines", one.target, one.figure, *one.cells)
            for one in found
            if one.case or is_regression
        ]
        if rows:
            yield title, columns, rows


def _row(check: Check) -> Sequence[str]:
    return check.case, check.target, check.check, check.before, check.now, check.message


def costlier(costs: CostChanges | None) -> int:
    """How many costs are beyond their tolerance."""
    return len(costs.regressions) if costs else 0


def notes(changes: Changes) -> list[str]:
    """What to know before reading the tables."""
    found = [f"{old} is compared with {new}" for old, new in changes.pairs if old != new]
    for name, record in (("base", changes.base), ("new", changes.new)):
        if not record.complete:
            found.append(f"the {name} run did not finish")
    if not changes.compared_bits:
        found.append("output bits were not compared: no output has a hash in both runs")
    return found


def terminal(changes: Changes, top: int, slower: Sequence[str] = (), costs: CostChanges | None = None) -> str:
    """Plain text with tables that fit the terminal. Long tables are cut."""
    room = columns_of_output()
    lines = [sentence(changes, slower, costlier(costs)), *map(one_line, notes(changes))]
    for title, columns, rows in tables(changes, top, costs):
        lines += ["", f"{title}: {len(rows)}"]
        lines += [f"  {line}" for line in table(columns, rows[:TERMINAL_ROWS], room and room - 2)]
        lines += _rest(rows, TERMINAL_ROWS, "  ")
    return "\n".join(lines)


def markdown(changes: Changes, top: int, slower: Sequence[str] = (), costs: CostChanges | None = None) -> str:
    """GitHub's Markdown with folded tables. Long tables are cut."""
    first = sentence(changes, slower, costlier(costs))
    lines = [f"**{first}**", *(f"- {escaped(note)}" for note in notes(changes))]
    for title, columns, rows in tables(changes, top, costs):
        lines += [
            "",
            f"<details{' open' if 'regressions' in title else ''}><summary>{title}: {len(rows)}</summary>",
            "",
        ]
        lines += markdown_table(columns, rows[:MARKDOWN_ROWS])
        lines += ["", *_rest(rows, MARKDOWN_ROWS), "</details>"]
    return "\n".join(lines) + "\n"


def _rest(rows: Sequence[Sequence[str]], shown: int, indent: str = "") -> list[str]:
    return [f"{indent}and {len(rows) - shown} more; see --html or --json"] if len(rows) > shown else []


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [_cells(columns), _cells(["---"] * len(columns)), *map(_cells, rows)]


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def escaped(text: str) -> str:
    """The text on one line, without a meaning to Markdown, HTML or a terminal."""
    text = printable(text.replace("\n", " "))
    for sign in "\\`*_~|[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
