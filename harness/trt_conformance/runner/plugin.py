"""pytest's door: options, the case and target of each test, verdicts, record and summary."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from trt_conformance.core.paths import ROOT, relative
from trt_conformance.runner import pool
from trt_conformance.runner.controller import Controller
from trt_conformance.runner.keys import RUN, VERDICTS
from trt_conformance.runner.lookahead import Lookahead, arranged, subject_of
from trt_conformance.runner.progress import progress_for
from trt_conformance.runner.session import Run
from trt_conformance.runner.shard import Shard


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RUN] = Run(config)
    if not config.getoption("latency"):
        return
    if config.getoption("numprocesses", None):
        raise pytest.UsageError("--latency times one thing after another: run it without -n")
    limit, allowed = config.getoption("latency_limit"), config.getoption("time_limit")
    if not 0 < limit < allowed:
        raise pytest.UsageError(f"--latency-limit {limit:g} must lie between 0 and --time-limit, {allowed:g}")


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
