"""How good the measured latencies are: one mode against another in a run, and one run against its repetitions.

    python benchmarks/latency_quality.py modes RUN [--allowed-percent 3] [--allowed-us 0.7]
    python benchmarks/latency_quality.py spread RUN RUN...

modes holds graph against the kernel durations that CUPTI recorded, for each case that was timed in both
(``--latency-mode graph --latency-mode kernel``). Between two kernels nothing runs for a while: the graph's time holds
these gaps, CUPTI's sum does not; they are shown, and so are the graph's nodes, of which fills are no kernels. spread
holds repeated runs of the same thing against each other: (largest - smallest) / median of their medians, a case a
line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

import numpy as np

from trt_conformance.core.verdict import Verdict
from trt_conformance.results.latency.recorded import Key, medians
from trt_conformance.results.record.record import Record, read_record

MICRO = 1e6


def modes(record: Record, allowed_percent: float, allowed_us: float) -> int:
    """Print the table; the number of cases beyond what is allowed."""
    found: dict[tuple[str, str], dict[str, Verdict]] = {}
    for verdict in record.verdicts:
        if verdict.phase == "latency" and verdict.figures.get("samples"):
            found.setdefault((verdict.case, verdict.target), {})[verdict.figures["mode"]] = verdict
    beyond = counted = 0
    print(f"{'case':40} {'graph us':>9} {'CUPTI us':>9} {'differ us':>17} {'nodes':>5} {'kernels':>7} {'gaps us':>7}")
    for (case, _), pair in sorted(found.items(), key=lambda item: _median(next(iter(item[1].values())))):
        if not {"graph", "kernel"} <= pair.keys():
            continue
        graph, kernel = _median(pair["graph"]), _median(pair["kernel"])
        facts, nodes = pair["kernel"].figures["facts"], pair["graph"].figures["facts"]["nodes"]
        gaps, apart = facts["nodes"] * facts["idle_s"] * MICRO, graph - kernel
        far = abs(apart) > allowed_us and abs(apart) > allowed_percent / 100 * kernel
        beyond += far
        counted += 1
        line = f"{case:40} {graph:9.2f} {kernel:9.2f} {apart:+9.2f} {apart / kernel:+7.1%} {nodes:5} {facts['nodes']:7}"
        print(f"{line} {gaps:7.2f}{'  beyond' * far}")
    print(f"{counted - beyond} of {counted} within {allowed_percent:g} % or {allowed_us:g} us")
    return beyond


def _median(verdict: Verdict) -> float:
    return float(np.median(verdict.figures["samples"])) * MICRO


def spread(records: list[Record]) -> None:
    """Print the table and its percentiles, above and below 20 microseconds."""
    found: dict[Key, list[float]] = {}
    for record in records:
        for key, seconds in medians(record).items():
            found.setdefault(key, []).append(seconds * MICRO)
    rows = [(median(us), (max(us) - min(us)) / median(us), key) for key, us in found.items() if len(us) == len(records)]
    print(f"{'case':60} {'median us':>9} {'spread':>7}")
    for middle, ratio, key in sorted(rows):
        print(f"{key!s:60} {middle:9.2f} {ratio:7.2%}")
    for name, wide in (
        ("up to 20 us", [r for m, r, _ in rows if m <= 20]),
        ("above", [r for m, r, _ in rows if m > 20]),
    ):
        if wide:
            print(
                f"{name}: {len(wide)} cases, spread of {len(records)} runs: median {np.median(wide):.2%}, "
                f"90 % within {np.percentile(wide, 90):.2%}, largest {max(wide):.2%}"
            )


def main() -> int:
    """1 where a mode lies beyond what is allowed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("modes", help="graph against CUPTI in a run")
    one.add_argument("run", type=Path)
    one.add_argument("--allowed-percent", type=float, default=3.0)
    one.add_argument("--allowed-us", type=float, default=0.7)
    many = commands.add_parser("spread", help="repeated runs against each other")
    many.add_argument("runs", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "modes":
        return int(modes(read_record(given.run), given.allowed_percent, given.allowed_us) > 0)
    spread([read_record(run) for run in given.runs])
    return 0


if __name__ == "__main__":
    sys.exit(main())
