"""pytest's door: options, the case and target of each test, verdicts, record and summary."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import pool
from harness.catalog import Catalog
from harness.isolation import TIME_LIMIT
from harness.latency.check import computed_reference
from harness.latency.measurement import MODES, Plan
from harness.lookahead import Lookahead, arranged, subject_of
from harness.message import Named
from harness.metamorphic import choose
from harness.model import Case
from harness.paths import ROOT, RUNS, relative
from harness.progress import CHOICES, progress_for
from harness.session import MOST_BUILDERS, Controller, Run
from harness.shard import Shard
from harness.subject import Subject
from harness.sweeps.model import TIERS
from harness.targets.base import DefinesNetworks, HasDeprecatedNames, Target
from harness.targets.options import CACHE_LIMIT, TACTICS
from harness.verdict import REFERENCE, Verdict

SELECTIONS: dict[str, Callable[[Case], bool]] = {
    "accepted": lambda case: case.reject is None and not case.large,
    "stored": lambda case: case.reject is None and not case.latency and not case.large,
    "large": lambda case: case.large,
    "special": lambda case: case.special_values,
    "timed": lambda case: case.latency,
    "rejected": lambda case: case.reject is not None,
    "printed": lambda case: case.reject is None and case.expect.printed is not None,
    "ideal": lambda case: case.expect.ideal is not None and case.precision == "fp32",
    "related": lambda case: bool(case.relations),
    "exact": lambda case: case.reject is None and case.exact,
    "deprecated": lambda case: case.deprecated is not None,
    "claimed_printed": lambda case: case.expect.printed is not None and case.precision in ("fp32", "int8", "fp8"),
}
GENERATED = "generated"
NEEDS: dict[str, Callable[[Target], bool]] = {
    "nothing": lambda target: True,
    "networks": lambda target: isinstance(target, DefinesNetworks),
    "api": lambda target: isinstance(target, HasDeprecatedNames),
}


RUN = pytest.StashKey[Run]()
VERDICTS = pytest.StashKey[list[Verdict]]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.register(pool, "conformance-pool")
    group = parser.getgroup("conformance", "TensorRT convolution conformance")
    group.addoption(
        "--target",
        action="append",
        default=[],
        metavar="NAME",
        help="implementation under test: tensorrt, tensorrt_rtx, onnxruntime, numpy, a full name, or "
        "path/to/file.py:Class; repeatable; by default every one that works on this machine",
    )
    group.addoption(
        "--case", action="append", default=[], metavar="GLOB", help="only cases whose id matches; repeatable"
    )
    group.addoption("--require-gpu", action="store_true", help="fail, rather than go on, where there is no GPU")
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
        help="how many generated cases there are (default: smoke), and how large the padding truth table is (default: "
        "ci, and smoke on TensorRT 8, which infers slowly)",
    )
    group.addoption("--large", action="store_true", help="run the cases of very large tensors too")
    group.addoption("--latency", action="store_true", help="run the timed cases too, and time them")
    group.addoption(
        "--latency-mode",
        action="append",
        default=[],
        choices=MODES,
        help="what to time; repeatable; by default graph on a GPU, host on a CPU",
    )
    group.addoption("--cold-l2", action="store_true", help="empty the caches before each sample")
    group.addoption(
        "--latency-limit",
        type=float,
        default=Plan.limit_s,
        metavar="SECONDS",
        help="sampling of one case ends after this, precise or not (default: %(default)g)",
    )
    group.addoption(
        "--tactics",
        choices=TACTICS,
        default="default",
        help="how long TensorRT looks for kernels: builder_optimization_level 1, its own, or 5",
    )
    group.addoption(
        "--builders",
        type=_count,
        metavar="N",
        help=f"engines built at once, ahead of the tests; 0 builds each when its test runs (default: one a CPU, "
        f"{MOST_BUILDERS} at most)",
    )
    group.addoption("--no-cache", action="store_true", help="neither use nor write built engines and tactics' timings")
    group.addoption(
        "--cache-dir",
        dest="engine_cache_dir",
        metavar="DIR",
        help="where built engines and tactics' timings are kept (default: trt-conformance in the user's cache folder)",
    )
    group.addoption(
        "--cache-limit",
        type=_within(0, 1e6),
        default=CACHE_LIMIT / 2**30,
        metavar="GIB",
        help="size of the built engines kept, least recently used removed first (default: %(default)g)",
    )
    group.addoption(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="run the I-th of N parts, each with its own cases; `trt-conformance merge` puts their records together",
    )
    group.addoption("--record-root", default=str(RUNS), metavar="DIR", help="where the run's record is written")
    group.addoption("--no-record", action="store_true", help="write no run record")
    group.addoption(
        "--progress",
        choices=CHOICES,
        default="auto",
        help="while the suite runs, show in place of dots: one line in place on a terminal and nothing new elsewhere "
        "(auto, the default), now and then a plain line (plain), nothing new (off); -v and -s turn it off",
    )


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of builders")
    return int(text)


def _within(low: float, high: float) -> Callable[[str], float]:
    """Reads a number of that range."""

    def number(text: str) -> float:
        with suppress(ValueError):
            if low <= float(text) <= high:
                return float(text)
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {low:g} to {high:g}")

    return number


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RUN] = Run(config)
    if not config.getoption("latency"):
        return
    if config.getoption("numprocesses", None):
        raise pytest.UsageError("--latency times one thing after another: run it without -n")
    limit, allowed = config.getoption("latency_limit"), config.getoption("time_limit")
    if not 0 < limit < allowed:
        raise pytest.UsageError(f"--latency-limit {limit:g} must lie between 0 and --time-limit, {allowed:g}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("cases")
    if marker is None:
        return
    run = metafunc.config.stash[RUN]
    run.prepare()
    if run.fault is not None:
        return
    selection = marker.args[0]
    if selection == GENERATED:
        parametrize_generated(metafunc, run)
        return
    cases = [case for case in run.cases if SELECTIONS[selection](case)]
    if "subject" not in metafunc.fixturenames:
        parametrize(metafunc, "case", cases, [case.id for case in cases])
        return
    needs = NEEDS[marker.kwargs.get("needs", "nothing")]
    targets = [target for target in run.targets if needs(target)]
    alone = len(run.targets) == 1

    def name_of(case: Case, target: Target) -> str:
        return case.id if alone else f"{case.id}-{target.name}"

    if marker.kwargs.get("relations", False):
        chosen = [(name, (case, target)) for name, case in choose(cases) for target in targets]
        ids = [f"{name}-{name_of(*pair)}" for name, pair in chosen]
        parametrize(metafunc, ("relation", "subject"), chosen, ids, indirect=["subject"])
        return
    pairs = [(case, target) for target in targets for case in cases]
    parametrize(metafunc, "subject", pairs, [name_of(*pair) for pair in pairs], indirect=True)
    modes = metafunc.config.getoption("latency_mode")
    if "timing" in metafunc.fixturenames and modes:
        metafunc.parametrize("timing", list(dict.fromkeys(modes)), indirect=True)


def parametrize_generated(metafunc: pytest.Metafunc, run: Run) -> None:
    """The generated cases by their ids, on each target."""
    pairs = [(name, target) for name in run.generated for target in run.targets]
    ids = run.generated if len(run.targets) == 1 else [f"{name}-{target.name}" for name, target in pairs]
    parametrize(metafunc, "subject", pairs, ids, indirect=True)


def parametrize(
    metafunc: pytest.Metafunc,
    names: str | tuple[str, ...],
    values: Sequence[Any],
    ids: Sequence[str],
    indirect: bool | list[str] = False,
) -> None:
    """As pytest's, but a test without a value is left out rather than skipped."""
    if values:
        metafunc.parametrize(names, values, ids=ids, indirect=indirect)
    else:
        metafunc.config.stash[RUN].without_values.add(metafunc.definition.nodeid)


def _end_on_bad_input(config: pytest.Config) -> None:
    """Show what was wrong with what the user gave, and end with exit code 2 before anything runs."""
    fault = config.stash[RUN].fault
    if fault is not None:
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line(f"\n{fault}")
        pytest.exit("bad input: nothing was run", returncode=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what times anything, where that is not asked for; let the checks of a case follow each other."""
    _end_on_bad_input(config)
    run = config.stash[RUN]
    timing = [item for item in items if "timing" in getattr(item, "fixturenames", ())]
    if timing and not run.is_timing:
        config.hook.pytest_deselected(items=timing)
    left_out = run.without_values | (set() if run.is_timing else {item.nodeid for item in timing})
    items[:] = [item for item in items if item.nodeid not in left_out]

    items[:] = arranged(items, pool.size_of(config))
    shard: Shard | None = config.getoption("shard")
    if shard is not None:
        items[:], others = shard.choose(items, run.ids)
        config.hook.pytest_deselected(items=others)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and any(subject_of(item) for item in items):
        terminal.showfspath = False  # the module changes with every check: its name would stand on every line


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look ahead among the tests that are left (-k, --lf and others choose after us).

    They and the cases live to the end of the run: the garbage collector need not look at them again and again.
    """
    run = session.config.stash[RUN]
    run.lookahead = Lookahead(session.items, run.made)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Iterator[Run]:
    """The run's cases, targets and engines."""
    held = pytestconfig.stash[RUN]
    yield held
    held.close()


@pytest.fixture
def catalog(run: Run) -> Catalog:
    """Every case and claim."""
    return run.catalog


@pytest.fixture
def subject(request: pytest.FixtureRequest, run: Run) -> Subject:
    """The test's case on its target."""
    from harness.golden import read_generated, read_reference

    case, target = request.param
    run.foresee(request.node)
    if isinstance(case, str):
        return Subject(run.made(case), run.engines(target), read_generated, _diagnosis)
    golden = computed_reference if case.latency else read_reference
    return Subject(case, run.engines(target), golden, _diagnosis)


def _diagnosis(*wrong: Any) -> Sequence[Named]:
    """As `harness.diagnosis` does; its mutants are made once something is wrong."""
    from harness.diagnosis import diagnosis

    return diagnosis(*wrong)


@pytest.fixture
def timing(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How to time, as the options say: the arguments of `check_latency`."""
    option = request.config.getoption
    return {
        "mode": getattr(request, "param", None),
        "cold_l2": option("cold_l2"),
        "limit_s": option("latency_limit"),
    }


@pytest.fixture
def find(catalog: Catalog) -> Callable[[str], Case]:
    """A case by its full id."""

    def find(case_id: str) -> Case:
        found = catalog.find(case_id)
        assert found is not None, case_id
        return found

    return find


@pytest.fixture
def judge(request: pytest.FixtureRequest, run: Run) -> Callable[..., None]:
    """Record a verdict, and pass, fail, skip or xfail the test by it. A test of several checks names each."""

    def judge(found: Verdict, check: str = "") -> None:
        __tracebackhide__ = True
        check = check or request.function.__name__.removeprefix("test_")
        found = run.expectations.apply(replace(found, check=check))
        if found.is_fault:
            found = replace(found, figures={**found.figures, "rerun": _rerun(request.node, found)})
        request.node.stash.setdefault(VERDICTS, []).append(found)
        if found.known:
            pytest.xfail(f"known difference {found.known}: {found.message.splitlines()[-1].strip()}")
        if found.is_fault:
            pytest.fail(f"{found.message}\n  rerun: {found.figures['rerun']}", pytrace=False)
        if found.status != "pass":
            pytest.skip(f"{found.status}: {found.message}")

    return judge


def _rerun(node: pytest.Item, found: Verdict) -> str:
    target = "" if found.target == REFERENCE else f" --target {_target_option(node, found.target)}"
    name = node.name
    if target and name.endswith(f"-{found.target}]"):
        name = name.removesuffix(f"-{found.target}]") + "]"
    tier = node.config.getoption("tier")
    asked = f" --tier {tier}" if tier else ""
    return f'pytest "{relative(Path(node.path))}::{name}"{target}{asked}'


def _target_option(node: pytest.Item, name: str) -> str:
    """How the target was asked for, if by file; its name otherwise."""
    for spec in node.config.getoption("target"):
        if ".py:" in spec and len(node.config.getoption("target")) == 1:
            return str(spec)
    return name


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell pytest-xdist's worker where the run keeps its engines."""
    node.workerinput[pool.CACHE] = str(node.config.stash[RUN].options.cache)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if call.when == "call":
        verdicts = item.stash.get(VERDICTS, [])
        report.verdicts = [verdict.to_json() for verdict in verdicts]
        verdicts.clear()  # pytest keeps each item to the end
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workerinput"):
        return
    run = config.stash[RUN]
    config.pluginmanager.register(Controller(run), "conformance-controller")
    progress = progress_for(config)
    if progress is not None:
        config.pluginmanager.register(progress, "conformance-progress")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """In pytest-xdist's controller, whose workers have started meanwhile: say bad input once, not once a worker."""
    config = session.config
    if pool.is_controller(config):
        config.stash[RUN].prepare()
        _end_on_bad_input(config)


def pytest_report_header(config: pytest.Config) -> str:
    return f"conformance: cases in {relative(ROOT / 'cases')}"
