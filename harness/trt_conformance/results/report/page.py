"""Renders each view as one self-contained HTML file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from trt_conformance import __version__
from trt_conformance.core.documents import DOCUMENTS
from trt_conformance.core.verdict import FAULTS, REFERENCE, Verdict
from trt_conformance.core.words import memory, percent, seconds
from trt_conformance.results.bound_use import share
from trt_conformance.results.changes import GROUPS, REGRESSIONS, Changes
from trt_conformance.results.claims import WORDS
from trt_conformance.results.cost_changes import CostChanges
from trt_conformance.results.latency.change import signed
from trt_conformance.results.latency.gate import LatencyComparison
from trt_conformance.results.latency.kernel_groups import slower_by_kernel
from trt_conformance.results.record.record import Record
from trt_conformance.results.report import builds, compare_text, document, latency_summary, picture, roofline, sweeps
from trt_conformance.results.report.answer import answer, counted, of_target
from trt_conformance.results.report.bound_plot import plot
from trt_conformance.results.report.coverage import coverage
from trt_conformance.results.report.engines import MOST_ENGINES, engine_rows, engine_sums
from trt_conformance.results.report.latency_rows import latency_rows, model_rows
from trt_conformance.results.report.since import MOST_ROWS as MOST_CHANGES
from trt_conformance.results.report.since import Since
from trt_conformance.results.report.strip_plot import strip_plot
from trt_conformance.results.report.view import ORDER, Row, View
from trt_conformance.results.summary import outcome

MOST_CARDS = 300
MOST_OTHERS = 200
MOST_PICTURES = 60
MOST_OPEN = 4
MOST_TERMS = 12

SIGNS = {
    "holds": "✓",
    "differs": "✗",
    "known": "≠",
    "built": "◐",
    "fallback": "~",
    "not run": "○",
    "unsupported": "–",
    "open": "·",
    "unstated": " ",
}


def report_page(view: View, since: Since | None = None) -> str:
    """The report of one or more runs; of one run with what changed since the last."""
    columns = view.columns
    timed = latency_rows(view)
    return render(
        "report.html.j2",
        view=view,
        since=since,
        MOST_CHANGES=MOST_CHANGES,
        answer=answer(view),
        sentences={column: of_target(view, column) for column in view.targets},
        columns=columns,
        known_today=sum(view.known_today(column).known for column in view.targets),
        stated={entry.id: entry.doc for entry in view.expectations},
        several=len(view.targets) > 1,
        coverage=coverage(view, view.targets),
        sweeps=sweeps.sections(view, view.targets),
        listed=sweeps.listed(view),
        PAIR_WORDS=sweeps.WORDS,
        timed=timed,
        tiles=latency_summary.tiles(timed, in_full=(timing := latency_summary.is_latency_run(view, timed))),
        timing=timing,
        timed_beside=latency_summary.beside_cases(timed),
        engine_rows=(engines := engine_rows(view)),
        engine_sums=engine_sums(view, engines),
        engines_beside={(one.row.column, one.row.case): one.cost for one in engines if one.cost.plan is not None},
        MOST_ENGINES=MOST_ENGINES,
        models=model_rows(view),
        rebuilt=builds.rebuilt_rows(view),
        tactics=(tactics := builds.tactics_rows(view)),
        tactics_total=builds.tactics_total(tactics),
        series=list(dict.fromkeys((one.series, one.column.name) for one in timed)),
        strips=strip_plot(timed) if timed else None,
        rooflines=roofline.rooflines(timed),
        plot=plot(view.rows, with_target=len(view.targets) > 1),
        runs=[record_facts(record) for record in view.records],
        statuses={row.status for row in view.rows},
        precisions=sorted({row.precision for row in view.rows if row.precision}),
        carded={row.number: rows[0].number for rows in view.failures_by_cause[:MOST_CARDS] for row in rows},
    )


def compare_page(
    changes: Changes,
    top: int,
    latency: LatencyComparison | None = None,
    costs: CostChanges | None = None,
    known_today: Sequence[str] = (),
) -> str:
    """The comparison of two runs; with their latencies and what their engines cost, where these were compared.

    ``known_today``: how many failures of each run are known differences today, a line each.
    """
    return render(
        "compare.html.j2",
        changes=changes,
        sentence=compare_text.sentence(changes, latency.slower if latency else (), compare_text.costlier(costs)),
        notes=[*compare_text.notes(changes), *known_today, *(costs.lines() if costs else [])],
        worse=bool(changes.regressions or (latency and latency.slower) or compare_text.costlier(costs)),
        tables=list(compare_text.tables(changes, top, costs)),
        latency=latency if latency and latency.summary else None,
        slower=slower_by_kernel(latency) if latency else (),
        base=record_facts(changes.base),
        new=record_facts(changes.new),
        GROUPS=GROUPS,
        REGRESSIONS=REGRESSIONS,
    )


def render(name: str, **content: Any) -> str:
    """A page from its template."""
    return environment().get_template(name).render(version=__version__, **content)


@cache
def environment() -> Environment:
    """The templates of all pages, and what they use."""
    environment = Environment(
        loader=PackageLoader("trt_conformance.results.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {
        "document": document,
        "DOCUMENTS": DOCUMENTS,
        "SIGNS": SIGNS,
        "WORDS": WORDS,
        "ORDER": ORDER,
        "MOST_CARDS": MOST_CARDS,
        "MOST_OTHERS": MOST_OTHERS,
        "MOST_PICTURES": MOST_PICTURES,
        "MOST_OPEN": MOST_OPEN,
        "MOST_TERMS": MOST_TERMS,
        "pictures": picture.pictures,
        "sum_picture": picture.sum_picture,
        "is_padding": picture.is_padding,
        "largest": _largest,
        "rerun": rerun,
        "evidence": _evidence,
        "where": where,
    }
    environment.filters |= {
        "share": share,
        "seconds": seconds,
        "memory": memory,
        "percent": percent,
        "short": lambda value: picture.short(float(value)),
        "body": _body,
        "outcome": outcome,
        "kind": _kind,
        "counted": counted,
        "flat": _flat,
        "fact": _fact,
        "finite": math.isfinite,
        "signed": signed,
        "section_title": document.section_title,
        "faults": lambda counts: sum(counts[status] for status in FAULTS),
    }
    return environment


def where(**wanted: str) -> str:
    """The link to the cases that a filter leaves."""
    return "#cases:" + "&".join(
        f"{key}={quote(value, safe='', errors='replace')}" for key, value in wanted.items() if value
    )


def rerun(verdict: Verdict) -> str:
    """The command that runs a check again."""
    if verdict.figures.get("rerun"):
        return str(verdict.figures["rerun"])
    target = "" if verdict.target == REFERENCE else f" --target {verdict.target}"
    return f'pytest cases -k "test_{verdict.check}" --case "{verdict.case}"{target}'


def _evidence(row: Row) -> Any:
    """What the pictures of a row are drawn from; None if its record holds none."""
    return next((v.figures["evidence"] for v in row.faults if v.figures.get("evidence")), None)


def _largest(terms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(terms, key=lambda term: -abs(float(term["product"])))[:MOST_TERMS]


def _body(message: str) -> str:
    """A message without the headline that names its case."""
    first, *rest = message.splitlines() or [""]
    return "\n".join(line.removeprefix("  ") for line in rest) if rest and " FAILED in " in first else message


def _kind(status: str) -> str:
    """A status as the class of a style."""
    return status.replace(" ", "-")


def _flat(value: Any) -> str:
    """A JSON value in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(part)}" for key, part in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _fact(value: Any, key: str) -> str:
    """A fact of an environment in one line, bytes in GiB."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_fact(part, name)}" for name, part in value.items()) or "unknown"
    if "memory" in key and "clock" not in key and isinstance(value, int) and 0 <= value < 2**63:
        return f"{value / 2**30:.1f} GiB"
    return _flat(value)


def record_facts(record: Record) -> dict[str, Any]:
    """The header of a run in words."""
    header, environment = record.header, record.header.environment
    source, device = environment.source, environment.device
    started = datetime.fromisoformat(header.started)
    commit = (source.commit or "")[:12]
    state = {True: "clean", False: "with uncommitted changes", None: ""}[source.clean]
    seconds = (datetime.fromisoformat(record.end.ended) - started).total_seconds() if record.end else -1.0
    facts = environment.to_json()
    return {
        "started": started,
        "seconds": seconds if seconds >= 0 else None,  # a clock that was set back gives no duration
        "complete": record.complete,
        "end": "complete" if record.complete else "stopped" if record.end else "killed",
        "commit": f"commit {commit} {state}".strip() if commit else "commit unknown",
        "gpu": device.gpu or device.reason or "no GPU",
        "driver": device.driver or "",
        "cuda": device.cuda_runtime or "",
        "has_gpu": bool(device.gpu),
        "python": environment.python or "",
        "numpy": environment.packages.get("numpy", ""),
        "targets": header.targets,
        "facts": {key: value for key, value in facts.items() if key != "targets"},
        "verdicts": len(record.verdicts),
        "exit": record.end.exit if record.end else None,
    }
