"""A crash, a hang or exhausted memory costs one case; the others, and the record, are whole."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.doubles.misbehaving import (
    Aborts,
    CrashesAhead,
    CrashesWhenBuilding,
    Exhausts,
    Exits,
    Hangs,
    Segfaults,
    Sticky,
)
from tests.support.helpers import make_case, run_pytest
from trt_conformance.checks.subject import Subject
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.core.tensors import feeds_of
from trt_conformance.golden import expected_result
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import Refused, TargetCrashed, TargetFault, TargetHung, TargetLost
from trt_conformance.targets.isolation.proxy import MOST_REMEMBERED, IsolatedTarget, open_target
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import Target, offers

MISBEHAVING = ROOT / "tests" / "doubles" / "misbehaving.py"
VICTIM = "stride_nd/h2_w1-fp32"


CAUSES = {
    Segfaults: "SIGSEGV",
    Aborts: "SIGABRT",
    Exits: "exit code 3",
    Hangs: "no answer within 10 s",
    Exhausts: "MemoryError",
    Sticky: "cudaErrorIllegalAddress",
    CrashesWhenBuilding: "SIGSEGV",
    CrashesAhead: "SIGSEGV",
}


@pytest.fixture(scope="module")
def broken_run(tmp_path_factory):
    """One run of all these targets: what it printed, and the lines of its record."""
    folder = tmp_path_factory.mktemp("broken")
    targets = [word for broken in CAUSES for word in ("--target", f"{MISBEHAVING}:{broken.__name__}")]
    options = ["--case", "stride_nd/*", *targets, "--time-limit", "10", f"--record-root={folder}"]
    done = run_pytest("cases/test_forward.py", "-q", *options)
    assert done.returncode == 1, done.stdout
    (record,) = folder.rglob("record.jsonl")
    return done.stdout, [json.loads(line) for line in record.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "cause"), CAUSES.items(), ids=[broken.__name__ for broken in CAUSES])
def test_costs_one_case(broken_run, broken, cause):
    printed, lines = broken_run
    lines = [line for line in lines if line["kind"] != "verdict" or line["target"] == broken.name]
    verdicts = [line for line in lines if line["kind"] == "verdict" and line["check"] == "forward"]
    (victim,) = [v for v in verdicts if v["case"] == VICTIM]
    assert victim["status"] == "error"
    assert victim["phase"] == ("build" if broken in (CrashesWhenBuilding, CrashesAhead) else "run")
    assert cause in victim["message"]
    if cause.startswith(("SIG", "no answer")):
        assert "(misbehaving.py:" in victim["message"]
    again = [line for line in lines if line.get("case") == VICTIM and line["check"] == "printed"]
    assert [v["message"] for v in again] == [victim["message"]]
    others = [v for v in verdicts if v["case"] != VICTIM]
    assert len(others) == 5
    assert {v["status"] for v in others} == {"pass"}
    assert lines[-1]["kind"] == "end"
    assert "Traceback" not in printed


def test_proxy_keeps_the_protocols():
    target = open_target(f"{MISBEHAVING}:Segfaults")
    try:
        assert isinstance(target, Target)
        engine = target.build(make_case())
        assert not offers(engine, "execution_modes")
        with pytest.raises(Refused) as refusal:
            target.build(make_case(kernel={"shape": [1, 1, 9, 3], "fill": "ones"}))
        assert refusal.value.phase == "network"
        assert "image size is smaller than filter size" in refusal.value.message
    finally:
        target.close()


def test_engines_survive_their_worker():
    target = IsolatedTarget(f"{MISBEHAVING}:Segfaults")
    try:
        case = make_case()
        feeds = feeds_of(case)
        engine = target.build(case)
        before = engine.run(feeds)["output"]
        victim = target.build(case.model_copy(update={"id": VICTIM}))
        with pytest.raises(TargetCrashed, match="SIGSEGV"):
            victim.run(feeds)
        assert (engine.run(feeds)["output"] == before).all()
        engine.close()
        engine.close()
    finally:
        target.close()


def test_a_crash_beside_a_build_ahead_is_not_blamed_on_what_was_asked():
    """The worker dies of a build that was not requested yet: the call is repeated; and later costs its own case."""
    target = open_target(f"{MISBEHAVING}:CrashesAhead")
    try:
        case, victim = make_case(), make_case().model_copy(update={"id": VICTIM})
        engine = target.build(case)
        target.expect([victim])
        time.sleep(0.5)
        assert engine.run(feeds_of(case))["output"].shape == (1, 1, 4, 7)
        before = target.generation
        target.expect([victim])  # no longer trusted, so not even told
        time.sleep(0.2)
        engine.run(feeds_of(case))
        assert target.generation == before
        with pytest.raises(TargetCrashed, match=f"SIGSEGV.*{VICTIM}"):
            target.build(victim)
    finally:
        target.close()


def test_a_crash_beside_a_network_is_not_blamed_on_it():
    target = open_target(f"{MISBEHAVING}:CrashesAhead")
    try:
        target.expect([make_case().model_copy(update={"id": VICTIM})])
        assert target.define(make_case()).output_shape == (1, 1, 4, 7)
        assert target.generation == 1
    finally:
        target.close()


def test_a_run_that_has_begun_is_repeated_if_a_build_ahead_crashes():
    target = open_target(f"{MISBEHAVING}:CrashesAhead")
    try:
        case = make_case()
        engine = target.build(case)
        target.expect([case.model_copy(update={"id": VICTIM})])
        outputs = engine.begin_run(feeds_of(case))
        time.sleep(0.5)
        assert np.array_equal(outputs()["output"], engine.run(feeds_of(case))["output"])
        with pytest.raises(TargetCrashed, match="SIGSEGV"):
            target.build(case.model_copy(update={"id": VICTIM}))
    finally:
        target.close()


@pytest.mark.parametrize(("broken", "kind"), [("Segfaults", TargetCrashed), ("Sticky", TargetLost)])
def test_a_run_that_has_begun_and_breaks_is_reported_when_it_is_waited_for(broken, kind):
    target = open_target(f"{MISBEHAVING}:{broken}")
    try:
        case, victim = make_case(), make_case().model_copy(update={"id": VICTIM})
        outputs = target.build(victim).begin_run(feeds_of(victim))
        with pytest.raises(kind):
            outputs()
        assert target.build(case).run(feeds_of(case))["output"].shape == (1, 1, 4, 7)
    finally:
        target.close()


def test_what_breaks_beside_a_run_leaves_no_answer_behind():
    target = open_target(f"{MISBEHAVING}:Segfaults")
    try:
        case = make_case()
        subject = Subject(case, Engines(target), expected_result)

        def work():
            raise ValueError("no golden")

        with pytest.raises(ValueError, match="no golden"):
            subject.run_beside(case, 0, work)
        outputs, found = subject.run_beside(case, 0, lambda: "done")
        assert (outputs["output"].shape, found, target.generation) == ((1, 1, 4, 7), "done", 0)
    finally:
        target.close()


@pytest.mark.parametrize("what", ["run", "infer_shapes"])
def test_what_a_hanging_worker_does_not_read_is_not_sent_for_ever(what):
    """Nor is a list of many small things."""
    target = IsolatedTarget(f"{MISBEHAVING}:HangsWhenClosed")
    try:
        engine, other = target.build(make_case()), target.build(make_case())
        target.time_limit = 2  # only for the call that hangs
        other.close()
        ask = {
            "run": lambda: engine.run({"input": np.zeros(2**22)}),
            "infer_shapes": lambda: target.infer_shapes([(n, str(n)) for n in range(2**18)]),
        }
        with pytest.raises(TargetHung, match=rf"(?s)no answer within 2 s.*{what}.*<lambda> \(misbehaving.py"):
            ask[what]()
    finally:
        target.close()


def test_a_case_that_is_expected_is_sent_once():
    """Where another case has its id, that one is sent."""
    target = open_target(f"{MISBEHAVING}:KnowsItsCases")
    try:
        case = make_case()
        other = case.model_copy(update={"doc": "another case of the same name"})
        target.expect([case])
        assert target.define(case).warnings == ("expected",)
        assert target.define(other).warnings == ("not expected",)
        target.close()
        assert target.define(case).warnings == ("not expected",)
    finally:
        target.close()


def test_a_new_worker_is_sent_what_the_old_one_was_sent():
    target = open_target(f"{MISBEHAVING}:SegfaultsExpecting")
    try:
        case, other = make_case(), make_case().model_copy(update={"id": "example/other"})
        victim = case.model_copy(update={"id": VICTIM})
        target.expect([case, other])
        for one in (case, other):  # once asked for, they are not blamed for what breaks later
            target.build(one)
        engine = target.build(victim)
        with pytest.raises(TargetCrashed, match="SIGSEGV"):
            engine.run(feeds_of(victim))
        assert target.build(case).run(feeds_of(case))["output"].shape == (1, 1, 4, 7)
        target.expect([case, other])
        target.expect([other])
        assert target.supports(other) is None
    finally:
        target.close()


def test_hang_is_killed():
    target = IsolatedTarget(f"{MISBEHAVING}:Hangs")
    try:
        case = make_case().model_copy(update={"id": VICTIM})
        engine = target.build(case)
        target.time_limit = 2  # only for the call that hangs
        with pytest.raises(TargetHung, match=r"no answer within 2 s.*run"):
            engine.run({})
    finally:
        target.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_worker_that_hangs_does_not_outlive_its_parent():
    program = f"""
from trt_conformance.targets.isolation.proxy import IsolatedTarget
from tests.support.helpers import make_case
case = make_case().model_copy(update={{"id": {VICTIM!r}}})
engine = IsolatedTarget({f"{MISBEHAVING}:Hangs"!r}, time_limit=600).build(case)
print("built", flush=True)
engine.run({{}})
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "built\n"
        children = [
            int(pid) for path in Path(f"/proc/{parent.pid}/task").glob("*/children") for pid in path.read_text().split()
        ]
        workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert workers
        time.sleep(0.5)  # the run is sent, and hangs
        parent.kill()
    ended = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < ended:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("spec", "isolated", "text"),
    [
        ("tensorflow", True, "no such target"),
        ("tensort", False, "did you mean tensorrt"),
        ("numpy-1", False, "this machine has numpy"),
        (f"{MISBEHAVING}:Nothing", False, "has no class Nothing"),
        ("nowhere.py:Target", False, "there is no file nowhere.py"),
        (f"{Path(__file__)}:alive", True, "raised TypeError"),
    ],
)
def test_unknown_targets_are_named(spec, isolated, text):
    """The message is the same from the target's own process."""
    with pytest.raises(ConformanceError, match=text):
        open_target(spec, isolated)


def test_what_breaks_when_an_engine_is_closed_is_reported_by_the_next_call():
    target = open_target(f"{MISBEHAVING}:BreaksWhenClosed")
    try:
        case = make_case()
        engine = target.build(case)
        engine.run(feeds_of(case))
        engine.close()
        with pytest.raises(TargetFault, match="RuntimeError: the memory is gone"):
            target.build(case)
        assert target.build(case).run(feeds_of(case))
    finally:
        target.close()


def test_what_is_supported_is_asked_ahead_and_remembered_within_a_limit():
    target = open_target(f"{MISBEHAVING}:CountsQuestions")
    try:
        cases = [make_case(id=f"example/case_{number}") for number in range(300)]
        target.expect(cases[:8])
        assert [target.supports(case) for case in cases[:8]] == [f"question {n}" for n in range(8)]
        assert target.supports(cases[8]) == target.supports(cases[8]) == "question 8"
        for case in cases:
            target.supports(case)
        assert len(target._supported) <= MOST_REMEMBERED + 1
        assert target.supports(make_case(id="example/case_299", doc="another case of the same name")) == "question 300"
    finally:
        target.close()


def test_a_process_sees_the_gpu_that_it_is_given(tmp_path, monkeypatch):
    double = tmp_path / "seeing.py"
    double.write_text(
        "import os\n"
        "class Seeing:\n"
        "    name = 'seeing'\n"
        "    visible = os.environ.get('CUDA_VISIBLE_DEVICES')\n"
        "    def supports(self, case):\n"
        "        return f'sees {self.visible}'\n"
        "    def build(self, case):\n"
        "        raise AssertionError\n"
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    for options, seen in ((Options(gpu="3"), "sees 3"), (Options(), "sees 7")):
        target = open_target(f"{double}:Seeing", options=options)
        assert target.supports(make_case()) == seen
        target.close()
