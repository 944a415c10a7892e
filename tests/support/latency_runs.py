"""Records of latencies as a GPU gives them, and what their comparison answers."""

from collections import Counter
from dataclasses import replace

import numpy as np

from tests.support.runs import record as run_record
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.record.record import RecordWriter

TARGET = "tensorrt-8.6.1-sm90"


CASES = 100


def name(index):
    return f"net/layer{index}_n8-fp16"


def run(
    seed,
    slower=None,
    cases=CASES,
    samples=200,
    between=0.003,
    target=TARGET,
    gpu="NVIDIA H100",
    mode="graph",
    kernel="sm80_xmma_fprop",
    **figures,
):
    """A record of latencies as a GPU gives them: noise within and between runs, drift, and outliers."""
    generator = np.random.default_rng(seed)
    verdicts = []
    for index in range(cases):
        scale = 3e-6 * 1.1 ** (index % 60) * (slower or {}).get(index, 1.0)
        x = between * generator.standard_normal() + 0.01 * generator.standard_normal(samples)
        x += 0.002 * generator.standard_normal() * np.linspace(0, 1, samples)
        x += np.where(generator.random(samples) < 0.02, generator.random(samples), 0)
        figures |= {"samples": [round(float(value), 9) for value in scale * np.exp(x)], "kernel": kernel}
        given = {"mode": mode, "cold_l2": False} | figures
        verdicts.append(Verdict(name(index), target, "latency", "pass", figures=given))
    return replace(run_record(*verdicts, machine="x86_64", device={"gpu": gpu}), end=None)


def answers(comparison):
    return Counter(change.answer for change in comparison.changes)


def change_of(comparison, index):
    (found,) = [change for change in comparison.changes if change.case == name(index)]
    return found


def placed(spread):
    return {"facts": {"placements": [1e-5 * (1 + spread * k) for k in (-1, -0.5, 0, 0.5, 1)]}}


def written(root, record):
    writer = RecordWriter(root, [TARGET], record.header.environment.to_json())
    for verdict in record.verdicts:
        writer.write(verdict)
    writer.close({})
    return str(writer.path)
