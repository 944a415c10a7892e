"""A run for github-action-benchmark."""

from __future__ import annotations

import json
import math

from trt_conformance.results.bound_use import share
from trt_conformance.results.report.view import View


def github_benchmark(view: View) -> str:
    """JSON of its format customSmallerIsBetter: the percentage of its error bound that each case uses."""
    entries = [
        {
            "name": f"{row.case} on {row.column.name}",
            "unit": "% of the error bound",
            "value": 100 * row.fraction,
            "extra": f"{share(row.fraction)}, ran in {row.ran_in or 'an unknown precision'} {row.kernel}".strip(),
        }
        for row in view.rows
        if row.fraction is not None and math.isfinite(100 * row.fraction)
    ]
    return json.dumps(entries, indent=1) + "\n"
