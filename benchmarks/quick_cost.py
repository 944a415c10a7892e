"""What quick latencies cost a run, with and without them side by side.

    python benchmarks/quick_cost.py --target tensorrt
    python benchmarks/quick_cost.py --target tensorrt --cold --budget 900 -- --tier ci
    python benchmarks/quick_cost.py --target tensorrt --cache ~/.cache/trt-conformance
    python benchmarks/quick_cost.py --target onnxruntime -- --case 'stride_nd/*'

runs pytest as users do, on the whole suite or on what the arguments after ``--`` select: once to fill a cache, which is
the cold run, then warm without and with quick latencies in turn. ``--cold`` also runs the suite cold without them. Each
run's own statement of its cost (`quick_latencies` in its record) is shown beside the ratio of wall times. Runs that the
budget leaves no time for are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from trt_conformance.core.paths import ROOT
from trt_conformance.results.record.record import FILE_NAME, read_record


def run(root: Path, cache: Path, latency: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Seconds of one run of pytest, and what its record says of its quick latencies.

    Exits with pytest's output where it ran no test.
    """
    command = [sys.executable, "-m", "pytest", "cases", "-q", "--no-header", f"--latency={latency}",
               f"--record-root={root}", f"--cache-dir={cache}", *arguments]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    seconds = time.perf_counter() - began
    records = list(root.rglob(FILE_NAME))
    if done.returncode not in (0, 1) or not records:
        sys.exit(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout[-4000:]}")
    end = read_record(records[0]).end
    cost = end.quick_latencies if end is not None else None
    return {"latency": latency, "seconds": seconds, "cost": cost.model_dump() if cost else None}


def line(name: str, found: dict[str, Any]) -> str:
    """One run for people."""
    text = f"{name:24} {found['seconds']:8.1f} s"
    if found["cost"]:
        cost = found["cost"]
        text += f"   {cost['taken']} quick latencies ({cost['not_taken']} not taken) in {cost['seconds']:.1f} s, "
        text += f"{cost['seconds'] / cost['run_s']:.1%} of the run"
    return text


def compared(kind: str, runs: Sequence[dict[str, Any]]) -> str | None:
    """How much longer the runs of a kind took with quick latencies; None if one of the two is missing."""
    off, quick = ([r["seconds"] for r in runs if r["kind"] == kind and r["latency"] == way] for way in ("off", "quick"))
    if not off or not quick:
        return None
    more = median(quick) / median(off) - 1
    return f"{kind}: {median(off):.1f} s without, {median(quick):.1f} s with quick latencies: {more:+.1%}"


def main() -> int:
    """Print each run and the ratios; write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--target", required=True)
    parser.add_argument("--times", type=int, default=1, metavar="N", help="warm pairs of runs (default: %(default)s)")
    parser.add_argument("--cold", action="store_true", help="also run without a cache and without quick latencies")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="a cache that a run has filled: no cold run")
    parser.add_argument("--budget", type=float, default=900.0, metavar="SECONDS", help="start no run that would "
                        "probably end later than this (default: %(default)g)")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("selection", nargs="*", metavar="ARGUMENT", help="what pytest runs, after --")
    options = parser.parse_args()
    arguments = ["--target", options.target, *options.selection]
    # The first run also leaves what the machine keeps for later ones, such as files in memory.
    plan = [("cold", "quick")] * (options.cache is None) + [("warm", "off"), ("warm", "quick")] * options.times
    plan += [("cold", "off")] * options.cold
    began, runs, left_out = time.monotonic(), list[dict[str, Any]](), list[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (kind, latency) in enumerate(plan):
            alike = [one["seconds"] for one in runs if one["kind"] == kind]
            if runs and time.monotonic() - began + max(alike, default=0.0) > options.budget:
                left_out.append(f"{kind}, {latency}")
                continue
            warm = options.cache or folder / "cache"
            cache = warm if kind == "warm" or number == 0 else folder / f"cache{number}"
            found = run(folder / f"run{number}", cache, latency, arguments) | {"kind": kind}
            runs.append(found)
            print(line(f"{kind}, --latency {latency}", found), flush=True)
    ratios = [text for text in (compared(kind, runs) for kind in ("warm", "cold")) if text]
    print("\n".join(ratios))
    if left_out:
        print(f"left out, since the budget of {options.budget:g} s was used up: {'; '.join(left_out)}")
    if options.json:
        options.json.write_text(json.dumps({"runs": runs, "ratios": ratios, "left_out": left_out}, indent=2) + "\n")
    return 0 if ratios else 1


if __name__ == "__main__":
    sys.exit(main())
