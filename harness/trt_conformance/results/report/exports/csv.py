"""A run as a table with one row for each check: CSV for spreadsheets, Parquet for analysis."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.report.view import View
from trt_conformance.results.summary import outcome

COLUMNS = (
    "target", "case", "check", "phase", "outcome", "known", "fraction", "error", "bound", "ulp", "elements", "beyond",
    "ran_in", "kernel", "output_sha256", "location", "claims", "message",
)  # fmt: skip


def as_csv(view: View) -> str:
    """The table as CSV. Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return _written({name: _harmless(value) for name, value in row.items()} for row in _rows(view))


def parquet(view: View) -> bytes:
    """The table as a Parquet file. Raises ConformanceError where pyarrow is not installed."""
    try:
        from pyarrow import csv as arrow_csv
        from pyarrow import parquet as arrow_parquet
    except ImportError:
        raise ConformanceError("Parquet needs the package pyarrow: pip install pyarrow") from None
    rows = _written(_rows(view)).encode("utf-8", errors="backslashreplace")
    file = io.BytesIO()
    arrow_parquet.write_table(arrow_csv.read_csv(io.BytesIO(rows)), file)
    return file.getvalue()


def _rows(view: View) -> Iterator[dict[str, Any]]:
    for column in view.columns:
        for verdict in column.verdicts:
            texts = {"target": column.name, "claims": " ".join(verdict.claims), "outcome": outcome(verdict)}
            found = dict(verdict.figures) | verdict.to_json() | texts
            # Not every CSV reader accepts a NUL, nor does the writer of Python 3.10.
            yield {name: _without_nul(found[name]) for name in COLUMNS if name in found}


def _written(rows: Iterator[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _harmless(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in tuple("=+-@\t\r") or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
