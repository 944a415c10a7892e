"""The page of versions side by side."""

from __future__ import annotations

from trt_conformance.results.report import matrix_text
from trt_conformance.results.report.page import render
from trt_conformance.results.versions.matrix import Matrix


def matrix_page(matrix: Matrix) -> str:
    """One self-contained page of what changed between versions, and what each does."""
    return render(
        "matrix.html.j2",
        matrix=matrix,
        sentence=matrix_text.sentence(matrix),
        known_today=matrix_text.known_today(matrix),
        headline=matrix_text.headline,
        notes=matrix_text.notes,
        EVENT_COLUMNS=matrix_text.EVENT_COLUMNS,
        tables=list(matrix_text.tables(matrix)),
    )
