"""How fast a run is on this machine: cold, warm, with several workers, and beside ``polygraphy run``.

    python benchmarks/fast_runs.py --target tensorrt --json figures.json -- --case 'cases/exact/*'
    python benchmarks/fast_runs.py --target tensorrt --tests cases/test_sweep.py -- --tier ci
    python benchmarks/fast_runs.py --target tensorrt --tests cases/test_sweep.py --polygraphy 0 --mps \
        --budget 500 --table figures.md -- --tier ci --shard 1/3

runs pytest as users do, over the forward checks of whatever the arguments after ``--`` select, with caches in a
temporary folder: with 1, 2, 4 and 6 workers, with ``--mps`` also under CUDA's Multi-Process Service, and meanwhile
samples what the threads wait for; then ``polygraphy run MODEL --trt --onnxrt`` on some of the same cases as ONNX
models. It needs no network. For TensorRT 8.6 on Python 3.11 have these wheels installed beside ``.[tensorrt8]``:
polygraphy, tensorrt 8.6.1.post1 with tensorrt_bindings and tensorrt_libs, nvidia-cublas-cu12, nvidia-cudnn-cu12 8.9,
onnx, onnxruntime.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script's own folder is on the path, and not this one

from benchmarks.mps import Mps
from benchmarks.waiting import Waiting, family, lines_of
from trt_conformance.core import git
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.results.record.record import FILE_NAME, Record, read_record
from trt_conformance.targets.device import machine as environment

SAMPLING_S = 0.02
FLAGS = {"fp16": ["--fp16"], "tf32": ["--tf32"], "int8": ["--int8"]}


def run_pytest(
    folder: Path,
    name: str,
    workers: int,
    tests: str,
    arguments: Sequence[str],
    environ: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """One run of the tests, in one process or with several workers. Raises ConformanceError if pytest did not run.

    ``environ`` is added to the environment of the processes.
    """
    meter, alone = folder / f"{name}.json", workers == 1
    command = [sys.executable, "-m", "pytest", tests, "-q", "--no-header", "-n", str(0 if alone else workers),
               "-p", "benchmarks.meter", "--meter", str(meter), "--record-root", str(folder / name),
               "--cache-dir", str(folder / "cache"), *arguments]  # fmt: skip
    started = time.perf_counter()
    code, said, used = _run(command, environ)
    wall = time.perf_counter() - started
    if code not in (0, 1) or not list((folder / name).rglob(FILE_NAME)):
        raise ConformanceError(f"{' '.join(command)}\nexit code {code}\n{said}")
    record = _record(folder / name)
    if record.end is None:
        raise ConformanceError(f"{' '.join(command)}\nthe record has no end\n{said}")
    cases = len({verdict.case for verdict in record.verdicts})
    parts = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{name}.*json"))]
    found = {
        "name": name,
        "workers": workers,
        "cases": cases,
        "wall_s": wall,
        "cases_per_s": cases / wall,
        "loop_s": max(part["loop_s"] for part in parts),
        "cases_per_s_in_loop": cases / max(part["loop_s"] for part in parts),
        "statuses": dict(record.end.counts),
        "engines": dict(record.end.engines),
        "peak_rss_mib": max(part["peak_rss_mib"] for part in parts),
        **used,
    }
    if alone:
        (part,) = parts
        found |= {f"{key}_ms_per_case": 1e3 * part[f"{key}_s"] / cases for key in ("harness", "harness_cpu")}
        found["calls_ms_per_case"] = {call: 1e3 * s / cases for call, s in part["calls_s"].items()}
    return found


def _run(command: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, dict[str, Any]]:
    """A command's exit code, what it said, and what it used.

    Of memory, the peaks in MiB: of the largest process, pages of files included, and, where ``/proc`` tells, of all
    its processes together without them. Of CPU, the seconds of all processes. And what their threads did.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environ}
        )
        ended, own = threading.Event(), [0.0]
        sampler = threading.Thread(target=_sample, args=(process.pid, ended, own))
        sampler.start()
        waiting = Waiting(process.pid)
        try:
            _, status, used = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.terminate()
            raise
        finally:
            ended.set()
            sampler.join()
            threads = waiting.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        found: dict[str, Any] = {"peak_rss_of_largest_process_mib": used.ru_maxrss / 1024}
        found |= {"user_s": used.ru_utime, "system_s": used.ru_stime, "threads": threads}
        if own[0]:
            found["peak_own_of_all_processes_mib"] = own[0]
        return process.returncode, output.read().decode(errors="replace"), found


def _sample(pid: int, ended: threading.Event, peak: list[float]) -> None:
    while not ended.wait(SAMPLING_S):
        peak[0] = max(peak[0], sum(map(_own_mib, family(pid))))


def _own_mib(pid: int) -> float:
    """A process's resident memory that belongs to no file and that it does not share."""
    try:
        resident, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    except OSError:
        return 0.0
    return (resident - shared) * resource.getpagesize() / 2**20


def exportable(folder: Path, count: int) -> list[Case]:
    """The cases that passed in a run and that ONNX can express: some evenly spread ones first, then the others."""
    from trt_conformance.catalog.catalog import load_catalog
    from trt_conformance.targets.onnxruntime import OnnxRuntimeTarget

    catalog, onnx = load_catalog(tier=None), OnnxRuntimeTarget()
    forward = [verdict for verdict in _record(folder).verdicts if verdict.check == "forward"]
    passed = dict.fromkeys(verdict.case for verdict in forward if verdict.status == "pass")
    cases = [case for case in map(catalog.find, passed) if case and not case.dynamic and onnx.supports(case) is None]
    # The parser of TensorRT 8.6 takes the bias of a quantized convolution for its kernel.
    cases = [case for case in cases if case.quantize is None or case.bias == "none"]
    step = max(1, len(cases) // count)
    return [case for first in range(step) for case in cases[first::step]]


def run_polygraphy(folder: Path, cases: Sequence[Case], count: int, backends: Sequence[str]) -> dict[str, Any]:
    """Build, run and compare so many of the cases, each by a ``polygraphy run`` of its own, as its users do.

    Timed are those that ran to their end: a difference between two backends is an end, too. Where one cannot be run,
    another takes its place, ``count`` times at most. Ctrl-C ends it here.
    """
    from trt_conformance.targets.onnxruntime import onnx_model

    timed: list[Case] = []
    seconds: list[float] = []
    failed: list[str] = []
    environ = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    for number, case in enumerate(cases):
        if len(timed) == count or len(failed) > count:
            break
        model = folder / "case.onnx"
        model.write_bytes(onnx_model(case))
        command = ["polygraphy", "run", str(model), *backends]
        command += FLAGS.get(case.precision, []) if "--trt" in backends else []
        started = time.perf_counter()
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, text=True, check=False
            )
        except KeyboardInterrupt:
            break
        took = time.perf_counter() - started
        (folder / f"polygraphy-{number}.txt").write_text(f"{shlex.join(command)}\n{done.stdout}\n{done.returncode}\n")
        if done.returncode == 0 or "Accuracy Summary" in done.stdout:
            timed.append(case)
            seconds.append(took)
        else:
            why = [
                line for line in done.stdout.splitlines() if line.startswith(("[E]", "[!]", "[C]", "Fatal", "  File"))
            ]
            failed.append(f"{case.id}: exit code {done.returncode}: {' '.join(why)[:300]}")
    if not seconds:
        raise ConformanceError("\n".join(["polygraphy ran none of the cases to the end:", *failed]))
    mean = sum(seconds) / len(seconds)
    return {
        "cases": [case.id for case in timed],
        "s_per_case": mean,
        "cases_per_s": 1 / mean,
        "failed": failed,
    }


def measure(folder: Path, options: argparse.Namespace, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A cold and a warm run with each number of workers, then again under MPS where asked, while the budget lasts."""
    began, longest = time.monotonic(), 0.0
    for service in (None, *((Mps(folder / "mps"),) if options.mps else ())):
        with service or nullcontext() as environ:
            for workers in options.workers:
                if service is not None and (environ is None or workers == 1):
                    continue
                if longest and time.monotonic() - began + longest > options.budget:
                    print(f"{workers} workers left out: the budget of {options.budget:g} s is used up", flush=True)
                    continue
                started = time.monotonic()
                shutil.rmtree(folder / "cache", ignore_errors=True)
                for kind in ("cold", "warm"):
                    name = f"{'mps-' * (service is not None)}{kind}-{workers}"
                    yield run_pytest(folder, name, workers, options.tests, arguments, environ or {})
                longest = max(longest, time.monotonic() - started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--target", default="tensorrt")
    parser.add_argument("--tests", default="cases/test_forward.py::test_forward", help="what pytest is given")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2, 4, 6], metavar="N", help="1 is without pytest-xdist"
    )
    parser.add_argument("--mps", action="store_true", help="also measure under CUDA's Multi-Process Service")
    parser.add_argument(
        "--budget", type=float, default=float("inf"), metavar="SECONDS", help="start no runs that would end later"
    )
    parser.add_argument("--polygraphy", type=int, default=20, metavar="N", help="cases for polygraphy; 0 for none")
    parser.add_argument("--backends", default="--trt --onnxrt", help="what polygraphy compares (default: %(default)s)")
    parser.add_argument("--records", type=Path, metavar="FOLDER", help="keep the runs' records and reports there")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="write the table and what was waited for, in Markdown"
    )
    parser.add_argument("selection", nargs="*", metavar="ARGUMENT", help="what pytest runs, after --")
    options = parser.parse_args()
    if options.polygraphy and shutil.which("polygraphy") is None:
        parser.error("no `polygraphy` on the PATH: install it, or run without it (--polygraphy 0)")
    if min(options.workers) < 1:
        parser.error("--workers: 1 at least")
    return options


def main() -> int:
    """Print the figures, and write them as JSON and as a table where asked."""
    options = _options()
    arguments = ["--target", options.target, *options.selection]
    found: dict[str, Any] = {
        "machine": {"platform": platform.platform(), "device": environment.gpu(), "source": git.commit()},
        "arguments": arguments,
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            for run in measure(folder, options, arguments):
                found["runs"].append(run)
                print(_line(run), *(f"  {line}" for line in lines_of(run["threads"])), sep="\n", flush=True)
            if options.polygraphy:
                found["polygraphy"] = _polygraphy(folder, options, found["runs"][0], arguments)
        except ConformanceError as fault:
            print(fault, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("stopped; the runs that ended are kept", file=sys.stderr)
            return 130
        finally:
            if options.records:
                shutil.copytree(folder, options.records, ignore=shutil.ignore_patterns("cache"), dirs_exist_ok=True)
            if options.json:
                options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
            if options.table:
                options.table.write_text(table(found), encoding="utf-8")
    return 0


def _polygraphy(
    folder: Path, options: argparse.Namespace, cold: Mapping[str, Any], arguments: Sequence[str]
) -> dict[str, Any]:
    """Run some of the cases by Polygraphy, and the same ones alone by the suite. ``cold`` is the first run of all."""
    cases = exportable(folder / cold["name"], options.polygraphy)
    theirs = run_polygraphy(folder, cases, options.polygraphy, options.backends.split())
    theirs["times_as_fast"] = {"in the whole cold run": theirs["s_per_case"] * cold["cases_per_s"]}
    print(_beside(theirs), flush=True)
    few = [*_without_cases(arguments), *(part for case in theirs["cases"] for part in ("--case", case))]
    shutil.rmtree(folder / "cache", ignore_errors=True)
    same = run_pytest(folder, "same", 1, options.tests, few)
    theirs["ours_on_the_same_s_per_case"] = same["wall_s"] / same["cases"]
    alone = theirs["s_per_case"] * same["cases_per_s"]
    theirs["times_as_fast"]["on the same cases alone, cold, startup included"] = alone
    print(_line(same), f"{alone:.1f} times as fast as polygraphy", sep="\n")
    return theirs


def table(found: Mapping[str, Any]) -> str:
    """The runs as a table in Markdown, with what their threads did below it."""
    device = found["machine"]["device"]
    lines = [f"{device.get('gpu') or 'no GPU'}, {os.cpu_count()} CPUs: `pytest {shlex.join(found['arguments'])}`", ""]
    lines += [
        "| run | workers | cases | s | cases a second | without startup | user s | system s | MiB of all processes |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in found["runs"]:
        own = f"{run['peak_own_of_all_processes_mib']:.0f}" if "peak_own_of_all_processes_mib" in run else ""
        lines.append(
            f"| {run['name']} | {run['workers']} | {run['cases']} | {run['wall_s']:.1f} | {run['cases_per_s']:.1f} | "
            f"{run['cases_per_s_in_loop']:.1f} | {run['user_s']:.0f} | {run['system_s']:.0f} | {own} |"
        )
    for run in found["runs"]:
        lines += ["", f"{run['name']}:", "", *(f"- {line}" for line in lines_of(run["threads"]))]
    return "\n".join(lines) + "\n"


def _record(folder: Path) -> Record:
    """The record of the one run below a folder."""
    (path,) = folder.rglob(FILE_NAME)
    return read_record(path)


def _without_cases(arguments: Sequence[str]) -> list[str]:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--case", action="append")
    return parser.parse_known_args(arguments)[1]


def _line(run: dict[str, Any]) -> str:
    ours = _share(run) if "harness_ms_per_case" in run else ""
    own = run.get("peak_own_of_all_processes_mib")
    own = f", {own:.0f} MiB without files in all together" if own else ""
    return (
        f"{run['name']:<7} {run['cases']} cases, {run['workers']} workers: {run['wall_s']:.1f} s, "
        f"{run['cases_per_s']:.1f} cases/s ({run['cases_per_s_in_loop']:.1f} without startup){ours}, "
        f"peak {run['peak_rss_mib']:.0f} MiB, {run['peak_rss_of_largest_process_mib']:.0f} MiB in its largest process"
        f"{own}"
    )


def _share(run: dict[str, Any]) -> str:
    return f", harness {run['harness_ms_per_case']:.1f} ms a case ({run['harness_cpu_ms_per_case']:.1f} of CPU)"


def _beside(found: dict[str, Any]) -> str:
    ratios = ", ".join(f"{ratio:.1f} ({what})" for what, ratio in found["times_as_fast"].items())
    lines = [
        f"polygraphy run: {found['s_per_case']:.2f} s a case on {len(found['cases'])} cases; times as fast: {ratios}"
    ]
    return "\n".join([*lines, *(f"  polygraphy failed: {failure}" for failure in found["failed"])])


if __name__ == "__main__":
    sys.exit(main())
