"""A run for other programs: JUnit XML, Markdown for a CI job's page, CSV, Prometheus and github-action-benchmark."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from xml.etree import ElementTree as ET

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import PHASES
from trt_conformance.core.verdict import FAULTS, Verdict
from trt_conformance.results.bound_use import share
from trt_conformance.results.record.record import Record
from trt_conformance.results.report.answer import answer, counted
from trt_conformance.results.report.compare_text import markdown_table
from trt_conformance.results.report.page import rerun
from trt_conformance.results.report.view import ORDER, WORDS, Column, View
from trt_conformance.results.summary import outcome

MOST_FAILURES = 50

# What XML 1.0 cannot hold even when escaped.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(view: View) -> str:
    """JUnit XML as Jenkins and GitLab read it: one suite a target, one test a check."""
    root = ET.Element("testsuites", name="trt-conformance")
    for column in view.columns:
        record = view.records[max(0, column.run - 1)]
        suite = _suite(root, column.name, record.header.started)
        properties = ET.SubElement(suite, "properties")
        for name, value in column.facts.items():
            ET.SubElement(properties, "property", name=_xml(str(name)), value=_xml(str(value)))
        for verdict in column.verdicts:
            _test(suite, verdict)
    for number, record in enumerate(view.records, start=1):
        if not record.complete:
            suite = _suite(root, f"run {number}", record.header.started)
            test = ET.SubElement(suite, "testcase", classname="run", name="completes")
            ET.SubElement(test, "error", type="killed", message="the run was killed before its end")
    for parent in (*root, root):
        tests = parent.findall(".//testcase")
        parent.set("tests", str(len(tests)))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            if attribute != "skipped" or parent is not root:
                parent.set(attribute, str(sum(test.find(tag) is not None for test in tests)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, started: str) -> ET.Element:
    return ET.SubElement(root, "testsuite", name=_xml(name), timestamp=started[:19])


def _test(suite: ET.Element, verdict: Verdict) -> None:
    folder, _, _ = verdict.case.partition("/")
    name = f"{verdict.check}[{verdict.case}]"
    test = ET.SubElement(suite, "testcase", classname=_xml(f"conformance.{folder}"), name=_xml(name))
    found, first = outcome(verdict), next(iter(_lines(verdict)), "")
    if found in FAULTS:
        fault = ET.SubElement(test, "error" if found == "error" else "failure", type=found, message=_xml(first))
        fault.text = _xml(f"{verdict.message}\nrerun: {rerun(verdict)}")
    elif found != "pass":
        why = f"known difference {verdict.known}" if verdict.known else found
        ET.SubElement(test, "skipped", message=_xml(f"{why}: {first}" if first else why))


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _lines(verdict: Verdict) -> list[str]:
    """A message's lines without the headline that names its case."""
    return [line.strip() for line in verdict.message.splitlines() if line.strip() and " FAILED in " not in line]


def markdown(view: View) -> str:
    """A summary for the page of a CI job, in GitHub's Markdown."""
    told = answer(view)
    sign = {"pass": "✅", "fail": "❌", "open": "⚠️"}[told.tone]
    shown = [status for status in ORDER if any(column.counts[status] for column in view.columns)]
    rows = [[column.name, *(str(column.counts[status] or "-") for status in shown)] for column in view.columns]
    lines = [f"## {sign} {told.text}", "", *markdown_table(["target", *shown], rows)]
    if view.claim_ids:
        states = [state for state in WORDS if any(view.claim_counts(column)[state] for column in view.targets)]
        claims = [
            [column.name, *(str(view.claim_counts(column)[state] or "-") for state in states)]
            for column in view.targets
        ]
        title = f"Claims of the document ({len(view.claim_ids)})"
        lines += ["", f"### {title}", "", *markdown_table(["target", *(WORDS[state] for state in states)], claims)]
    failures = [(row, row.faults[0]) for row in view.failures]
    if failures:
        lines += ["", f"### Failures ({len(failures)})", ""]
        for row, verdict in failures[:MOST_FAILURES]:
            lines += [
                f"<details><summary><code>{row.case}</code> on {row.column.name}: {row.status}</summary>",
                "",
                "```",
                verdict.message.replace("```", "'''"),
                f"rerun: {rerun(verdict)}",
                "```",
                "",
                "</details>",
            ]
        if len(failures) > MOST_FAILURES:
            lines += ["", f"and {counted(len(failures) - MOST_FAILURES, 'more failure')}"]
    if view.known:
        known = [[k.id, k.column.name, str(len(k.rows))] for k in view.known]
        lines += ["", "### Known differences", "", *markdown_table(["difference", "target", "cases"], known)]
    if view.reasons:
        reasons = [[r.column.name, r.status, r.message, str(len(r.rows))] for r in view.reasons]
        lines += ["", "### Not run, and why", "", *markdown_table(["target", "result", "reason", "cases"], reasons)]
    return "\n".join(lines) + "\n"


CSV_COLUMNS = (
    "target", "case", "check", "phase", "outcome", "known", "fraction", "error", "bound", "ulp", "elements", "beyond",
    "ran_in", "kernel", "output_sha256", "location", "claims", "message",
)  # fmt: skip


def as_csv(view: View) -> str:
    """One line a check."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for column in view.columns:
        for verdict in column.verdicts:
            # A NUL is nothing that every reader of CSV takes, Python 3.10's writer among them.
            message = verdict.message.replace("\0", "\ufffd")
            texts = {"target": column.name, "claims": " ".join(verdict.claims), "message": message}
            writer.writerow(dict(verdict.figures) | verdict.to_json() | texts | {"outcome": outcome(verdict)})
    return out.getvalue()


def prometheus(view: View) -> str:
    """Prometheus's text format, for a textfile collector or a push gateway."""
    lines: list[str] = []

    def metric(name: str, about: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> None:
        lines.extend((f"# HELP trt_conformance_{name} {about}", f"# TYPE trt_conformance_{name} gauge"))
        for labels, value in samples:
            inside = ",".join(f'{key}="{_label(text)}"' for key, text in labels.items())
            lines.append(f"trt_conformance_{name}{{{inside}}} {_sample(value)}")

    metric("checks", "Checks by target, phase and outcome.", _checks(view))
    metric("claims", "Claims of the document by target and state.", _claims(view))
    metric("bound_fraction_max", "Largest part of an error bound in use, by target and precision.", _fractions(view))
    runs = list(enumerate(view.records, start=1))
    metric("run_info", "What a run ran on.", [({"run": str(n)} | _info(record), 1) for n, record in runs])
    metric(
        "run_complete", "1, or 0 where a run was killed.", [({"run": str(n)}, record.complete) for n, record in runs]
    )
    metric("run_start_time_seconds", "When a run began.", [({"run": str(n)}, _start(record)) for n, record in runs])
    return "\n".join(lines) + "\n"


def _checks(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.columns:
        found = Counter((str(verdict.phase), outcome(verdict)) for verdict in column.verdicts)
        for phase in PHASES:
            for status in ORDER:
                if found[phase, status] or (status in ("fail", "error") and phase == "compare"):
                    yield {"target": column.name, "phase": phase, "outcome": status}, found[phase, status]


def _claims(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.targets if view.claim_ids else ():
        for state in WORDS:
            yield {"target": column.name, "state": state}, view.claim_counts(column)[state]


def _fractions(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    largest: dict[tuple[Column, str], float] = {}
    for row in view.measured:
        key = (row.column, row.precision)
        largest[key] = max(largest.get(key, 0.0), row.fraction or 0.0)
    for (column, precision), fraction in largest.items():
        yield {"target": column.name, "precision": precision}, fraction


def _info(record: Record) -> dict[str, str]:
    environment = record.header.environment
    return {
        "targets": " ".join(record.header.targets),
        "gpu": environment.device.gpu or "",
        "driver": environment.device.driver or "",
        "commit": environment.source.commit or "",
    }


def _start(record: Record) -> float:
    return datetime.fromisoformat(record.header.started).timestamp()


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _sample(value: float) -> str:
    return "+Inf" if math.isinf(value) else f"{float(value):.10g}"


def github_benchmark(view: View) -> str:
    """JSON for github-action-benchmark's customSmallerIsBetter: the part of its error bound that each case uses."""
    entries = [
        {
            "name": f"{row.case} on {row.column.name}",
            "unit": "% of the error bound",
            "value": 100 * row.fraction,
            "extra": f"{share(row.fraction)}, ran in {row.ran_in or 'an unknown precision'} {row.kernel}".strip(),
        }
        for row in view.rows
        if row.fraction is not None and math.isfinite(row.fraction)
    ]
    return json.dumps(entries, indent=1) + "\n"


def parquet(view: View) -> bytes:
    """The CSV's table as a Parquet file. Raises ConformanceError where pyarrow is not installed."""
    try:
        from pyarrow import csv as arrow_csv
        from pyarrow import parquet as arrow_parquet
    except ImportError:
        raise ConformanceError("Parquet needs the package pyarrow: pip install pyarrow") from None
    rows = as_csv(view).encode("utf-8", errors="backslashreplace")
    file = io.BytesIO()
    arrow_parquet.write_table(arrow_csv.read_csv(io.BytesIO(rows)), file)
    return file.getvalue()


FORMATS: dict[str, Callable[[View], str]] = {
    "junit": junit,
    "markdown": markdown,
    "csv": as_csv,
    "prometheus": prometheus,
    "github-benchmark": github_benchmark,
}
