"""How good the measured latencies are: one mode against another, repetitions, false alarms, planted delays.

    python benchmarks/latency_quality.py page --into FOLDER --target tensorrt --budget 250
    python benchmarks/latency_quality.py collect --into FOLDER --target tensorrt -- --case 'resnet50/*_n1-fp16'
    python benchmarks/latency_quality.py collect --into FOLDER --target tensorrt --latency quick -- --case 'stride_nd/*'
    python benchmarks/latency_quality.py spread FOLDER/*
    python benchmarks/latency_quality.py alarms FOLDER/*
    python benchmarks/latency_quality.py delays FOLDER/* --delay-percent 2 --trials 200 --per-side 4
    python benchmarks/latency_quality.py modes RUN

page does all of it and writes the page of figures: it collects full and quick latencies, counts, and sets the result
beside the goals. collect measures the same cases in one process after another, until ``--processes`` are done or the
budget leaves no time for another. The other commands read the records of such runs. Each
distinguishes quick and full latencies.

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
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script's own folder is on the path, and not this one

from benchmarks.quality_figures import EFFORTS, MICRO, SHORT_US, answers, plant, spreads
from benchmarks.quality_page import PER_SIDE, PERCENT, TOLERANCE, TRIALS, figures, page
from trt_conformance.core.paths import ROOT
from trt_conformance.core.types import Effort
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.latency.recorded import effort_of, medians
from trt_conformance.results.record.record import Record, read_record, record_path

FULL_SHARE = 0.65
"""The part of the time for a page that full latencies may take."""
FULL_CASES = ["resnet50/*_n1-fp32", "resnet50/*_n1-fp16"]
QUICK_CASES = ["padding_mode/*", "stride_nd/*", "dilation_nd/*"]
TESTS = {"full": "cases/test_latency.py", "quick": "cases/test_quick_latency.py"}


def collect(folder: Path, target: str, latency: str, processes: int, budget: float, arguments: Sequence[str]) -> int:
    """Measure in one process after another; 1 if there are fewer than two runs.

    Exits with pytest's output where a process measured nothing.
    """
    began, took = time.monotonic(), list[float]()
    for number in range(processes):
        if took and time.monotonic() - began + max(took[1:] or took) > budget:
            print(f"{processes - number} processes left out: the budget of {budget:g} s is used up")
            break
        root = folder.resolve() / f"run{number:02}"
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
    rows = spreads(records)
    print(f"{'case':60} {'median us':>9} {'spread':>7}")
    for row in rows:
        print(f"{row.key!s:60} {row.median_us:9.2f} {row.ratio:7.2%}")
    for effort in EFFORTS:
        for name, is_short in ((f"{effort}, up to {SHORT_US} us", True), (f"{effort}, above", False)):
            wide = [row.ratio for row in rows if row.key.effort == effort and row.is_short == is_short]
            if wide:
                print(
                    f"{name}: {len(wide)} cases, spread of {len(records)} runs: median {np.median(wide):.2%}, "
                    f"90 % within {np.percentile(wide, 90):.2%}, largest {max(wide):.2%}"
                )


def alarms(records: Sequence[Record]) -> int:
    """Print how often two runs of the same thing are called different; how often with calibration."""
    false = 0
    for (effort, is_calibrated), counts in answers(records).items():
        how = "with the other runs as calibration" if is_calibrated else "without calibration"
        said = ", ".join(f"{counts[answer]} {answer}" for answer in ("same", "different", "ambiguous"))
        print(f"{effort}, {how}: {counts.total()} pairs: {said}")
        false += counts["different"]
    return false


def delays(
    records: Sequence[Record], percent: float, trials: int, per_side: int, tolerance: float, largest_us: float
) -> float:
    """Print the trials' result by effort; the smallest fraction of planted delays that was found.

    Exits where there are too few runs for the trials.
    """
    if len(records) < 2 * per_side + 2 * (per_side == 1):
        sys.exit(f"{len(records)} runs are too few for {per_side} on each side and a calibration")
    worst = 1.0
    for effort, each in plant(records, percent, trials, per_side, tolerance, largest_us).items():
        print(
            f"{effort}: a delay of {percent:g} % is found in {each.found} of {trials} trials; without one, "
            f"{each.alarmed} of {trials} are called different ({each.cases} cases, {per_side} runs a side, tolerance "
            f"{tolerance:.1%})"
        )
        worst = min(worst, each.share)
    return worst


def write_page(given: argparse.Namespace) -> int:
    """Collect full and quick latencies and write the page; 1 if a goal is missed or an effort has no two runs."""
    if given.into.exists() and any(given.into.iterdir()):
        sys.exit(f"{given.into} is not empty: its runs would be counted too")
    began, runs = time.monotonic(), dict[Effort, list[Record]]()
    for effort, share, chosen in (("full", FULL_SHARE, given.full_case), ("quick", 1.0, given.quick_case)):
        cases = [word for case in chosen for word in ("--case", case)]
        left = (given.budget - (time.monotonic() - began)) * share
        print(f"{effort} latencies, {left:.0f} s", flush=True)
        collect(given.into / effort, given.target, effort, given.processes, left, cases)
        found = sorted(path for path in (given.into / effort).glob("run*") if record_path(path))
        runs[effort] = [read_record(path) for path in found]
    rows = figures(runs)
    output = given.output or given.into / "figures.md"
    output.write_text(page(runs, rows, [_words(given)]), encoding="utf-8")
    for row in rows:
        said = "; ".join(f"{effort}: {text}" for effort, text in row.given.items())
        print(f"{'missed: ' * row.missed}{row.name}: {said}" + f" (goal: {row.goal})" * bool(row.goal))
    print(f"{output}, after {time.monotonic() - began:.0f} s")
    return int(any(row.missed for row in rows) or any(len(each) < 2 for each in runs.values()))


def _words(given: argparse.Namespace) -> str:
    words = ["python", "benchmarks/latency_quality.py", "page", "--into", str(given.into), "--target", given.target]
    words += ["--processes", str(given.processes), "--budget", f"{given.budget:g}"]
    words += [word for case in given.full_case for word in ("--full-case", case)]
    words += [word for case in given.quick_case for word in ("--quick-case", case)]
    return shlex.join(words)


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
    whole = commands.add_parser("page", help="collect, count, and write the page of figures")
    whole.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="where the runs are written")
    whole.add_argument("--target", required=True)
    whole.add_argument("-o", "--output", type=Path, metavar="FILE", help="the page (default: figures.md in FOLDER)")
    whole.add_argument("--processes", type=int, default=12, help="of each effort (default: %(default)s)")
    whole.add_argument("--budget", type=float, default=250.0, metavar="SECONDS", help="default: %(default)s")
    whole.add_argument("--full-case", nargs="*", default=FULL_CASES, metavar="PATTERN", help="default: %(default)s")
    whole.add_argument("--quick-case", nargs="*", default=QUICK_CASES, metavar="PATTERN", help="default: %(default)s")
    one = commands.add_parser("modes", help="graph against CUPTI in a run")
    one.add_argument("run", type=Path)
    one.add_argument("--allowed-percent", type=float, default=3.0)
    one.add_argument("--allowed-us", type=float, default=0.7)
    many = commands.add_parser("spread", help="repeated runs against each other")
    pairs = commands.add_parser("alarms", help="how often repeated runs are called different")
    planted = commands.add_parser("delays", help="how often a planted delay is found")
    for each in (many, pairs, planted):
        each.add_argument("runs", type=Path, nargs="+")
    planted.add_argument("--delay-percent", type=float, default=PERCENT)
    planted.add_argument("--trials", type=int, default=TRIALS)
    planted.add_argument(
        "--per-side", type=int, default=PER_SIDE, metavar="N", help="runs of each side (default: %(default)s)"
    )
    planted.add_argument("--tolerance", type=float, default=TOLERANCE, help="of the gate (default: %(default)s)")
    planted.add_argument("--largest-us", type=float, default=float("inf"), help="take shorter cases only")
    planted.add_argument("--wanted", type=float, default=0.99, help="the fraction to be found (default: %(default)s)")
    return parser


def main() -> int:
    """1 if a mode lies beyond what is allowed, an alarm is false, or too few delays are found."""
    given = _parser().parse_args()
    if given.command == "collect":
        return collect(given.into, given.target, given.latency, given.processes, given.budget, given.arguments)
    if given.command == "page":
        return write_page(given)
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
