"""Which targets are timed in passing, of what, and what a run says of the cost."""

import math
import re

import pytest

from tests.support.helpers import make_case, run_pytest
from tests.support.runs import verdict
from trt_conformance.checks.subject import Subject
from trt_conformance.core.check_names import QUICK_LATENCY
from trt_conformance.core.errors import ConformanceError
from trt_conformance.golden.computed import computed_reference
from trt_conformance.results.record.record import read_record
from trt_conformance.results.summary import timing, timing_lines
from trt_conformance.runner.options import RunOptions, check_options
from trt_conformance.runner.quick_latencies import QuickLatencies
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget


class Config:
    """A pytest configuration with so many processes."""

    def __init__(self, processes=None):
        self.processes = processes

    def getoption(self, name, default=None):
        return self.processes


class Lacking(NumpyTarget):
    def supports(self, case):
        return "it has no such feature"


class Named:
    def __init__(self, name):
        self.name = name


@pytest.mark.parametrize(
    ("asked", "processes", "name", "wanted"),
    [
        (None, None, "tensorrt-8.6.1-sm90", True),
        (None, None, "torch-2.11-cudnn9-sm90", True),
        (None, None, "tensorrt_rtx-1.7.1-aot", False),
        (None, None, "onnxruntime-1.32-cpu", False),
        (None, None, "mine", False),
        (None, 2, "tensorrt-8.6.1-sm90", True),
        ("quick", None, "onnxruntime-1.32-cpu", True),
        ("off", None, "tensorrt-8.6.1-sm90", False),
        ("full", None, "tensorrt-8.6.1-sm90", False),
    ],
)
def test_which_targets_are_timed(asked, processes, name, wanted):
    assert QuickLatencies(Config(processes), RunOptions(latency=asked)).wanted(Named(name)) is wanted


def test_parallel_tests_would_disturb_a_full_one():
    with pytest.raises(pytest.UsageError, match="--latency=full cannot be combined with -n"):
        check_options(RunOptions(latency="full"), 2)
    for latency in ("quick", "off", None):
        check_options(RunOptions(latency=latency), 2)


def test_several_processes_take_turns_only_on_a_gpu():
    gpu, cpu = Named("tensorrt-8.6.1-sm90"), Named("onnxruntime-1.32-cpu")
    asked = RunOptions(latency="quick")
    with pytest.raises(ConformanceError, match=r"cannot be combined with -n on onnxruntime-1\.32-cpu"):
        QuickLatencies(Config(2), asked).check([gpu, cpu])
    QuickLatencies(Config(2), asked).check([gpu])
    QuickLatencies(Config(1), asked).check([cpu])
    QuickLatencies(Config(2), RunOptions()).check([gpu, cpu])


@pytest.mark.parametrize("status", ["unsupported", "not run"])
def test_nothing_to_time_is_no_verdict(status):
    quick = QuickLatencies(Config(), RunOptions(latency="quick"))
    found = verdict(status=status)
    quick.note(found)

    class Held:
        target = Named(found.target)

    subject = Subject(type("Case", (), {"id": found.case}), Held, None)
    with pytest.raises(pytest.skip.Exception, match=f"nothing to time: {status}"):
        quick.take(subject)


def test_what_it_cost():
    mine = [
        verdict(check=QUICK_LATENCY, phase="latency", figures={"cost_s": 0.5, "uncertainty": error})
        for error in (0.01, 0.02, 0.03)
    ]
    mine.append(verdict(check=QUICK_LATENCY, phase="latency", status="not run", figures={"cost_s": 0.5}))
    verdicts = [verdict(), *mine]
    assert timing(verdicts, 40.0) == {"taken": 3, "not_taken": 1, "seconds": 2.0, "run_s": 40.0}
    said = "quick latencies: 3 in 2.0 s, 5.0 % of this run; 1 not taken; median standard error 2.0 %"
    assert timing_lines(verdicts, 40.0) == [said]
    errors = (0.5, math.inf, math.inf, math.inf)
    wide = [verdict(check=QUICK_LATENCY, figures={"uncertainty": error}) for error in errors]
    # Those without a known error are not left out, which would make the others' median that of all.
    assert "median standard error 3.0 %" in timing_lines([*mine, *wide[:2]], 40.0)[0]
    assert "standard error" not in timing_lines([*mine[:2], *wide], 40.0)[0]
    assert timing([verdict()], 40.0) == {}
    assert timing_lines([verdict()], 40.0) == []


CASES = ("--target", "onnxruntime", "--case", "stride_nd/h2_w2-fp32", "--case", "layer/*f3*fp32")


def test_values_that_were_not_judged_are_judged_first():
    """As where this check alone was selected."""
    quick = QuickLatencies(Config(), RunOptions(latency="quick"))
    assert quick.take(Subject(make_case(), Engines(NumpyTarget()), computed_reference)).status == "pass"
    with pytest.raises(pytest.skip.Exception, match="nothing to time: unsupported"):
        quick.take(Subject(make_case(), Engines(Lacking()), computed_reference))


def test_a_run_states_its_cost(tmp_path):
    files = [f"cases/test_{name}.py" for name in ("forward", "sweep", "quick_latency")]
    done = run_pytest("-q", *files, *CASES, "--latency", "quick", f"--record-root={tmp_path}")
    assert done.returncode == 0, done.stdout
    (path,) = tmp_path.rglob("record.jsonl")
    record = read_record(path)
    forward = {v.case for v in record.verdicts if v.check == "forward" and v.status == "pass"}
    quick = [v for v in record.verdicts if v.check == QUICK_LATENCY]
    assert {v.case for v in quick} == forward
    assert len(forward) > 1
    assert all(v.status == "pass" and v.figures["effort"] == "quick" and not v.claims for v in quick)
    cost = record.end.quick_latencies
    assert (cost.taken, cost.not_taken) == (len(quick), 0)
    assert 0 < cost.seconds < cost.run_s
    assert re.search(rf"quick latencies: {len(quick)} in \d+\.\d s, \S+ % of this run", done.stdout)
    # They come last, when nothing is built.
    checks = [v.check for v in record.verdicts if v.target != "reference"]
    assert checks[-len(quick) :].count(QUICK_LATENCY) >= 1
    assert checks.index(QUICK_LATENCY) > max(i for i, check in enumerate(checks) if check == "forward")


def test_on_a_cpu_it_is_off_unless_asked_for(tmp_path):
    done = run_pytest("-q", "cases/test_quick_latency.py", *CASES, f"--record-root={tmp_path}")
    assert done.returncode == 5
    assert not list(tmp_path.rglob("record.jsonl"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--latency", "fast"], "'fast' is not one of off, quick, full"),
        (["--latency", "cases/test_latency.py"], "before a path, write --latency=full cases/test_latency.py"),
    ],
)
def test_wrong_words(words, text):
    done = run_pytest("-q", *words)
    assert done.returncode == 4
    assert text in done.stdout + done.stderr
