"""What is built ahead is what the next checks ask for. Nothing is built while something is timed."""

import re
from types import SimpleNamespace

import pytest

from tests.support.helpers import make_case, run_pytest
from tests.support.runs import TARGET, record, verdict
from tests.support.suite import suite_catalog
from trt_conformance.catalog.sweeps.expand import Expanded
from trt_conformance.checks import metamorphic
from trt_conformance.checks.metamorphic import RELATIONS, check_metamorphic
from trt_conformance.checks.metamorphic_cases import choose
from trt_conformance.checks.subject import Subject
from trt_conformance.results.changes import between
from trt_conformance.results.record.record import read_record
from trt_conformance.runner.keys import RUN
from trt_conformance.runner.lookahead import Lookahead, arranged
from trt_conformance.runner.options import RunOptions
from trt_conformance.runner.selection import Selection
from trt_conformance.runner.session import ENOUGH, Run
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.options import Options
from trt_conformance.targets.slow_builds import is_slow_to_build


class Target:
    name = "recording"

    def __init__(self):
        self.told = []

    def supports(self, case):
        return None

    def build(self, case):
        raise NotImplementedError

    def expect(self, cases):
        self.told.append([case.id for case in cases])


def item(number, case, target, timed=False, engine=True, selection="all", **params):
    marks = {"cases": pytest.mark.cases(selection).mark} | ({} if engine else {"no_engine": pytest.mark.no_engine.mark})
    return SimpleNamespace(
        nodeid=str(number),
        callspec=SimpleNamespace(params={"subject": (case, target), **params}),
        fixturenames=["timing"] if timed else [],
        get_closest_marker=marks.get,
    )


CASES = [make_case(id=f"example/case_{n}") for n in range(6)]
IDS = [case.id for case in CASES]


def made(case_id):
    """A generated case, made when it is looked ahead to."""
    return make_case(id=case_id)


def is_slow(case):
    """A generated case says in its id that it is slow to build."""
    return "slow" in case if isinstance(case, str) else is_slow_to_build(case)


def test_the_next_cases_of_the_same_target():
    one, two = Target(), Target()
    items = [item(n, case, one) for n, case in enumerate(CASES)] + [item(9, CASES[0], two)]
    assert [c.id for c in Lookahead(items, made, is_slow).after(items[0], 3)] == IDS[:3]
    assert [c.id for c in Lookahead(items, made, is_slow).after(items[4], 3)] == IDS[4:]


def slow(name):
    return make_case(id=f"example/{name}", epilogue=[{"op": "silu"}])


def test_cases_that_are_slow_to_build_are_begun_long_before_their_tests():
    target, far = Target(), [slow("far"), slow("further")]
    cases = [slow("first"), *CASES, *far]
    items = [item(n, cases[n // 2], target) for n in range(2 * len(cases))]
    lookahead = Lookahead(items, made, is_slow)
    assert [c.id for c in lookahead.after(items[0], 2, slow=1)] == [cases[0].id, IDS[0], far[0].id]
    assert [c.id for c in lookahead.after(items[3], 1, slow=9)] == [IDS[0], far[0].id, far[1].id]
    assert [c.id for c in lookahead.after(items[-1], 1, slow=9)] == [far[1].id]


def test_generated_cases_that_are_slow_to_build_are_begun_as_early():
    target, given = Target(), []
    names = ["sweep/a-fp32", "sweep/b-fp32", "sweep/slow-fp32", "sweep/slower-fp32"]

    def counted(case_id):
        given.append(case_id)
        return made(case_id)

    items = [item(n, name, target) for n, name in enumerate(names)]
    assert [c.id for c in Lookahead(items, counted, is_slow).after(items[0], 1, slow=1)] == [names[0], names[2]]
    assert given == [names[0], names[2]]


@pytest.mark.parametrize(
    ("case_id", "expected"),
    [
        ("fused/silu-fp32", True),
        ("followed/clip-fp16", True),
        ("preceded/relu-fp32", True),
        ("joined/sum_quantized-int8", True),
        ("followed/relu-fp32", False),
        ("joined/addend-fp32", False),
        ("fused/scale-fp16", False),
        ("stride_nd/h2_w2-fp32", False),
    ],
)
def test_what_is_slow_to_build(case_id, expected):
    assert is_slow_to_build(suite_catalog().find(case_id)) == expected


def test_cases_that_a_relation_derives_are_built_ahead():
    target, case = Target(), suite_catalog().find("exact_groups/two-fp16")
    items = [item(0, case, target), item(1, case, target, relation="groups_as_slices"), item(2, CASES[0], target)]
    found = [c.id for c in Lookahead(items, made, is_slow).after(items[0], 9)]
    assert found == [case.id, "exact_groups/two_group_0-fp16", "exact_groups/two_group_1-fp16", IDS[0]]
    assert found[:3] != [c.id for c in Lookahead(items[::2], made, is_slow).after(items[0], 9)]


def test_cases_that_a_stated_relation_derives_are_built_ahead():
    target, case = Target(), suite_catalog().find("num_groups/values-tf32")
    assert "group_slices" in {relation.kind for relation in case.relations}
    judging, comparing = item(0, case, target, selection="related"), item(1, case, target)
    ids = [c.id for c in Lookahead([judging], made, is_slow).after(judging, 9)]
    assert ids[1:] == [f"num_groups/values_group_{n}-tf32" for n in range(case.attributes.groups)]
    assert [c.id for c in Lookahead([comparing], made, is_slow).after(comparing, 9)] == [case.id]


def test_derived_cases_are_derived_once_for_a_test():
    target, case = Target(), suite_catalog().find("exact_groups/two-fp16")
    items = [item(0, CASES[0], target), item(1, case, target, relation="groups_as_slices")]
    lookahead = Lookahead(items, made, is_slow)
    first, second = (lookahead.after(each, 9)[-2:] for each in items)
    assert [id(part) for part in first] == [id(part) for part in second]


@pytest.fixture(scope="module")
def case_of_relation():
    return dict(choose(suite_catalog().cases))


@pytest.mark.parametrize("name", sorted(RELATIONS))
def test_what_is_built_ahead_for_a_relation_is_what_its_check_builds(name, case_of_relation):
    case = case_of_relation[name]
    target, built = NumpyTarget(), []
    engines = Engines(target)
    build, target.build = target.build, lambda case: (built.append(case.id), build(case))[1]
    assert check_metamorphic(Subject(case, engines, None), name).status == "pass"
    assert built == list(dict.fromkeys(part.id for part in metamorphic.builds_of(name, case)))


def test_generated_cases_are_made_as_they_are_looked_ahead_to():
    target = Target()
    names = ["sweep/a-fp32", "sweep/b-fp32", "sweep/c-fp32"]
    items = [item(n, names[n // 2], target) for n in range(6)]
    given = []

    def counted(case_id):
        given.append(case_id)
        return made(case_id)

    assert [c.id for c in Lookahead(items, counted, is_slow).after(items[1], 2)] == names[:2]
    assert given == names[:2]


def test_what_builds_no_engine_or_is_timed_is_left_out():
    target = Target()
    items = [
        item(0, CASES[0], target),
        item(1, CASES[0], target),
        item(2, CASES[1], target, engine=False),
        item(3, CASES[2], target, timed=True),
        item(4, CASES[3], target),
    ]
    assert [c.id for c in Lookahead(items, made, is_slow).after(items[0], 9)] == [IDS[0], IDS[3]]


@pytest.mark.parametrize("engine", [True, False])
def test_looking_ahead_from_every_test_asks_each_test_once_what_it_needs(engine):
    asked = []

    def counted(number):
        one = item(number, CASES[number % len(CASES)], target)
        one.get_closest_marker = lambda name: asked.append(number) or (None if engine else name)
        return one

    target = Target()
    items = [counted(number) for number in range(100)]
    lookahead = Lookahead(items, made, is_slow)
    for one in items:
        assert [case.id for case in lookahead.after(one, 1, slow=1)] == (
            [one.callspec.params["subject"][0].id] if engine else []
        )
    assert asked == list(range(100))


def running(target, items, timing, builders=1):
    config = SimpleNamespace(getoption=lambda name, default=None: default)
    run = Run(config, RunOptions(latency="full" if timing else "off"))
    run.lookahead = Lookahead(items, made, is_slow)
    vars(run.builds)["for_targets"] = Options(builders=builders)
    return run


def test_a_timed_check_calls_builds_off():
    target = Target()
    items = [item(0, CASES[0], target), item(1, CASES[1], target, timed=True), item(2, CASES[2], target)]
    run = running(target, items, timing=True)
    for one in items:
        run.foresee(one)
    assert target.told == [[IDS[0], IDS[2]], [], [IDS[2]]]


def test_a_target_is_asked_to_build_ahead_once_a_case_and_never_without_builders():
    target = Target()
    items = [item(n, CASES[n // 3], target) for n in range(9)]
    run = running(target, items, timing=False)
    for one in items:
        run.foresee(one)
    assert target.told == [IDS[:3], IDS[1:3], IDS[2:3]]
    silent = Target()
    items = [item(0, CASES[0], silent)]
    running(silent, items, timing=False, builders=0).foresee(items[0])
    assert silent.told == []


def test_a_target_is_asked_again_once_less_than_enough_is_left():
    target, cases = Target(), [make_case(id=f"example/case_{n}") for n in range(9)]
    slow = [make_case(id=f"example/slow_{n}", epilogue=[{"op": "silu"}]) for n in range(9)]
    items = [item(n, case, target) for n, case in enumerate([*cases, *slow])]
    run = running(target, items, timing=False, builders=2)
    for one in items[:9]:
        run.foresee(one)
        told = [name for name in target.told[-1] if name.startswith("example/case")]
        assert one.callspec.params["subject"][0].id in told
        later = told[told.index(one.callspec.params["subject"][0].id) + 1 :]
        assert len(later) >= min(ENOUGH * 2, 8 - int(one.nodeid))
    assert len(target.told) == 3


def test_the_first_engines_are_built_while_tests_without_a_case_run():
    target = Target()
    table = item("table", None, target)
    table.callspec.params = {"table": ()}
    items = [table, item(0, CASES[0], target), item(1, CASES[1], target)]
    run = running(target, items, timing=False)
    run.foresee_first(items)
    run.foresee(items[1])
    assert target.told == [IDS[:2]]
    run.foresee_first([table])
    assert target.told == [IDS[:2]]


def test_a_worker_does_not_build_before_it_has_a_test():
    target = Target()
    items = [item(0, CASES[0], target)]
    run = running(target, items, timing=False)
    run.config.workerinput = {"workercount": 2}
    run.foresee_first(items)
    assert target.told == []


TOLD = """
from pathlib import Path
from trt_conformance.targets.numpy import NumpyTarget

class Told(NumpyTarget):
    name = "told"

    def expect(self, cases):
        with Path(__file__).with_suffix(".txt").open("a") as file:
            file.write(" ".join(case.id for case in cases) + "\\n")
"""


def test_what_is_looked_ahead_to_is_what_is_left_to_run(tmp_path):
    """-k and --lf choose after the tests have been arranged."""
    (tmp_path / "told.py").write_text(TOLD)
    options = ["--target", f"{tmp_path}/told.py:Told", "--builders", "2", "--no-record", "-q", "--case", "stride_nd/*"]
    done = run_pytest("cases/test_forward.py::test_forward", *options, "-k", "stride_nd and h2_w and fp32")
    assert done.returncode == 0, done.stdout
    names = ["stride_nd/h2_w2-fp32", "stride_nd/h2_w1-fp32"]
    assert [line.split() for line in (tmp_path / "told.txt").read_text().splitlines()] == [names, names[1:]]


def test_nothing_is_built_where_tests_are_only_listed(tmp_path):
    (tmp_path / "told.py").write_text(TOLD)
    options = ["--target", f"{tmp_path}/told.py:Told", "--builders", "2", "--no-record", "-q", "--case", "stride_nd/*"]
    done = run_pytest("cases/test_forward.py::test_forward", *options, "--collect-only")
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "told.txt").exists()


BREAKS = """
from trt_conformance.targets.numpy import NumpyTarget

class Breaks(NumpyTarget):
    name = "breaks"

    def expect(self, cases):
        raise RuntimeError("cannot look ahead")
"""


def test_what_breaks_ahead_has_a_verdict(tmp_path):
    (tmp_path / "breaks.py").write_text(BREAKS)
    options = ["--target", f"{tmp_path}/breaks.py:Breaks", "--builders", "1", "-q", "--record-root", str(tmp_path)]
    done = run_pytest("cases/test_forward.py::test_forward", *options, "--case", "stride_nd/h2_w2")
    (path,) = tmp_path.rglob("record.jsonl")
    verdicts = read_record(path).verdicts
    assert {(v.status, v.phase) for v in verdicts} == {("error", "build")}
    for found in verdicts:
        *_, error, where = found.message.splitlines()
        assert error.strip() == "RuntimeError: cannot look ahead"
        assert where.strip() == f'at expect ({tmp_path}/breaks.py:8): raise RuntimeError("cannot look ahead")'
    assert "Traceback" not in done.stdout
    assert done.stdout.splitlines()[-1] == "exit code 1: 2 checks ended in an error"
    assert not re.search(r"^\d+ .*error", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(("base", "new", "told"), [("fast", "exhaustive", True), ("fast", "fast", False)])
def test_compare_distinguishes_tactics(base, new, told):
    runs = [record(verdict(), targets={TARGET: {"version": "8.6.1", "tactics": tactics}}) for tactics in (base, new)]
    found = [(before, now) for name, before, now in between(*runs).environment if name.endswith("tactics")]
    assert found == ([(base, new)] if told else [])


def test_workers_of_one_run_get_neighbors(pytestconfig):
    from trt_conformance.runner import pool

    assert pytestconfig.stash.get(RUN, None) is not None
    for given, dist in ((2, "worksteal"), ("auto", "worksteal"), (None, "no"), (0, "no")):
        config = SimpleNamespace(option=SimpleNamespace(numprocesses=given, dist="no", distload=False))
        pool.pytest_cmdline_main(config)
        assert config.option.dist == dist
    config = SimpleNamespace(option=SimpleNamespace(numprocesses=2, dist="loadfile", distload=False))
    pool.pytest_cmdline_main(config)
    assert config.option.dist == "loadfile"


def test_what_stops_the_builders_comes_last():
    pytest.importorskip("tensorrt_rtx")
    done = run_pytest(
        "cases/test_forward.py", "--target", "onnxruntime", "--target", "tensorrt_rtx", "--collect-only", "-q",
        "--case", "stride_nd/*", "--case", "exact_groups/three*",
    )  # fmt: skip
    names = [line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line]
    first = names.index("cases/test_forward.py::test_execution_modes")
    assert set(names[first:]) == {"cases/test_forward.py::test_execution_modes"}
    assert len(names) - first > 4
    assert {"cases/test_forward.py::test_forward", "cases/test_forward.py::test_inputs"} <= set(names[:first])


@pytest.mark.slow
def test_without_a_cache_the_workers_of_a_run_share_one_that_ends_with_it(tmp_path, monkeypatch):
    pytest.importorskip("tensorrt_rtx")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    options = ["--case", "stride_nd/h2*", "--target", "tensorrt_rtx", "--no-cache", "--no-record", "-q", "-n", "2"]
    done = run_pytest("cases/test_build.py", *options)
    assert done.returncode == 0, done.stdout
    assert list(tmp_path.glob("trt-conformance-*")) == []


def test_the_tests_of_a_case_are_together_and_those_that_stop_builders_at_the_end():
    target = Target()
    free = SimpleNamespace(nodeid="free", get_closest_marker=lambda name: None)
    checks = ("forward", "execution_modes", "inputs")
    items = [item(f"t.py::test_{check}[{n}-numpy]", CASES[n], target) for check in checks for n in range(2)]
    assert [found.nodeid for found in arranged([*items, free], is_slow)] == [
        "free",
        *(f"t.py::test_{check}[{n}-numpy]" for n in range(2) for check in ("forward", "inputs")),
        *(f"t.py::test_execution_modes[{n}-numpy]" for n in range(2)),
    ]


def test_the_tests_of_cases_that_are_slow_to_build_come_after_others_of_their_phase():
    builds_ahead, other = Target(), SimpleNamespace(name="other")
    cases = [slow("first"), CASES[0], "sweep/slow-fp32", "sweep/a-fp32"]
    checks = ("forward", "execution_modes")
    names = {0: "first", 1: "plain", 2: "slow", 3: "swept"}
    for target, order in ((builds_ahead, (1, 3, 0, 2)), (other, (0, 1, 2, 3))):
        items = [item(f"t.py::test_{check}[{names[n]}]", cases[n], target) for check in checks for n in range(4)]
        assert [found.nodeid for found in arranged(items, is_slow)] == [
            f"t.py::test_{check}[{names[n]}]" for check in checks for n in order
        ]


def test_a_padding_table_is_asked_for_while_slow_cases_are_built():
    target = Target()
    items = [item(name, case, target) for name, case in (("slow", slow("first")), ("plain", CASES[0]))]
    table, free = item("table", None, target), SimpleNamespace(nodeid="free", get_closest_marker=lambda name: None)
    table.callspec.params = {"table": ()}
    ids = [found.nodeid for found in arranged([table, *items, free], is_slow)]
    assert ids == ["free", "plain", "table", "slow"]


def test_which_generated_cases_are_slow_to_build_is_known_without_making_the_others(monkeypatch):
    made_ids = []
    selection = Selection(suite_catalog(), RunOptions(tier="ci"))
    make = Expanded.case
    monkeypatch.setattr(Expanded, "case", lambda self, name: made_ids.append(name) or make(self, name))
    found = [name for name in selection.generated if selection.is_slow_to_build(name)]
    assert len(made_ids) < len(selection.generated) / 2
    assert found == [n for n in selection.generated if is_slow_to_build(suite_catalog().find(n))]
    assert any("_silu" in name or "/silu" in name for name in found)
    assert not selection.is_slow_to_build("padding/unknown")
