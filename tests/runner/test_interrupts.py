"""Ctrl-C and SIGTERM end a run, even where Python loses the exception, and leave nothing behind."""

import signal
import weakref
from types import SimpleNamespace

import pytest

from tests.support.interrupted_runs import Interrupted, faults_of, interrupted_runs
from tests.support.runs import record
from trt_conformance.results.record.record import Record, save_record
from trt_conformance.results.record.schema import EndLine
from trt_conformance.runner.interrupts import SIGNALS, Interrupts


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_interrupts_the_run(handlers, number):
    interrupts = Interrupts()
    interrupts.install()
    interrupts.pytest_runtest_protocol()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    interrupts.restore()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", SIGNALS)
def test_one_that_python_discards_is_raised_by_the_next_test(handlers, number):
    class Value:
        pass

    interrupts = Interrupts()
    interrupts.install()
    value = Value()
    reference = weakref.ref(value, lambda _: signal.raise_signal(number))
    del value
    assert reference() is None
    with pytest.raises(KeyboardInterrupt):
        interrupts.pytest_runtest_logfinish()
    interrupts.restore()


def test_an_ignored_signal_stays_ignored(handlers):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts = Interrupts()
    interrupts.install()
    signal.raise_signal(signal.SIGINT)
    interrupts.pytest_runtest_protocol()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    interrupts.restore()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("before", "after"), [(0, 2), (1, 2), (3, 3)])
def test_the_first_signal_after_the_last_test_changes_the_exit_code_alone(handlers, number, before, after):
    interrupts = Interrupts()
    interrupts.install()
    loop = interrupts.pytest_runtestloop()
    next(loop)
    with pytest.raises(StopIteration):
        loop.send(None)
    session = SimpleNamespace(exitstatus=before)
    interrupts.pytest_sessionfinish(session)
    assert session.exitstatus == before
    signal.raise_signal(number)
    interrupts.pytest_sessionfinish(session)
    assert session.exitstatus == after
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    interrupts.restore()


def test_a_second_signal_stops_what_an_interrupted_run_still_does(handlers):
    interrupts = Interrupts()
    interrupts.install()
    with pytest.raises(KeyboardInterrupt) as caught:
        signal.raise_signal(signal.SIGINT)
    interrupts.pytest_keyboard_interrupt(caught)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    interrupts.restore()


def test_a_traceback_without_a_line_number_is_shown(handlers):
    """Python gives an instruction of its own no line; pytest expects one."""
    code = compile("\n\nrun()", "<no lines>", "exec").replace(co_linetable=b"")

    def run():
        raise KeyboardInterrupt

    try:
        exec(code, {"run": run})
    except KeyboardInterrupt:
        found = pytest.ExceptionInfo.from_current()
    assert {None, -1} & {entry._rawentry.tb_lineno for entry in found.traceback}  # -1 is Python 3.10's
    Interrupts().pytest_keyboard_interrupt(found)
    assert "KeyboardInterrupt" in str(found.getrepr(funcargs=True))


def test_sigterm_ends_a_run_and_removes_its_cache_folder(tmp_path):
    run = Interrupted(tmp_path, workers=0, target="tests/doubles/slow.py:Stuck")
    run.wait_for(lambda: list(run.temporary.glob("trt-conformance-*")))
    assert run.interrupt(signal.SIGTERM)
    assert faults_of(run, run.wait(), was_interrupted=True) == []


@pytest.mark.slow
def test_runs_end_in_good_order_when_they_are_interrupted():
    outcomes, failed = interrupted_runs(count=4, seed=2)
    assert not failed, "\n".join(failed)
    assert outcomes["exit code 2"]


@pytest.mark.parametrize(
    ("output", "end", "code", "left", "fault"),
    [
        ("Traceback", {"exit": 2}, 2, "", "Traceback in the output"),
        ("INTERNALERROR", {"exit": 2}, 2, "", "INTERNALERROR in the output"),
        ("", {"exit": 2}, 1, "", "exit code 1"),
        ("", {"exit": 2}, None, "", "it does not end"),
        ("", None, 2, "", "the record is not closed"),
        ("", {"exit": 2, "counts": {"pass": 1}}, 2, "", "the record's counts are not those of its verdicts"),
        ("", {"exit": 2}, 2, "trt-conformance-x", "left in the temporary folder: trt-conformance-x"),
    ],
)
def test_a_run_that_does_not_end_in_good_order_is_reported(tmp_path, output, end, code, left, fault):
    (tmp_path / "temporary").mkdir()
    if left:
        (tmp_path / "temporary" / left).mkdir()
    text = f"{output}\nexit code 2: the run was interrupted\n"
    run = SimpleNamespace(folder=tmp_path, temporary=tmp_path / "temporary", text=lambda: text)
    written = record(complete=False)
    if end is not None:
        ended = EndLine(kind="end", ended="2026-11-22T13:51:31+00:00", **{"counts": {}} | end)
        written = Record(written.header, (), ended)
    save_record(tmp_path / "records", written)
    assert faults_of(run, code, was_interrupted=True) == [fault]


def test_a_record_that_cannot_be_read_is_reported(tmp_path):
    (tmp_path / "temporary").mkdir()
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "record.jsonl").write_text("{}\n")
    run = SimpleNamespace(folder=tmp_path, temporary=tmp_path / "temporary", text=lambda: "")
    (fault,) = faults_of(run, 2, was_interrupted=True)
    assert fault.startswith("the record cannot be read: ")
