"""The names of the suite's checks, as verdicts, records and expectations use them."""

from __future__ import annotations

QUICK_LATENCY = "quick_latency"
"""Quick latencies. They judge nothing, so a comparison of verdicts leaves them out."""

TARGET_CHECKS = (
    "build",
    "deprecated",
    "edge",
    "engine",
    "execution_modes",
    "forward",
    "fresh",
    "inputs",
    "latency",
    "metamorphic",
    "network",
    "padding",
    "plan_size",
    "printed",
    QUICK_LATENCY,
    "rebuild",
    "reject",
    "relations",
    "repeats",
    "rounding",
    "special_values",
    "tactics",
)
"""Checks of a target. A check's name is its test function's in `cases/`, without ``test_``, unless that passes a name
to ``judge``. ``rebuild`` and ``tactics`` are of the command ``trt-conformance rebuild``.
"""

DATA_CHECKS = ("committed", "document_ideal", "document_printed", "golden", "store")
"""Checks of the suite's own data."""

RENAMED_CHECKS = {"large": "forward", "ways": "execution_modes"}
"""Names that checks have in older records and expectations, and their current names."""
