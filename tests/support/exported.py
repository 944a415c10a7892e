"""Runs that are exported, and their view."""

from __future__ import annotations

from tests.support.pages import CATALOG
from tests.support.runs import flipped, record, timed, verdict
from trt_conformance.results.report.view import View

NASTY = "control \x00\x1b[31m and \ud800, quotes \" ' and <markup> & ]]> | pipe\nsecond line ``` \\"
COSTS = {
    "engine": "built",
    "build_s": 0.75,
    "plan_bytes": 40_000,
    "weights_bytes": 36,
    "stored_weights_bytes": 512,
    "device_memory_bytes": 3 * 2**30,
    "workspace_bytes": 0,
}
FULL = record(
    verdict(
        figures={
            "fraction": 0.25,
            "duration_s": 0.25,
            "kernel": "sm80_one",
            "ran_in": "fp32",
            "output_sha256": "0" * 16,
            **COSTS,
        }
    ),
    flipped(),
    verdict("a/error-fp32", status="error", message=NASTY),
    verdict("a/known-fp32", status="fail", known="wildcard", message="x\ndiffers"),
    verdict("a/skipped-fp32", status="not run", message=NASTY),
    verdict("a/unsupported-fp32", status="unsupported"),
    verdict("a/fallback-fp32", status="fallback", message="ran in fp32"),
    verdict("a/over-fp16", status="fail", message="far", figures={"fraction": "inf"}),
    verdict("num_groups/none", target="reference", check="golden"),
)
TIMED = record(
    verdict(figures={"fraction": 0.0, "duration_s": 0.01}),
    timed(median=50e-6),
    timed(median=80e-6, mode="host"),
    timed(median=90e-6, figures={"cold_l2": True}),
    timed("resnet50/conv2_n1-fp16", median=20e-6, target="numpy"),
)


def view(*records):
    return View(records, CATALOG)
