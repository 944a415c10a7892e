"""Builds run records for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tests.support.helpers import make_case
from trt_conformance.checks.evidence import evidence
from trt_conformance.checks.message import failure, mismatch
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import case_data
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.roofline import Work, floor
from trt_conformance.results.record.record import Record
from trt_conformance.results.record.schema import EndLine, Environment, RunLine

TARGET = "tensorrt-8.6.1-sm90"
ENVIRONMENT = {
    "harness": "0.1.0",
    "python": "3.12.1",
    "platform": "Linux",
    "packages": {"numpy": "2.0.0"},
    "source": {"commit": "0123456789abcdef", "clean": True},
    "device": {"gpu": "NVIDIA H200", "memory_bytes": 2**33, "driver": "580.1"},
    "targets": {TARGET: {"version": "8.6.1", "gpu": "NVIDIA H200"}},
    "arguments": ["cases"],
}


def verdict(case: str = "stride_nd/h2_w2-fp32", **fields: Any) -> Verdict:
    """A verdict; by default a forward check that passes."""
    given = {
        "target": TARGET,
        "phase": "compare",
        "status": "pass",
        "check": "forward",
        "location": "cases/convolution/stride_nd.toml:9",
        "claims": ("stride_nd.h2_w2",),
    }
    return Verdict(case, **given | fields)


def record(*verdicts: Verdict, complete: bool = True, asked: Sequence[str] = (), **environment: Any) -> Record:
    """A run in memory, of the targets that its verdicts name and of those asked for."""
    found = (v.target for v in verdicts if v.target != "reference")
    names = list(dict.fromkeys((*asked, *found)))
    header = RunLine(
        kind="run",
        schema_version=1,
        started="2026-11-22T13:50:40+00:00",
        targets=names,
        environment=Environment.model_validate(ENVIRONMENT | environment),
    )
    end = EndLine(kind="end", ended="2026-11-22T13:51:31+00:00", counts={}, exit=0)
    return Record(header, tuple(verdicts), end if complete else None)


def flipped(case: Case | None = None, target: str = "flipped_kernel") -> Verdict:
    """The verdict on a target that convolves with its kernel flipped, evidence included."""
    case = case or make_case()
    data, golden = case_data(case), reference(case)
    kernel = np.flip(data.kernel, tuple(range(2, data.kernel.ndim)))
    actual = convolve(data.input, np.ascontiguousarray(kernel), data.bias, case.attributes)
    limits = bound(case, golden)
    found = compare(actual, golden.output, limits)
    shown = evidence(case, case.run_shapes[0], actual=actual, expected=golden.output, bound=limits, worst=found.worst)
    return verdict(
        case.id,
        target=target,
        status="fail",
        message=failure(case, "compare", mismatch(found)),
        location=case.location,
        claims=("example.values",),
        figures={"elements": found.elements, "fraction": found.fraction, "evidence": shown},
    )


def timed(
    case: str = "resnet50/conv1_n1-fp16",
    median: float = 50e-6,
    mode: str = "graph",
    flops: int = 2 * 10**9,
    ceilings: dict[str, float] | None = None,
    **fields: Any,
) -> Verdict:
    """The verdict of a latency whose samples lie about a median as a GPU's do."""
    samples = median * (1 + 0.004 * np.random.default_rng(7).standard_normal(200).clip(-3, 3))
    samples += median - np.median(samples)
    todo = Work(case.rpartition("-")[2], flops, 4 * 10**6)  # type: ignore[arg-type]
    least = floor(todo, ceilings or {})
    figures = {
        "mode": mode,
        "cold_l2": False,
        "samples": samples.tolist(),
        "stopped": "precise",
        "notes": [],
        "work": asdict(todo),
        "facts": {"ceilings": ceilings} if ceilings else {},
    }
    figures |= {"floor": asdict(least)} if least else {}
    given = {"phase": "latency", "check": "latency", "claims": (), **fields}
    return verdict(case, **given | {"figures": figures | fields.get("figures", {})})
