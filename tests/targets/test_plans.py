"""Engines from the cache and from builders that work ahead are those that a build on the spot gives."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.helpers import make_case
from tests.support.plans import Builder, case, plans, target
from tests.support.suite import suite_catalog
from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.tensorrt.build import Built
from trt_conformance.targets.tensorrt.build_cache import BuildCache
from trt_conformance.targets.tensorrt.exclusion import Exclusion, Gate
from trt_conformance.targets.tensorrt.plans import Plans


def test_the_cache_serves_the_second_run(tmp_path):
    log: list[tuple[str, str, str]] = []
    first = plans(log, cached=DiskCache(tmp_path, 2**20)).get(case(1))
    again = plans(log, cached=DiskCache(tmp_path, 2**20)).get(case(1))
    assert first.content == again.content
    assert (first.origin["engine"], again.origin["engine"]) == ("built", "cached")
    assert len([entry for entry in log if entry[0] == "begin"]) == 1


def test_cases_that_are_slow_to_build_leave_the_other_threads_to_other_cases():
    log: list[tuple[str, str, str]] = []
    slow = [make_case(id=f"example/slow_{n}", epilogue=[{"op": op}]) for n, op in enumerate(("silu", "tanh"))]
    held = Plans([Builder(log, 0.01) for _ in range(4)], BuildCache(None), {}, Exclusion(GpuLock(None)), slow=True)
    held.expect([*slow, case(1), case(2)])
    assert {each.id: held.get(each).origin["engine"] for each in (*slow, case(1))} == dict.fromkeys(
        [*(each.id for each in slow), case(1).id], "built"
    )
    held.close()
    threads = {name: thread for what, name, thread in log if what == "begin"}
    own = threads[slow[0].id]
    assert own not in (threads[case(1).id], threads.get(case(2).id))
    # The second is either begun by the same thread, or, where it is asked for first, by the thread that asks.
    assert threads[slow[1].id] in (own, threading.main_thread().name)


def test_a_damaged_engine_is_rebuilt_and_reported(tmp_path):
    held = plans([], cached=DiskCache(tmp_path, 2**20))
    held.get(case(1))
    damage(tmp_path, held.key(case(1)))
    found = held.get(case(1))
    assert found.origin["engine"] == "built"
    assert "corrupt" in found.origin["cache"]
    assert held.get(case(1)).origin["engine"] == "cached"


def test_a_cached_engine_that_does_not_load_is_rebuilt_and_reported(tmp_path):
    class Another(Builder):
        def load(self, content, case):
            if not self.log:
                raise Refused("run", "the version of the library is another")

    plans([], cached=DiskCache(tmp_path, 2**20)).get(case(1))
    log: list[tuple[str, str, str]] = []
    held = Plans([Another(log)], BuildCache(DiskCache(tmp_path, 2**20)), {"version": "1"}, Exclusion(GpuLock(None)))
    found = held.get(case(1))
    assert found.origin["engine"] == "built"
    assert "does not load; rebuilding it: the version of the library" in found.origin["cache"]
    assert held.get(case(1)).origin["engine"] == "cached"


def damage(folder, name):
    (path,) = folder.rglob(name)
    path.write_bytes(path.read_bytes()[:-3])


def test_a_damaged_engine_is_rebuilt_by_its_caller_where_no_builder_was_ready(tmp_path):
    plans([], cached=DiskCache(tmp_path, 2**20)).get(case(1))
    log: list[tuple[str, str, str]] = []
    held = plans(log, builders=1, cached=DiskCache(tmp_path, 2**20))
    damage(tmp_path, held.key(case(1)))
    held.expect([case(1)])
    assert "corrupt" in held.get(case(1)).origin["cache"]
    held.close()
    assert ("begin", case(1).id, threading.main_thread().name) in log


def test_builders_are_made_once_something_has_to_be_built(tmp_path):
    log: list[tuple[str, str, str]] = []
    first = plans(log, builders=2, cached=DiskCache(tmp_path, 2**20))
    first.expect([case(1)])
    first.get(case(1))
    assert [what for what, _, _ in log if what.startswith("ready")] == ["ready to build"] * 3
    log.clear()
    again = plans(log, builders=2, cached=DiskCache(tmp_path, 2**20))
    again.expect([case(1)])
    again.expect([case(1)])
    assert again.define(case(1)) and again.get(case(1))
    assert [what for what, _, _ in log] == ["ready to load"] * 3
    again.expect([case(2)])
    assert [what for what, _, _ in log].count("ready to build") == 3
    first.close()
    again.close()


def test_what_keeps_a_builder_from_being_created_is_reported_to_the_caller():
    class Broken(Builder):
        def prepare(self, to_build):
            raise RuntimeError("no builder")

    held = Plans([Broken([]), Broken([])], BuildCache(None), {}, Exclusion(GpuLock(None)))
    held.expect([case(1)])
    for ask in (held.get, held.define):
        with pytest.raises(RuntimeError, match="no builder"):
            ask(case(1))
    held.close()


def test_nothing_is_inside_while_builders_are_made():
    """One that is made while another thread is inside TensorRT may wait for it for ever."""
    inside, done = threading.Event(), threading.Event()

    class Careful(Builder):
        def prepare(self, to_build):
            assert inside.is_set() == done.is_set()

        def build(self, definition, case):
            inside.set()
            time.sleep(0.1)
            done.set()
            return Built(b"", {})

    held = Plans([Careful([]), Careful([])], BuildCache(None), {}, Exclusion(GpuLock(None)))
    held.expect([case(1)])
    assert inside.wait(5)
    held._can_build = False
    held.prepare()
    held.close()


WRONG = {"kernel": {"shape": [1, 1, 6, 3], "fill": "ones"}}


def test_a_refusal_is_remembered_and_says_so(tmp_path):
    log: list[tuple[str, str, str]] = []
    for remembered in (False, True):
        held = plans(log, cached=DiskCache(tmp_path, 2**20))
        with pytest.raises(Refused, match="no implementation") as refused:
            held.get(make_case(**WRONG))
        assert (refused.value.phase, refused.value.remembered) == ("build", remembered)
    assert [what for what, _, _ in log].count("begin") == 1
    assert held.define(make_case(**WRONG)).output_shape == (1, 1, 4, 6)


def test_a_refusal_to_build_is_none_of_the_network(tmp_path):
    """Entries are removed one by one."""
    held = plans([], cached=DiskCache(tmp_path, 2**20))
    with pytest.raises(Refused, match="no implementation"):
        held.get(make_case(**WRONG))
    (facts,) = tmp_path.rglob("*.network")
    facts.unlink()
    assert held.define(make_case(**WRONG)).output_shape == (1, 1, 4, 6)


def test_what_is_unsupported_may_be_stated_as_a_refusal_later(tmp_path):
    stated = suite_catalog().find("builds/chw4_of_float32-fp32")
    with pytest.raises(Unsupported, match="TensorFormats"):
        target(cache=tmp_path).build(stated.model_copy(update={"reject": None}))
    with pytest.raises(Refused, match="TensorFormats"):
        target(cache=tmp_path).build(stated)


def test_that_a_version_lacks_something_is_remembered(tmp_path):
    kept = BuildCache(DiskCache(tmp_path, 2**20))
    kept.store_refusal("ab", Unsupported("no such format"))
    found = BuildCache(DiskCache(tmp_path, 2**20)).refusal("ab")
    assert isinstance(found, Unsupported) and found.remembered and str(found) == "no such format"


@pytest.mark.parametrize(
    "refusal",
    [
        Refused("build", "no implementation\nskipping tactic 3 due to insufficient memory on requested size of 5"),
        Refused("build", "1: [wrapper.cpp] Error Code 1: Cuda Runtime (an illegal address was encountered)"),
        Refused("run", "the engine did not load"),
    ],
)
def test_a_refusal_whose_cause_may_pass_is_not_remembered(tmp_path, refusal):
    kept = BuildCache(DiskCache(tmp_path, 2**20))
    kept.store_refusal("ab", refusal)
    assert kept.refusal("ab") is None and not kept.has_build("ab")


def test_what_a_network_reported_is_stored_whole(tmp_path):
    kept = BuildCache(DiskCache(tmp_path, 2**20))
    facts = target().define(make_case(set={"stride_nd": [2, 1]}))
    kept.store_network("ab", facts)
    assert facts.attributes["stride_nd"] == [2, 1]
    assert kept.network("ab") == facts


def test_that_memory_was_short_is_part_of_a_refusal():
    from trt_conformance.targets.tensorrt.api import Api

    api = Api("tensorrt_rtx", has_gpu=False)
    level = api.trt.ILogger.Severity
    api.logger.log(level.WARNING, "Skipping tactic 0x0 due to insufficient memory on requested size of 7 detected.")
    api.logger.log(level.WARNING, "something else")
    assert len(api.take_shortages()) == 1 and api.take_shortages() == ()
    assert api.take_errors() == ()


def test_a_shortage_of_an_earlier_build_is_not_part_of_a_refusal():
    refused = suite_catalog().find("builds/chw4_of_float32-fp32")
    held = target()
    held._api.logger.log(held._api.trt.ILogger.Severity.WARNING, "insufficient memory on requested size of 7")
    with pytest.raises(Refused, match="TensorFormats") as refusal:
        held.build(refused)
    assert "insufficient" not in refusal.value.message


def test_builds_ahead_in_other_threads_and_drops_what_is_not_expected():
    log: list[tuple[str, str, str]] = []
    held = plans(log, builders=2, delay=0.05)
    cases = [case(number) for number in range(1, 7)]
    held.expect(cases)
    found = [held.get(c).content.decode() for c in cases[:2]]
    assert found == [c.id for c in cases[:2]]
    assert all(thread.startswith("builder") for what, _, thread in log if what == "begin")
    held.expect([])
    held.close()
    begun = [name for what, name, _ in log if what == "begin"]
    assert len(begun) == len(set(begun)) <= 4


def test_what_waits_in_the_queue_is_built_at_once_by_who_asks():
    log: list[tuple[str, str, str]] = []
    held = plans(log, builders=1, delay=0.05)
    held.expect([case(1), case(2), case(3)])
    assert held.get(case(3)).content.decode() == case(3).id
    (thread,) = (thread for what, name, thread in log if what == "begin" and name == case(3).id)
    assert thread == threading.main_thread().name
    held.close()


def test_a_refusal_ahead_belongs_to_its_case():
    refused = make_case(id="example/refused", kernel={"shape": [1, 1, 6, 3], "fill": "ones"})
    held = plans([], builders=2)
    held.expect([case(1), refused, case(2)])
    assert held.get(case(1)).content
    with pytest.raises(Refused, match="no implementation for example/refused"):
        held.get(refused)
    assert held.get(case(2)).content
    held.close()


def test_nothing_is_built_while_something_is_timed():
    log: list[tuple[str, str, str]] = []
    held = plans(log, builders=2, delay=0.05)
    held.expect([case(number) for number in range(1, 9)])
    with held._exclusion.alone():
        before = list(log)
        time.sleep(0.2)
        assert log == before
        begun = [name for what, name, _ in before if what == "begin"]
        assert sorted(begun) == sorted(name for what, name, _ in before if what == "end")
    held.get(case(8))
    held.close()
    assert len(log) > len(before)


def test_the_gate_waits_for_those_inside():
    gate, inside, seen = Gate(), threading.Event(), []

    def build():
        with gate.open():
            inside.set()
            time.sleep(0.1)
            seen.append("built")

    thread = threading.Thread(target=build)
    thread.start()
    inside.wait()
    with gate.closed():
        seen.append("timed")
    thread.join()
    assert seen == ["built", "timed"]


def test_each_thread_reads_its_own_errors():
    """Accepted and refused cases, built by several threads: each gets its own messages, and no others."""
    held = target(builders=3)
    wrong = [make_case(id=f"example/wrong_{n}", kernel={"shape": [1, 1, 7 + n, 3], "fill": "ones"}) for n in range(6)]
    groups = make_case(id="example/groups", set={"num_groups": 3}, kernel={"shape": [3, 1, 3, 3], "fill": "ones"})
    right = [case(n) for n in range(1, 4)]
    order = [wrong[0], right[0], groups, wrong[1], right[1], wrong[2], wrong[3], right[2], wrong[4], wrong[5]]
    one_by_one = target()
    expected = [said(one_by_one, one) for one in order]
    assert [text == "" for text in expected] == [one in right for one in order]
    assert len({text for text in expected if text}) == 7
    held.expect(order)
    assert [said(held, one) for one in order] == expected
    held.close()


def said(held, one):
    try:
        assert held.build(one).plan.content
    except Refused as refusal:
        return refusal.message
    return ""


def test_an_error_logged_by_the_first_logger_belongs_to_the_thread_that_caused_it():
    from trt_conformance.targets.tensorrt.api import Api

    first = target()._api
    severity = first.trt.ILogger.Severity.ERROR
    first.take_errors()

    def other():
        mine = Api("tensorrt_rtx", has_gpu=False)
        first.logger.log(severity, "of the other thread")
        return mine.take_errors()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(other).result() == ("of the other thread",)
    assert first.take_errors() == ()
    with ThreadPoolExecutor(1) as pool:  # a thread of TensorRT's own
        pool.submit(first.logger.log, severity, "of nobody").result()
    assert first.take_errors() == ("of nobody",)
