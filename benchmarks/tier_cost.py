"""What do the sweeps of edges cost a tier, in CPU seconds?

    python benchmarks/tier_cost.py --target numpy
    python benchmarks/tier_cost.py --target tensorrt_rtx --tier nightly --shard 1/8

Runs the generated cases of a tier twice: those of ``layer`` and ``modes`` alone, which vary the attributes against each
other, and all of them. Each run is a pytest of its own with an empty engine cache. Prints the CPU seconds of each, with
those of the processes that it started, and their ratio. The runs take turns, and the cheapest of each counts, because a
busy machine needs more CPU seconds. ``--shard`` takes a part of the cases.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from trt_conformance.catalog.sweeps.model import TIERS
from trt_conformance.core.paths import ROOT

BEFORE = ("layer/*", "modes/*")
"""The sweeps that there were before those of edges."""
ENDED = (0, 1)


def cost(target: str, tier: str, shard: str | None, patterns: Sequence[str]) -> tuple[int, float]:
    """How many cases a run had, and its CPU seconds. Exits with pytest's output where it ran none."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "cases/test_sweep.py", "-q", "--no-header", f"--target={target}",
                   f"--tier={tier}", f"--record-root={folder}/runs", f"--cache-dir={folder}/cache"]  # fmt: skip
        command += [f"--case={pattern}" for pattern in patterns] + ([f"--shard={shard}"] if shard else [])
        began = _of_children()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = _of_children() - began
    counts = re.findall(r"(\d+) (?:passed|failed|skipped|xfailed|xpassed|error)", done.stdout)
    if done.returncode not in ENDED or not counts:
        sys.exit(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return sum(map(int, counts)), seconds


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the cost of both runs."""
    parser = argparse.ArgumentParser(description="What do the sweeps of edges cost a tier?")
    parser.add_argument("--target", default="numpy")
    parser.add_argument("--tier", choices=TIERS, default="ci")
    parser.add_argument("--times", type=int, default=3, help="runs of each")
    parser.add_argument("--shard", metavar="K/N", help="run a part of the cases")
    given = parser.parse_args()
    rounds = [
        [cost(given.target, given.tier, given.shard, patterns) for patterns in _RUNS.values()]
        for _ in range(given.times)
    ]
    runs = [min(found) for found in zip(*rounds, strict=True)]
    for name, (cases, seconds) in zip(_RUNS, runs, strict=True):
        print(f"{name:16} {cases:6} cases {seconds:8.1f} s of CPU time")
    (_, before), (_, now) = runs
    print(f"all cost {now / before:.2f} times as much")


_RUNS = {"layer and modes": BEFORE, "all sweeps": ()}


if __name__ == "__main__":
    main()
