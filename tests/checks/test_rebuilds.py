"""Many engines of one case: which choices are reported, and what makes them a fault."""

import pytest

from tests.doubles import tactics as doubles
from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.rebuilds.rebuilt import judge_rebuilds
from trt_conformance.checks.rebuilds.runs import EveryTactic, Judging, RebuildRuns
from trt_conformance.checks.rebuilds.tactics import judge_tactics, list_tactics
from trt_conformance.checks.rebuilds.trial import Trial, try_build, try_tactic
from trt_conformance.core.verdict import Verdict
from trt_conformance.golden import read_reference
from trt_conformance.golden.computed import computed_reference
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import Tactic, TacticChoices
from trt_conformance.targets.worker_pool import WorkerPool

CASE = make_case()


def unknown(verdict: Verdict) -> Verdict:
    return verdict


def trial(kernel="a", status="pass", sha="1" * 16, **figures):
    return Trial(status=status, kernel=kernel, kernels=("reformat", kernel), output_sha256=sha, **figures)


def judging(target, known=unknown):
    def rerun(case):
        return f"trt-conformance rebuild --case {case.id}"

    return Judging(target.name, computed_reference, known, lambda case: False, rerun)


def test_choices_are_counted_with_their_bits_and_latencies():
    trials = [
        trial(latency_s=10e-6, mode="graph", build_s=0.5, fraction=0.1),
        trial(latency_s=11e-6, mode="graph", build_s=0.5, fraction=0.3),
        trial("b", sha="2" * 16, latency_s=21e-6, mode="graph", build_s=0.5, fraction=0.2),
    ]
    found = judge_rebuilds(trials, 3)
    assert found.status == "pass"
    kinds = "3 builds, 2 choices of GPU kernels (2+1), 2 different outputs"
    assert found.lines == [f"{kinds}, the slowest choice takes 100 % longer than the fastest"]
    figures = found.figures["rebuild"]
    assert (figures["times"], figures["built"], figures["ran"], figures["outputs"]) == (3, 3, 3, 2)
    first, second = figures["choices"]
    assert (first["kernels"], first["count"], first["fraction"]) == (["reformat", "a"], 2, 0.3)
    assert first["latencies_s"] == [10e-6, 11e-6]
    assert second["outputs"] == ["2" * 16]
    assert figures["spread_of_choices"] == pytest.approx(1.0)
    assert figures["spread_within_a_choice"] == pytest.approx(0.1)


def test_one_choice_has_no_spread_of_choices():
    figures = judge_rebuilds([trial(latency_s=1e-5)] * 2, 2).figures["rebuild"]
    assert "spread_of_choices" not in figures
    assert figures["spread_within_a_choice"] == 0


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "fallback"], "fallback"),
        (["pass", "fail", "pass"], "fail"),
        (["fail", "error"], "error"),
        (["pass", "refused"], "fail"),
        (["known", "pass"], "fail"),
        (["not run"], "not run"),
        (["unsupported"], "unsupported"),
        ([], "not run"),
    ],
)
def test_the_worst_build_is_the_verdict(statuses, expected):
    assert judge_rebuilds([trial(status=status) for status in statuses], 3).status == expected


def test_a_not_finite_fraction_is_the_largest():
    found = judge_rebuilds([trial(fraction=0.5), trial(fraction="nan")], 2)
    assert found.figures["rebuild"]["choices"][0]["fraction"] == "nan"


def test_builds_that_the_time_did_not_suffice_for_are_counted():
    assert judge_rebuilds([trial()], 20).lines[0].startswith("1 of 20 builds, 1 choice of GPU kernels")


def test_a_build_is_judged_by_the_bound_and_timed():
    found = try_build(CASE, NumpyTarget(), computed_reference, unknown, timed=True)
    assert found.status == "pass"
    assert found.mode == "host"
    assert found.latency_s > 0
    assert len(found.output_sha256) == 16
    assert try_build(CASE, NumpyTarget(), computed_reference, unknown, timed=False).latency_s is None


@pytest.mark.parametrize(
    ("tactic", "status", "said"),
    [
        (doubles.RIGHT, "pass", ""),
        (doubles.WRONG, "fail", "beyond the bound"),
        (doubles.REFUSED, "refused", "Could not find any implementation"),
        (doubles.IGNORED, "not run", "chose another tactic"),
    ],
)
def test_each_tactic_is_judged(tactic, status, said):
    found = try_tactic(CASE, doubles.Tactics(), tactic, computed_reference, unknown)
    assert found.status == status
    assert said in found.message


def test_a_wrong_tactic_is_a_fault_of_the_case_and_names_itself():
    target = doubles.Tactics()
    choices = target.tactics(CASE)
    trials = {one: try_tactic(CASE, target, one, computed_reference, unknown) for one in choices.offered}
    found = judge_tactics(choices, trials)
    assert found.status == "fail"
    first = "3 of 5 tactics ran (60 %), 1 fail, 1 refused, 1 not used by the builder, 3 different GPU kernels"
    assert found.lines[:4] == [
        first,
        "1 not run: Could not find any implementation for node convolution.",
        "1 not run: the builder chose another tactic",
        "tactic 0x0000000000000003 of 0x00000000800000a1 (kernel_3):",
    ]
    figures = found.figures["tactics"]
    assert (figures["listed"], figures["ran"], figures["chosen"]) == (5, 3, doubles.RIGHT.tactic)
    assert [one["status"] for one in figures["trials"]] == ["pass", "pass", "fail", "refused", "not run"]
    assert [one["is_chosen"] for one in figures["trials"]] == [True, False, False, False, False]


def test_tactics_that_are_left_are_not_called_run():
    choices = TacticChoices(doubles.OFFERED)
    found = judge_tactics(choices, {doubles.RIGHT: trial()})
    assert found.lines == ["1 of 5 tactics ran (20 %), 4 left when the time limit was reached, 1 different GPU kernel"]
    assert [one["status"] for one in found.figures["tactics"]["trials"]] == ["pass"] + ["not tried"] * 4
    assert judge_tactics(choices, {}).status == "not run"


def test_a_crash_is_an_error_of_the_case():
    found = judge_tactics(TacticChoices(doubles.OFFERED), {doubles.RIGHT: trial(), doubles.SLOW: trial(status="error")})
    assert found.status == "error"


def test_the_order_of_tactics_is_the_cases_own():
    first = list_tactics(CASE, doubles.Tactics())
    assert first == list_tactics(CASE, doubles.Tactics())
    assert sorted(first.offered, key=str) == sorted(doubles.OFFERED, key=str)
    others = [list_tactics(make_case(id=f"example/number_{n}"), doubles.Tactics()).offered for n in range(5)]
    assert len({first.offered, *others}) > 1


def test_a_target_that_lists_nothing_is_unsupported():
    found = list_tactics(CASE, NumpyTarget())
    assert isinstance(found, Finding)
    assert (found.status, found.lines) == ("unsupported", ["the target does not list its tactics"])


def test_a_target_whose_list_fails_has_an_error():
    class Broken(doubles.Tactics):
        def tactics(self, case):
            raise ZeroDivisionError("no list")

    found = list_tactics(CASE, Broken())
    assert (found.status, found.lines) == ("error", ["ZeroDivisionError: no list"])


def test_every_build_of_every_case_counts():
    cases = [CASE, make_case(id="example/other")]
    target = doubles.Fickle()
    with WorkerPool(lambda: target, 1) as pool:
        found = list(RebuildRuns(cases, 4, judging(target), timed=False).run(pool))
    assert {verdict.case for verdict in found} == {case.id for case in cases}
    choices = [choice["count"] for verdict in found for choice in verdict.figures["rebuild"]["choices"]]
    assert sum(choices) == 8
    assert {verdict.check for verdict in found} == {"rebuild"}


def test_a_rare_wrong_build_fails_the_case_and_says_how_to_repeat_it():
    target = doubles.FickleAndWrong()
    with WorkerPool(lambda: target, 1) as pool:
        (found,) = RebuildRuns([CASE], 8, judging(target), timed=False).run(pool)
    assert found.status == "fail"
    assert "2 of 8 builds wrong" in found.message
    assert found.figures["rerun"] == f"trt-conformance rebuild --case {CASE.id}"


def test_a_known_difference_marks_the_verdict_only_if_every_fault_is_known():
    def known(verdict):
        return Verdict(**{**vars(verdict), "known": "as_reported"})

    target = doubles.FickleAndWrong()
    with WorkerPool(lambda: target, 1) as pool:
        (found,) = RebuildRuns([CASE], 4, judging(target, known), timed=False).run(pool)
    assert (found.status, found.known) == ("fail", "as_reported")


def test_every_tactic_of_every_case_is_tried():
    cases = [CASE, make_case(id="example/other")]
    target = doubles.Tactics()
    work = EveryTactic(cases, judging(target))
    with WorkerPool(lambda: target, 2) as pool:
        assert list(work.find_tactics(pool)) == []
        found = list(work.run(pool))
    assert (work.listed, work.ran, work.cases_listed) == (10, 6, 2)
    assert [verdict.status for verdict in found] == ["fail", "fail"]
    assert {verdict.check for verdict in found} == {"tactics"}


FEW = make_case(id="example/few")


def test_the_cases_with_the_fewest_tactics_are_completed_first():
    class Unequal(doubles.Tactics):
        def tactics(self, case):
            few = doubles.OFFERED[:2] if case.id == FEW.id else doubles.OFFERED
            return TacticChoices(few, doubles.RIGHT)

        def build_with(self, case, tactic):
            built.append((case.id, tactic))
            return super().build_with(case, tactic)

    built: list[tuple[str, Tactic]] = []
    work = EveryTactic([CASE, FEW], judging(Unequal()))
    with WorkerPool(Unequal, 1) as pool:
        assert list(work.find_tactics(pool)) == []
        found = list(work.run(pool))
    assert [case for case, _ in built] == [FEW.id] * 2 + [CASE.id] * 5
    assert [verdict.case for verdict in found] == [FEW.id, CASE.id]


def test_a_case_that_is_listed_and_not_built_is_reported_so_and_its_tactics_are_tried():
    target = doubles.Unbuilt()
    work = EveryTactic([CASE], judging(target))
    with WorkerPool(lambda: target, 1) as pool:
        (found,) = [*work.find_tactics(pool), *work.run(pool)]
    said = "Could not find any implementation for node convolution."
    assert found.status == "pass"
    assert f"with every tactic allowed, the builder built nothing: {said}" in found.message
    assert (found.figures["tactics"]["refusal"], found.figures["tactics"]["ran"]) == (said, 2)


def test_a_target_with_threads_is_told_what_comes_next():
    class Told(doubles.Fickle):
        def __init__(self):
            super().__init__()
            self.expected, self.asked = [], []

        def expect(self, cases):
            self.expected.append([case.id for case in cases])
            raise ZeroDivisionError("reported by the build that needs it")

        def expect_tactics(self, asked):
            self.asked.append(asked)

    cases, target = [CASE, make_case(id="example/other")], Told()
    with WorkerPool(lambda: target, 1) as pool:
        assert len(list(RebuildRuns(cases, 2, judging(target), timed=False, ahead=1).run(pool))) == 2
        assert target.expected[0] == [CASE.id, cases[1].id, CASE.id]
        work = EveryTactic(cases, judging(target), ahead=1)
        assert list(work.find_tactics(pool)) == []
        assert target.asked[0] == [(case, None) for case in cases]
        list(work.run(pool))
        assert target.asked[-1] == [(cases[1], target.asked[-1][0][1])]
        assert isinstance(target.asked[-1][0][1], Tactic)


def test_reasons_are_counted_over_all_cases():
    target = doubles.Tactics()
    work = EveryTactic([CASE, make_case(id="example/other")], judging(target))
    with WorkerPool(lambda: target, 1) as pool:
        list(work.find_tactics(pool))
        assert work.reasons == {"the time limit was reached": 10}
        list(work.run(pool))
    refused, another = "Could not find any implementation for node convolution.", "the builder chose another tactic"
    assert work.reasons == {refused: 2, another: 2}
    assert (work.tried, work.ran) == (10, 6)


def test_no_time_leaves_a_verdict_for_each_case():
    target = doubles.Tactics()
    work = EveryTactic([CASE], judging(target))
    with WorkerPool(lambda: target, 1, budget_s=-1) as pool:
        found = [*work.find_tactics(pool), *work.run(pool)]
    assert [(verdict.status, verdict.message) for verdict in found] == [
        ("not run", "the time limit was reached before its tactics were listed")
    ]
    with WorkerPool(lambda: target, 1, budget_s=-1) as pool:
        (built,) = RebuildRuns([CASE], 2, judging(target), timed=False).run(pool)
    assert built.status == "not run"


def test_stored_goldens_judge_the_suites_own_cases():
    case = suite_catalog().find("stride_nd/h2_w2-fp32")
    assert try_build(case, NumpyTarget(), read_reference, unknown, timed=False).status == "pass"


def test_an_expectation_of_the_check_itself_is_met():
    def known(verdict):
        return Verdict(**{**vars(verdict), "known": "rare_kernel"}) if verdict.check == "tactics" else verdict

    target = doubles.Tactics()
    work = EveryTactic([CASE], judging(target, known))
    with WorkerPool(lambda: target, 1) as pool:
        found = [*work.find_tactics(pool), *work.run(pool)]
    assert [(verdict.status, verdict.known) for verdict in found] == [("fail", "rare_kernel")]
