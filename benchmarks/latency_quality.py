"""How good the measured latencies are: one mode against another, repetitions, false alarms, planted delays.

    python benchmarks/latency_quality.py collect --into FOLDER --target tensorrt -- --case 'resnet50/*_n1-fp16'
    python benchmarks/latency_quality.py collect --into FOLDER --target tensorrt --latency quick -- --case 'stride_nd/*'
    python benchmarks/latency_quality.py spread FOLDER/*
    python benchmarks/latency_quality.py alarms FOLDER/*
    python benchmarks/latency_quality.py delays FOLDER/* --delay-percent 2 --trials 200 --per-side 3
    python benchmarks/latency_quality.py modes RUN

collect measures the same cases in one process after another, until ``--processes`` are done or the budget leaves no
time for another. The other commands read the records of such runs. Quick and full latencies are told apart in each.

spread: (largest - smallest) / median of the medians of all runs, a case a line. alarms: each two runs are compared as
the gate does, once as they are and once with all other runs as calibration; a latency that is called different is a
false alarm. delays: in each trial, some runs are compared with some others in one case, whose samples in the latter are
made longer; all further runs are the calibration. The same trials without a delay count false alarms.

modes holds graph against the kernel durations that CUPTI recorded, for each case that was timed in both
(``--latency-mode graph --latency-mode kernel``). Between two kernels nothing runs for a while: the graph's time holds
these gaps, CUPTI's sum does not; they are shown, and so are the graph's nodes, of which fills are no kernels.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np

from trt_conformance.core.paths import ROOT
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.latency.gate import compare_latency
from trt_conformance.results.latency.recorded import Key, effort_of, medians, timings
from trt_conformance.results.record.record import Record, read_record, record_path

MICRO = 1e6
TESTS = {"full": "cases/test_latency.py", "quick": "cases/test_quick_latency.py"}
SHORT_US = 20
"""Microseconds up to which a case counts as short."""


def collect(folder: Path, target: str, latency: str, processes: int, budget: float, arguments: Sequence[str]) -> int:
    """Measure in one process after another; 1 where there are fewer than two runs.

    Exits with pytest's output where a process measured nothing.
    """
    began, took = time.monotonic(), list[float]()
    for number in range(processes):
        if took and time.monotonic() - began + max(took[1:] or took) > budget:
            print(f"{processes - number} processes left out: the budget of {budget:g} s is used up")
            break
        root = folder / f"run{number:02}"
        command = [sys.executable, "-m", "pytest", TESTS[latency], "-q", "--no-header", f"--latency={latency}",
                   "--target", target, f"--record-root={root}", *arguments]  # fmt: skip
        started = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        took.append(time.monotonic() - started)
        found = [path for path in sorted(root.glob("*")) if record_path(path)]
        if done.returncode not in (0, 1) or not found:
            sys.exit(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout[-4000:]}")
        # The record's own folder, one level up, so that FOLDER/* are the runs.
        record = record_path(found[-1])
        assert record is not None
        count = len(medians(read_record(record)))
        record.rename(root / record.name)
        print(f"process {number}: {count} latencies in {took[-1]:.1f} s", flush=True)
    return int(len(took) < 2)


def modes(record: Record, allowed_percent: float, allowed_us: float) -> int:
    """Print the table; the number of cases beyond what is allowed."""
    found: dict[tuple[str, str], dict[str, Verdict]] = {}
    for verdict in record.verdicts:
        if verdict.phase == "latency" and verdict.figures.get("samples") and effort_of(verdict) == "full":
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


def spread(records: Sequence[Record]) -> None:
    """Print the table and its percentiles, of short and of longer cases."""
    found: dict[Key, list[float]] = {}
    for record in records:
        for key, seconds in medians(record).items():
            found.setdefault(key, []).append(seconds * MICRO)
    rows = [(median(us), (max(us) - min(us)) / median(us), key) for key, us in found.items() if len(us) == len(records)]
    print(f"{'case':60} {'median us':>9} {'spread':>7}")
    for middle, ratio, key in sorted(rows):
        print(f"{key!s:60} {middle:9.2f} {ratio:7.2%}")
    for effort in ("full", "quick"):
        mine = [(middle, ratio) for middle, ratio, key in rows if key.effort == effort]
        for name, wide in (
            (f"{effort}, up to {SHORT_US} us", [ratio for middle, ratio in mine if middle <= SHORT_US]),
            (f"{effort}, above", [ratio for middle, ratio in mine if middle > SHORT_US]),
        ):
            if wide:
                print(
                    f"{name}: {len(wide)} cases, spread of {len(records)} runs: median {np.median(wide):.2%}, "
                    f"90 % within {np.percentile(wide, 90):.2%}, largest {max(wide):.2%}"
                )


def alarms(records: Sequence[Record]) -> int:
    """Print how often two runs of the same thing are called different; how often with calibration."""
    counts: Counter[tuple[str, str, bool]] = Counter()
    for base, new in combinations(records, 2):
        others = [record for record in records if record is not base and record is not new]
        for is_calibrated in (False, True) if len(others) > 1 else (False,):
            found = compare_latency(base, new, others if is_calibrated else ())
            counts.update((change.effort, change.answer, is_calibrated) for change in found.changes)
    false = 0
    for effort, is_calibrated in dict.fromkeys((effort, known) for effort, _, known in counts):
        each = {answer: counts[effort, answer, is_calibrated] for answer in ("same", "different", "ambiguous")}
        how = "with the other runs as calibration" if is_calibrated else "without calibration"
        said = ", ".join(f"{count} {answer}" for answer, count in each.items())
        print(f"{effort}, {how}: {sum(each.values())} pairs: {said}")
        false += each["different"]
    return false


def delays(
    records: Sequence[Record], percent: float, trials: int, per_side: int, tolerance: float, largest_us: float
) -> float:
    """Print the trials' result by effort; the smallest fraction of planted delays that was found.

    Exits where there are too few runs for the trials.
    """
    if len(records) < 2 * per_side + 2 * (per_side == 1):
        sys.exit(f"{len(records)} runs are too few for {per_side} on each side and a calibration")
    timed = [set(medians(record)) for record in records]
    middles = medians(records[0])
    common = [key for key in middles if all(key in each for each in timed) and middles[key] * MICRO <= largest_us]
    generator, worst = np.random.default_rng(0), 1.0
    for effort in ("full", "quick"):
        keys = [key for key in common if key.effort == effort]
        if not keys:
            continue
        found, alarmed = 0, 0
        for _ in range(trials):
            key, order = keys[generator.integers(len(keys))], generator.permutation(len(records))
            drawn = [_only(records[index], key) for index in order]
            base, new, others = drawn[:per_side], drawn[per_side : 2 * per_side], drawn[2 * per_side :]
            planted = [_slowed(record, 1 + percent / 100) for record in new]
            found += bool(compare_latency(base, planted, others, tolerance=tolerance).regressions)
            (plain,) = compare_latency(base, new, others, tolerance=tolerance).changes
            alarmed += plain.answer == "different"
        print(
            f"{effort}: a delay of {percent:g} % is found in {found} of {trials} trials; without one, {alarmed} of "
            f"{trials} are called different ({len(keys)} cases, {per_side} runs a side, tolerance {tolerance:.1%})"
        )
        worst = min(worst, found / trials)
    return worst


def _only(record: Record, key: Key) -> Record:
    """The record with one of its latencies."""
    for verdict in record.verdicts:
        if verdict.case == key.case and key in timings(replace(record, verdicts=(verdict,))):
            return replace(record, verdicts=(verdict,))
    raise KeyError(key)


def _slowed(record: Record, factor: float) -> Record:
    """The record with its one latency longer by a factor."""
    (verdict,) = record.verdicts
    figures = dict(verdict.figures)
    figures["samples"] = [sample * factor for sample in figures["samples"]]
    facts = dict(figures.get("facts") or {})
    if facts.get("placements"):
        facts["placements"] = [seconds * factor for seconds in facts["placements"]]
    return replace(record, verdicts=(replace(verdict, figures=figures | {"facts": facts}),))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("collect", help="measure in several processes")
    runs.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="where the runs are written")
    runs.add_argument("--target", required=True)
    runs.add_argument("--latency", choices=tuple(TESTS), default="full")
    runs.add_argument("--processes", type=int, default=10)
    runs.add_argument("--budget", type=float, default=500.0, metavar="SECONDS")
    runs.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="what pytest runs, after --")
    one = commands.add_parser("modes", help="graph against CUPTI in a run")
    one.add_argument("run", type=Path)
    one.add_argument("--allowed-percent", type=float, default=3.0)
    one.add_argument("--allowed-us", type=float, default=0.7)
    many = commands.add_parser("spread", help="repeated runs against each other")
    pairs = commands.add_parser("alarms", help="how often repeated runs are called different")
    planted = commands.add_parser("delays", help="how often a planted delay is found")
    for each in (many, pairs, planted):
        each.add_argument("runs", type=Path, nargs="+")
    planted.add_argument("--delay-percent", type=float, default=2.0)
    planted.add_argument("--trials", type=int, default=200)
    planted.add_argument(
        "--per-side", type=int, default=3, metavar="N", help="runs of each side (default: %(default)s)"
    )
    planted.add_argument("--tolerance", type=float, default=0.005, help="of the gate (default: %(default)s)")
    planted.add_argument("--largest-us", type=float, default=float("inf"), help="take shorter cases only")
    planted.add_argument("--wanted", type=float, default=0.99, help="the fraction to be found (default: %(default)s)")
    return parser


def main() -> int:
    """1 where a mode lies beyond what is allowed, an alarm is false, or too few delays are found."""
    given = _parser().parse_args()
    if given.command == "collect":
        return collect(given.into, given.target, given.latency, given.processes, given.budget, given.arguments)
    if given.command == "modes":
        return int(modes(read_record(given.run), given.allowed_percent, given.allowed_us) > 0)
    records = [read_record(run) for run in given.runs]
    if given.command == "alarms":
        return int(alarms(records) > 0)
    if given.command == "delays":
        found = delays(records, given.delay_percent, given.trials, given.per_side, given.tolerance, given.largest_us)
        return int(found < given.wanted)
    spread(records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
