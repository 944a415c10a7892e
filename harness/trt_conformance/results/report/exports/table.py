"""A run as a table with one row for each check: CSV for spreadsheets, Parquet for analysis.

The columns and their types are the same for every run, so that tables of several runs can be concatenated.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from trt_conformance.core.advice import install_command
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.samples import summarize
from trt_conformance.results.bound_use import precision_of
from trt_conformance.results.record.record import Record
from trt_conformance.results.report.view import Column, View
from trt_conformance.results.summary import outcome

Type = Literal["text", "number", "integer", "boolean", "time"]

SCHEMA: Mapping[str, Type] = {
    "started": "time", "gpu": "text", "commit": "text", "target": "text", "case": "text", "precision": "text",
    "check": "text", "phase": "text", "outcome": "text", "known": "text", "known_today": "text", "fraction": "number",
    "error": "number", "bound": "number", "ulp": "number", "elements": "integer", "beyond": "integer",
    "ran_in": "text", "kernel": "text", "output_sha256": "text", "engine": "text", "plan_bytes": "integer",
    "weights_bytes": "integer", "stored_weights_bytes": "integer", "device_memory_bytes": "integer",
    "workspace_bytes": "integer", "build_s": "number", "duration_s": "number", "mode": "text", "effort": "text",
    "reformat_share": "number", "cold_l2": "boolean", "samples": "integer", "latency_s": "number",
    "latency_error_s": "number", "occurrences": "integer", "batch": "integer", "location": "text", "claims": "text",
    "message": "text",
}  # fmt: skip
"""Columns in their order. Where a check has no such figure, its cell is empty in CSV and null in Parquet."""
COLUMNS = tuple(SCHEMA)

LARGEST_INTEGER = 2**63 - 1


def as_csv(view: View) -> str:
    """The table as CSV. Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_cell, row) for row in _rows(view))
    return out.getvalue()


def parquet(view: View) -> bytes:
    """The table as a Parquet file. Raises ConformanceError if pyarrow is not installed."""
    try:
        import pyarrow
        from pyarrow import parquet as arrow_parquet
    except ImportError as fault:
        raise ConformanceError(f"Parquet needs the package pyarrow: {install_command('parquet')} ({fault})") from None
    types = {
        "text": pyarrow.string(),
        "number": pyarrow.float64(),
        "integer": pyarrow.int64(),
        "boolean": pyarrow.bool_(),
        "time": pyarrow.timestamp("ms", tz="UTC"),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in SCHEMA.items()])
    rows = list(_rows(view))
    columns = ([row[index] for row in rows] for index in range(len(COLUMNS)))
    arrays = [pyarrow.array(values, type=types[kind]) for values, kind in zip(columns, SCHEMA.values(), strict=True)]
    file = io.BytesIO()
    arrow_parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), file)
    return file.getvalue()


def _rows(view: View) -> Iterator[Sequence[Any]]:
    """The values of each check, each of its column's type or None."""
    for column in view.columns:
        record = view.records[max(0, column.run - 1)]
        for verdict in column.verdicts:
            found = _values(column, record, verdict) | {"known_today": view.known_as(verdict) or None}
            yield [_typed(found.get(name), kind) for name, kind in SCHEMA.items()]


def _values(column: Column, record: Record, verdict: Verdict) -> dict[str, Any]:
    environment = record.header.environment
    found = dict(verdict.figures) | verdict.to_json()
    samples = found.pop("samples", None)
    if samples:
        summary = summarize(samples)
        error = summary.median * float(found.get("uncertainty", summary.error))
        found |= {"samples": summary.count, "latency_s": summary.median, "latency_error_s": error}
    return found | {
        "started": record.header.started,
        "gpu": environment.device.gpu,
        "commit": environment.source.commit,
        "target": column.name,
        "precision": precision_of(verdict.case),
        "outcome": outcome(verdict),
        "claims": " ".join(verdict.claims),
    }


def _typed(value: Any, kind: Type) -> Any:
    """A figure as a value of its column's type; None for what is not one, since a check may add any figures."""
    if value is None:
        return None
    if kind == "text":
        # Not every CSV reader accepts a NUL, nor does the writer of Python 3.10. UTF-8 has no half surrogate pairs.
        return str(value).replace("\0", "\ufffd").encode("utf-8", errors="backslashreplace").decode("utf-8")
    if kind == "time":
        return datetime.fromisoformat(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "integer":
        is_integer = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INTEGER
        return value if is_integer else None
    return _number(value)


def _number(value: Any) -> float | None:
    """A number; records write those that are not finite as text."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        return float(value) if is_number or value in ("inf", "-inf", "nan") else None
    except OverflowError:
        return None


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str) or value[:1] not in tuple("=+-@\t\r") or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
