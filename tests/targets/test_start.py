"""Targets start while cases are read, and make ready to build where many tests will run."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests.support.helpers import make_case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.runner.build_options import BuildOptions
from trt_conformance.runner.options import RunOptions
from trt_conformance.targets.isolation.proxy import TIME_LIMIT, start_target
from trt_conformance.targets.options import Options

SLOW = ROOT / "tests" / "doubles" / "slow.py"


@pytest.mark.parametrize(("eager", "state"), [(True, "warm"), (False, "cold")])
def test_an_eager_target_warms_up_before_it_is_asked(eager, state):
    target = start_target(f"{SLOW}:Starting", True, TIME_LIMIT, Options(eager=eager))()
    try:
        assert target.name == "starting"
        assert target.supports(make_case()) == state
    finally:
        target.close()


def test_starting_does_not_wait_for_the_target(tmp_path, monkeypatch):
    """Two targets that open only once a file exists are started before it does. Waiting for either would end here."""
    monkeypatch.setenv("AWAITED", str(tmp_path / "awaited"))
    started = [start_target(f"{SLOW}:Awaiting", True, TIME_LIMIT, Options()) for _ in range(2)]
    (tmp_path / "awaited").touch()
    for target in [opened() for opened in started]:
        target.close()


def test_a_fault_while_warming_up_is_left_to_the_first_use():
    target = start_target(f"{SLOW}:FailsToWarm", True, TIME_LIMIT, Options(eager=True))()
    try:
        assert target.supports(make_case()) is None
    finally:
        target.close()


def test_what_keeps_a_target_from_opening_is_reported_when_it_is_opened():
    started = start_target(f"{SLOW}:Missing", True, TIME_LIMIT, Options())
    with pytest.raises(ConformanceError, match="the file has no class Missing; it has "):
        started()


def test_a_target_is_started_from_a_script_that_does_not_guard_its_main_part(tmp_path, monkeypatch):
    """The target's process must not run the script again, nor import pytest where that is the main module."""
    main = ModuleType("__main__")
    main.__file__ = str(tmp_path / "script.py")
    (tmp_path / "script.py").write_text("raise SystemExit('run again')")
    monkeypatch.setitem(sys.modules, "__main__", main)
    start_target(f"{SLOW}:Starting", True, TIME_LIMIT, Options())().close()
    assert sys.modules["__main__"] is main


@pytest.mark.parametrize(
    ("given", "many"),
    [
        ({}, True),
        ({"args": ["cases/test_forward.py"]}, True),
        ({"args": ["cases/test_forward.py::test_forward[example/values-fp32]"]}, False),
        ({"case": ["stride_nd/*"]}, False),
        ({"keyword": "h2_w2"}, False),
        ({"collectonly": True}, False),
        ({"numprocesses": 2}, False),
        ({"numprocesses": 2, "workerinput": {"workercount": 2}}, True),
    ],
)
def test_eager_is_a_process_that_runs_many_tests(given, many):
    option = {"keyword": "", "collectonly": False, "numprocesses": None} | given
    config = SimpleNamespace(getoption=lambda name, default=None: option.get(name, default), args=given.get("args", []))
    if "workerinput" in given:
        config.workerinput = given["workerinput"]
    options = RunOptions(cases=tuple(given.get("case", ())), builders=2)
    assert BuildOptions(config, options).for_targets.eager is many
