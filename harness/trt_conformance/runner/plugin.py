"""The hooks of pytest that a run uses, in the order in which pytest calls them."""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any

import pytest

from trt_conformance.core.words import printable
from trt_conformance.runner import early, fixtures, options, parametrize, pool, streams
from trt_conformance.runner.benchmark_clock import make_no_empty_folder
from trt_conformance.runner.controller import Controller
from trt_conformance.runner.interrupts import Interrupts
from trt_conformance.runner.keys import RUN, VERDICTS
from trt_conformance.runner.lookahead import Lookahead, arranged, subject_of
from trt_conformance.runner.progress_choice import progress_for
from trt_conformance.runner.session import Run
from trt_conformance.targets.isolation.waiting import announce_exit


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    streams.replace_closed()
    for module in (options, parametrize, fixtures, pool):
        pluginmanager.register(module, module.__name__)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Note that the suite's options are known before pytest looks for conftest files; see `early`."""
    early.options_are_known(early_config)


def pytest_configure(config: pytest.Config) -> None:
    early.refuse_late_paths(config)
    make_no_empty_folder(config)
    given = options.read_options(config)
    options.check_options(given, config.getoption("numprocesses", None))
    config.stash[RUN] = Run(config, given)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workerinput"):
        return
    interrupts = Interrupts()
    interrupts.install()
    config.add_cleanup(interrupts.restore)  # cleanups run in reverse order: folders are removed before
    config.pluginmanager.register(interrupts, "conformance-interrupts")
    config.pluginmanager.register(Controller(config.stash[RUN]), "conformance-controller")
    progress = progress_for(config, config.stash[RUN].options.progress)
    if progress is not None:
        config.pluginmanager.register(progress, "conformance-progress")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, Any, Any]:
    """Report bad input once: before each worker of pytest-xdist does, and not as test ids that do not exist."""
    config = session.config
    if pool.is_controller(config):
        config.stash[RUN].prepare()
        _end_on_bad_input(config)
    try:
        return (yield)
    except pytest.UsageError:
        _end_on_bad_input(config)
        raise


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out timed tests unless they were requested, order the tests, and select those of this shard.

    This is done last, so that what -k and -m leave is what is divided.
    """
    _end_on_bad_input(config)
    run = config.stash[RUN]
    timing = [item for item in items if "timing" in getattr(item, "fixturenames", ())]
    if timing and not run.options.full_latency:
        config.hook.pytest_deselected(items=timing)
    left_out = run.without_values | (set() if run.options.full_latency else {item.nodeid for item in timing})
    items[:] = [item for item in items if item.nodeid not in left_out]

    items[:] = arranged(items, run.is_slow_to_build)
    shard = run.options.shard
    if shard is not None:
        items[:], others = shard.choose(items, run.selection.ids)
        run.is_empty_shard = not items and bool(others)
        config.hook.pytest_deselected(items=others)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and any(subject_of(item) for item in items):
        terminal.showfspath = False  # each check is in another module, whose name would be on every line


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start looking ahead here, since --lf and other plugins may still deselect tests before.

    The tests and cases exist until the run ends, so the garbage collector need not visit them again.
    """
    run = session.config.stash[RUN]
    if run.fault is None:  # bad input may leave no cases to select from
        run.lookahead = Lookahead(session.items, run.generated_case, run.is_slow_to_build)
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Let the first engines be built while tests without a case run."""
    run = session.config.stash[RUN]
    if run.fault is None and not session.config.option.collectonly and not session.testsfailed:
        run.foresee_first(session.items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if call.when == "call":
        verdicts = item.stash.get(VERDICTS, [])
        report.verdicts = [verdict.to_json() for verdict in verdicts]
        verdicts.clear()  # pytest does not release an item before the run ends
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the run's cache folder to a worker of pytest-xdist."""
    node.workerinput[pool.CACHE] = str(node.config.stash[RUN].builds.for_targets.cache)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the controller of pytest-xdist, which collects no tests itself, whether this shard has any."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output[pool.EMPTY] = session.config.stash[RUN].is_empty_shard


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if getattr(node, "workeroutput", {}).get(pool.EMPTY):
        node.config.stash[RUN].is_empty_shard = True


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Without isolation a target may leave threads behind that keep this process from ending."""
    run = config.stash.get(RUN, None)
    if run is not None and not run.options.isolation:
        announce_exit()


def pytest_report_header(config: pytest.Config) -> str:
    folders = config.stash[RUN].options.folders
    named = ["the suite's own cases" if folder.is_suite else f"cases in {folder.name}" for folder in folders]
    return f"conformance: {', '.join(named)}"


def _end_on_bad_input(config: pytest.Config) -> None:
    """If the user's input is wrong, report how, and end with exit code 2 before any test runs."""
    fault = config.stash[RUN].fault
    if fault is not None:
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line(f"\n{printable(str(fault))}")
        pytest.exit("bad input: nothing was run", returncode=2)
