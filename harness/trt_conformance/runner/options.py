"""The suite's command-line options: registered with pytest, and read once into `RunOptions`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trt_conformance.catalog.sweeps.model import TIERS
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.memory import SHARE, default_limit, parse_size, size_text
from trt_conformance.core.paths import RUNS
from trt_conformance.core.types import COLDS, LATENCY_CHOICES, MODES, Cold, LatencyChoice, Mode, Tier
from trt_conformance.runner.progress_choice import CHOICES
from trt_conformance.runner.shard import Shard
from trt_conformance.targets.isolation.proxy import TIME_LIMIT
from trt_conformance.targets.options import CACHE_LIMIT, MOST_BUILDERS, TACTICS, Tactics
from trt_conformance.targets.slow_builds import CPUS_EACH, MOST_PROCESSES
from trt_conformance.targets.timing.measurement import TimingPlan


@dataclass(frozen=True)
class RunOptions:
    """What the user asked for.

    Attributes:
        targets: implementations under test; none for every one that works on this machine.
        cases: patterns of cases; none for all cases.
        folders: the folders whose cases to run.
        tier: how many generated cases to run; None for the default of each check.
        large: run the cases with very large tensors.
        latency: which latencies to take; None takes quick ones of targets that run on a GPU.
        latency_modes: what to time; none for the target's default.
        cold: what is emptied from the caches before each sample; None for nothing.
        latency_limit_s: seconds after which the sampling of a case ends.
        time_limit_s: seconds after which a build or a run counts as hung.
        require_gpu: fail if there is no GPU.
        isolation: run each target in a process of its own.
        tactics: how long TensorRT searches for GPU kernels.
        tactic_sources: names of the libraries that TensorRT takes GPU kernels from; none for its own choice.
        builders: engines built at the same time; None for the default.
        slow_builders: processes that build what TensorRT compiles kernels for; None for the default.
        cache: use the build cache, which outlasts the run.
        cache_dir: the folder of the build cache; None for the default.
        cache_limit: bytes that built engines may take in the cache.
        shard: the part of the tests to run; None for all.
        record_root: the folder in which the run's record is written; None to write no record.
        progress: how to show progress.
        memory_limit: bytes that the tensors of a case may take in this process.
        min_claims: claims that each requested target has to check; None for at least one check with a result.
    """

    targets: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    folders: tuple[CaseFolder, ...] = (SUITE,)
    tier: Tier | None = None
    large: bool = False
    latency: LatencyChoice | None = None
    latency_modes: tuple[Mode, ...] = ()
    cold: Cold | None = None
    latency_limit_s: float = TimingPlan.limit_s
    time_limit_s: float = TIME_LIMIT
    require_gpu: bool = False
    isolation: bool = True
    tactics: Tactics = "default"
    tactic_sources: tuple[str, ...] = ()
    builders: int | None = None
    slow_builders: int | None = None
    cache: bool = True
    cache_dir: Path | None = None
    cache_limit: int = CACHE_LIMIT
    shard: Shard | None = None
    record_root: Path | None = RUNS
    progress: str = "auto"
    memory_limit: int = field(default_factory=default_limit)
    min_claims: int | None = None

    @property
    def full_latency(self) -> bool:
        """Whether the timed cases run."""
        return self.latency == "full"


def read_options(config: pytest.Config) -> RunOptions:
    """The options that pytest parsed."""
    option = config.getoption
    cache_dir = option("engine_cache_dir")
    return RunOptions(
        targets=tuple(option("target")),
        cases=tuple(option("case")),
        folders=_folders(option("cases"), option("golden")),
        tier=option("tier"),
        large=option("large"),
        latency=option("latency"),
        latency_modes=tuple(option("latency_mode")),
        cold=option("cold"),
        latency_limit_s=option("latency_limit"),
        time_limit_s=option("time_limit"),
        require_gpu=option("require_gpu"),
        isolation=not option("no_isolation"),
        tactics=option("tactics"),
        tactic_sources=option("tactic_sources"),
        builders=option("builders"),
        slow_builders=option("slow_builders"),
        cache=not option("no_cache"),
        cache_dir=Path(cache_dir) if cache_dir else None,
        cache_limit=round(option("cache_limit") * 2**30),
        shard=option("shard"),
        record_root=None if option("no_record") else Path(option("record_root")),
        progress=option("progress"),
        memory_limit=option("memory_limit"),
        min_claims=option("min_claims"),
    )


def _folders(cases: list[str], golden: str | None) -> tuple[CaseFolder, ...]:
    """The folders of cases that were named; the suite's own if none was."""
    if golden is not None and len(cases) != 1:
        raise pytest.UsageError("--golden names the goldens of one folder of cases: give exactly one --cases with it")
    store = None if golden is None else Path(golden)
    return tuple(CaseFolder.at(Path(path), store) for path in cases) or (SUITE,)


def check_options(options: RunOptions, processes: int | None) -> None:
    """Raise pytest.UsageError where options contradict each other; ``processes`` is what ``-n`` says."""
    if options.full_latency and processes:
        raise pytest.UsageError(
            "--latency=full cannot be combined with -n: parallel tests would disturb the measurement; "
            "--latency=quick can, on a GPU"
        )
    if not options.full_latency:
        _refuse_options_of_full_latencies(options)
        return
    if not 0 < options.latency_limit_s < options.time_limit_s:
        raise pytest.UsageError(
            f"--latency-limit {options.latency_limit_s:g} must be between 0 and --time-limit, {options.time_limit_s:g}"
        )


def _refuse_options_of_full_latencies(options: RunOptions) -> None:
    """Quick latencies are of one mode with warm caches, and end by themselves."""
    given = {
        "--latency-mode": bool(options.latency_modes),
        "--cold": options.cold is not None,
        "--latency-limit": options.latency_limit_s != TimingPlan.limit_s,
    }
    names = [name for name, is_given in given.items() if is_given]
    if names:
        raise pytest.UsageError(
            f"{' and '.join(names)} can only be used with --latency=full: quick latencies are of mode graph, "
            "with warm caches"
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "TensorRT convolution conformance")
    _add_selection(group)
    _add_latency(group)
    _add_building(group)
    _add_output(group)


def _add_selection(group: pytest.OptionGroup) -> None:
    """Which targets and cases run, and what is required of a run."""
    group.addoption(
        "--target",
        action="append",
        default=[],
        metavar="NAME",
        help="implementation under test: tensorrt, tensorrt_rtx, onnxruntime, torch, numpy, a full name, or "
        "path/to/file.py:Class; repeatable (default: all that work on this machine)",
    )
    group.addoption(
        "--case",
        action="append",
        default=[],
        metavar="PATTERN",
        help="run only these cases: an id, with or without its precision, a file or a folder of cases, or a pattern "
        "with * and ?; repeatable",
    )
    group.addoption(
        "--cases",
        action="append",
        default=[],
        metavar="DIR",
        help="run the cases of this folder instead of the suite's own; repeatable",
    )
    group.addoption(
        "--golden", metavar="DIR", help="folder of the goldens of --cases (default: the subfolder golden of its folder)"
    )
    group.addoption(
        "--min-claims",
        type=_count("claims"),
        metavar="N",
        help="fail if a target named with --target checked fewer than N claims; 0 accepts a target without any result "
        "(default: each such target needs at least one check with a result)",
    )
    group.addoption("--require-gpu", action="store_true", help="fail if there is no GPU")
    group.addoption(
        "--no-isolation", action="store_true", help="run targets in pytest's own process, for debuggers and sanitizers"
    )
    group.addoption(
        "--time-limit",
        type=_within(0.1, 1e6),
        default=TIME_LIMIT,
        metavar="SECONDS",
        help="a build or run that takes longer counts as hung (default: %(default)g)",
    )
    group.addoption(
        "--tier",
        choices=TIERS,
        help="how many generated cases to run (default: smoke), and the size of the padding truth table (default: ci, "
        "or smoke on TensorRT 8, whose shape inference is slow)",
    )
    group.addoption("--large", action="store_true", help="also run the cases with very large tensors")


def _add_latency(group: pytest.OptionGroup) -> None:
    """What is timed, and how long."""
    group.addoption(
        "--memory-limit",
        type=_size,
        default=default_limit(),
        metavar="SIZE",
        help="memory that the tensors of one case, including its reference, may take in this process, such as 8GiB; "
        "larger cases are compared in pieces, and are not run if a single piece does not fit "
        f"(default: 1/{SHARE} of this machine's memory, {size_text(default_limit())})",
    )
    group.addoption(
        "--latency",
        nargs="?",
        const="full",
        type=_latency,
        metavar="off|quick|full",
        help="quick times each case in about 10 ms after its values are judged; full measures only the timed "
        "cases, until their latency is precise, and also runs those of the suite that no other run checks; "
        "--latency alone means full "
        "(default: quick if a target runs on a GPU, else off)",
    )
    group.addoption(
        "--latency-mode",
        action="append",
        default=[],
        choices=MODES,
        help="timing mode of full latencies; repeatable (default: graph on a GPU, host on a CPU)",
    )
    group.addoption(
        "--cold",
        choices=COLDS,
        help="empty the caches before each sample of a full latency; with weights, the input is then written again, "
        "so that it is cached and the weights are not, as after another layer",
    )
    group.addoption("--cold-l2", dest="cold", action="store_const", const="all", help="the same as --cold all")
    group.addoption(
        "--latency-limit",
        type=float,
        default=TimingPlan.limit_s,
        metavar="SECONDS",
        help="stop sampling a full latency after this time, even if it is not yet precise (default: %(default)g)",
    )


def _add_building(group: pytest.OptionGroup) -> None:
    """How engines are built and cached."""
    group.addoption(
        "--tactics",
        choices=TACTICS,
        default="default",
        help="how long TensorRT searches for GPU kernels: builder_optimization_level 1 (fast), TensorRT's own default, "
        "or 5 (exhaustive)",
    )
    group.addoption(
        "--tactic-sources",
        type=_names,
        default=(),
        metavar="NAMES",
        help="take GPU kernels only from these members of TensorRT's TacticSource, separated by commas, for example "
        "EDGE_MASK_CONVOLUTIONS,JIT_CONVOLUTIONS if cuBLAS and cuDNN are not installed; needs --target "
        "(default: TensorRT's own choice)",
    )
    group.addoption(
        "--builders",
        type=_count("builders"),
        metavar="N",
        help="engines to build at the same time, ahead of the tests; 0 builds each engine when its test runs "
        f"(default: one per CPU, at most {MOST_BUILDERS})",
    )
    group.addoption(
        "--slow-builders",
        type=_count("slow builders"),
        metavar="N",
        help="further processes for the builds for which TensorRT compiles kernels, if --builders is more than 1; 0 "
        "gives these builds a thread instead "
        f"(default: on a GPU one per {CPUS_EACH} CPUs, at most {MOST_PROCESSES}, fewer where memory is short)",
    )
    group.addoption("--no-cache", action="store_true", help="do not read or write the build cache")
    group.addoption(
        "--cache-dir",
        dest="engine_cache_dir",
        metavar="DIR",
        help="folder of the build cache: engines and tactic timings; write --cache-dir=DIR "
        "(default: trt-conformance in the user's cache folder)",
    )
    group.addoption(
        "--cache-limit",
        type=_within(0, 1e6),
        default=CACHE_LIMIT / 2**30,
        metavar="GIB",
        help="size limit of the cached engines; the least recently used are removed first (default: %(default)g)",
    )


def _add_output(group: pytest.OptionGroup) -> None:
    """Which part of a run this is, where its record is written, and what is shown."""
    group.addoption(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="run part I of N, each with its own cases; `trt-conformance merge` joins their records",
    )
    group.addoption(
        "--record-root",
        default=str(RUNS),
        metavar="DIR",
        help="folder for the run's record; write --record-root=DIR",
    )
    group.addoption("--no-record", action="store_true", help="do not write a run record")
    group.addoption(
        "--progress",
        choices=CHOICES,
        default="auto",
        help="how to show progress instead of dots: auto draws one line in place on a terminal and keeps the dots "
        "elsewhere (default), plain prints a line from time to time, off keeps the dots; -v and -s imply off",
    )


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _latency(text: str) -> str:
    if text not in LATENCY_CHOICES:
        hint = f"; before a path, write --latency=full {text}" if Path(text.partition("::")[0]).exists() else ""
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(LATENCY_CHOICES)}{hint}")
    return text


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _count(noun: str) -> Callable[[str], int]:
    """A parser of natural numbers."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise argparse.ArgumentTypeError(f"{text!r} is not a valid number of {noun}")
        return int(text)

    return number


def _within(low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers in a range."""

    def number(text: str) -> float:
        with suppress(ValueError):
            if low <= float(text) <= high:
                return float(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")

    return number
