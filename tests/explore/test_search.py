"""The search finds what is wrong, makes it small, writes it, and is not alarmed by what is right."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.doubles.flipped import FlippedKernel
from tests.doubles.wrong_if import WrongIf
from tests.support.right import RIGHT
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.checks.repeats import check_repeats
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.tensors import OUTPUT
from trt_conformance.core.verdict import Verdict
from trt_conformance.explore import search as searching
from trt_conformance.explore.draw import Draws
from trt_conformance.explore.finds import Find, needs, without, written
from trt_conformance.explore.judge import Judge, summary
from trt_conformance.explore.layer import DrawnLayer, differing, fitted
from trt_conformance.explore.search import Search
from trt_conformance.explore.shrink import is_clean, shrunk, simpler, weight
from trt_conformance.mutants import MUTANTS
from trt_conformance.mutants.diagnosis import diagnosis
from trt_conformance.mutants.mutant import UNMUTATED, Mutant, MutantEngine, MutantTarget
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import Refused, TargetCrashed, TargetHung
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import NetworkFacts
from trt_conformance.targets.worker_pool import WorkerPool


def searched(tmp_path, target, draws=None, numbers=range(40), judge=None):
    """The search and its outcomes."""
    search = Search(draws or Draws(1), judge or Judge(), tmp_path)
    with WorkerPool(lambda: target, 1) as pool:
        return search, list(search.run(pool, numbers))


def strided_16(case):
    return 16 in case.attributes.stride


@cache
def strided():
    """The numbers of draws that begin with strides and have one of 16."""
    return [number for number in range(300) if 16 in Draws(1, "stride").layer(number).stride][:3]


def test_a_right_target_has_no_finds(tmp_path):
    search, outcomes = searched(tmp_path, NumpyTarget())
    assert len(outcomes) == 40
    assert not search.finds.known
    assert not any(outcome.is_fault for outcome in outcomes)
    assert sum(outcome.is_judged for outcome in outcomes) > 25
    assert search.reached.share > 0.2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.name)
def test_right_but_different_convolutions_have_no_finds(tmp_path, right):
    """Their sums are written in Python: only small draws are run."""
    draws, numbers = Draws(5), []
    for number in range(4000):
        layer = draws.layer(number)
        output = np.prod(layer.output_shape())
        fits = layer.precision in right.precisions and layer.input_format == "LINEAR" and layer.typing is None
        if fits and output * layer.terms < 20_000 and layer.terms < 200:
            numbers.append(number)
        if len(numbers) == 5:
            break
    search, outcomes = searched(tmp_path, right, draws, numbers)
    assert [find.verdict.message for find in search.finds.known] == []
    assert {outcome.verdict.status for outcome in outcomes} <= {"pass", "fallback"}


def test_a_find_is_the_smallest_case_and_its_file_fails_in_the_same_way(tmp_path):
    search, _ = searched(tmp_path, WrongIf(strided_16), Draws(1, "stride"), strided())
    find = search.finds.known[0]
    assert find.layer.stride.count(16) == 1
    assert find.layer.precision == "fp32"
    assert {"batch", "groups", "channels", "maps", "bias", "free", "epilogue"}.isdisjoint(differing(find.layer))
    assert np.prod(find.layer.input_shape) <= 4
    path = tmp_path / f"{find.name}.toml"
    text = path.read_text()
    assert len(text.splitlines()) <= 12
    (case,) = load_catalog(CaseFolder.at(tmp_path)).select([f"{find.name}/*"])
    assert case == find.case
    (verdict,) = Judge()(WrongIf(strided_16), case, only=find.verdict.check)
    assert (verdict.status, verdict.check) == ("fail", find.verdict.check)
    assert Judge()(NumpyTarget(), case, only=find.verdict.check)[0].status == "pass"


def test_equal_faults_are_one_find(tmp_path):
    search, outcomes = searched(tmp_path, WrongIf(lambda case: case.kernel.shape[0] > 4), numbers=range(24))
    assert sum(outcome.is_fault for outcome in outcomes) > 5
    (find,) = search.finds.known
    assert find.layer.groups * find.layer.maps == 5
    assert find.seen == sum(outcome.is_fault for outcome in outcomes)
    assert [path.name for path in tmp_path.iterdir()] == [f"{find.name}.toml"]


def test_a_fault_beside_a_frequent_one_is_found(tmp_path):
    """Draws that fail without what the first find needs have another cause."""

    def dilated(case):
        return max(case.attributes.dilation) > 4

    target = WrongIf(lambda case: case.attributes.groups > 1, dilated)
    search, _ = searched(tmp_path, target, Draws(2, "dilation"), range(24))
    needed = [differing(find.layer).keys() - {"seed", "size"} for find in search.finds.known]
    assert {"groups"} in needed
    assert any("dilation" in names and "groups" not in names for names in needed)


def test_a_refusal_and_a_crash_are_finds(tmp_path):
    class Refusing(NumpyTarget):
        def build(self, case):
            if case.attributes.groups > 3:
                raise Refused("build", f"no kernel for {case.attributes.groups} groups")
            if max(case.attributes.dilation) > 1:
                raise TargetCrashed("the process died: SIGSEGV (in build)")
            return super().build(case)

    search, _ = searched(tmp_path, Refusing(), Draws(1), range(30))
    found = {find.verdict.message.splitlines()[-1].strip(): find for find in search.finds.known}
    assert found["no kernel for 4 groups"].layer.groups == 4
    crash = next(find for text, find in found.items() if "SIGSEGV" in text)
    assert crash.verdict.status == "error"
    assert max(crash.layer.dilation) == 2


def test_a_known_difference_is_no_find(tmp_path):
    def known(verdict: Verdict, case):
        return Verdict(**(vars(verdict) | {"known": "strides"}))

    search, outcomes = searched(tmp_path, WrongIf(strided_16), Draws(1, "stride"), strided(), Judge(known))
    assert not search.finds.known
    assert any(outcome.verdict.known for outcome in outcomes)


def test_a_known_difference_that_is_told_by_its_diagnosis_is_no_find(tmp_path):
    def known(verdict: Verdict, case):
        return Verdict(**(vars(verdict) | {"known": "flipped"})) if "as if" in verdict.message else verdict

    def fits(verdict, case):
        return verdict.check == "forward"

    target = MutantTarget(next(mutant for mutant in MUTANTS if mutant.name == "kernel_flipped"))
    (tmp_path / "known").mkdir()
    search, outcomes = searched(tmp_path / "known", target, Draws(2), range(4), Judge(known, fits, diagnosis))
    assert not search.finds.known
    assert any(outcome.verdict.known == "flipped" for outcome in outcomes)
    (tmp_path / "other").mkdir()
    search, _ = searched(tmp_path / "other", target, Draws(2), range(4), Judge(known, diagnose=diagnosis))
    assert search.finds.known


class LeakingNaN(MutantEngine):
    """NaN anywhere in the first image reaches the others."""

    def run(self, feeds):
        (x,) = feeds.values()
        (y,) = super().run(feeds).values()
        if np.isnan(x[0]).any():
            y[1:] = np.nan
        return {OUTPUT: y}


def test_nan_in_another_image_is_found_in_draws_that_run_special_values(tmp_path):
    class Leaking(NumpyTarget):
        def build(self, case):
            return LeakingNaN(case, UNMUTATED)

    for content, status in (("special", "fail"), ("exact", "pass")):
        case = fitted(DrawnLayer(batch=2, size=(4, 4), window=(2, 2), content=content)).case("drawn/n")
        verdict = summary(Judge()(Leaking(), case))
        assert verdict.status == status
        assert (verdict.check == "special_values") == (status == "fail")


@pytest.mark.parametrize(
    "layer",
    [
        DrawnLayer(channels=4, maps=3, size=(6, 8), prologue=("pad", "concat"), epilogue=("relu", "max_pool")),
        DrawnLayer(channels=4, maps=3, size=(6, 8), prologue=("slice",), epilogue=("convolution",), bias=True),
        DrawnLayer("int8", channels=4, maps=3, size=(6, 8), epilogue=("relu", "add"), joined="addend", seed=1),
        DrawnLayer("int8", channels=4, maps=3, size=(6, 8), pairs="kernel"),
        DrawnLayer("int8", channels=4, maps=3, size=(6, 8), pairs="rescaled"),
        DrawnLayer("fp16", channels=4, maps=3, size=(6, 8), content="range"),
        DrawnLayer(batch=2, channels=4, maps=3, size=(6, 8), content="special"),
    ],
)
def test_the_file_of_a_find_states_its_layer(tmp_path, layer):
    layer = fitted(layer)
    path = tmp_path / "found.toml"
    case, faults = written(path, layer, Verdict("", "numpy", "compare", "fail", "1/1 elements are wrong"), "a test")
    assert faults == ()
    own = layer.case("found/smallest", source="a test")
    different = {name for name in type(case).model_fields if getattr(case, name) != getattr(own, name)}
    assert different <= {"folder", "file", "line", "section", "doc"}


class EachSixth(MutantEngine):
    runs = 0

    def run(self, feeds):
        self.runs += 1
        (y,) = super().run(feeds).values()
        return {OUTPUT: y + (self.runs % 6 == 0)}


def test_one_run_in_six_is_found_by_repeats(tmp_path):
    case = DrawnLayer(size=(4, 4), window=(2, 2)).case("drawn/n")
    target = MutantTarget(Mutant("each_sixth", "one run in six is wrong", engine=EachSixth))
    verdict = check_repeats(Subject(case, Engines(target), lambda case, index: None), 17)
    assert verdict.status == "fail"
    assert "run 6 of 17 differs in 9 of 9 elements from the first run" in verdict.message
    assert check_repeats(Subject(case, Engines(NumpyTarget()), lambda case, index: None), 17).status == "pass"
    search, _ = searched(tmp_path, target, numbers=range(3))
    assert search.finds.known[0].verdict.check == "repeats"


def test_truncated_sums_are_found_though_each_is_within_its_bound(tmp_path):
    draws = Draws(3)
    numbers = [n for n in range(200) if (case := draws.layer(n).case("drawn/n")).rounding and case.precision == "fp32"]
    truncated = next(mutant for mutant in MUTANTS if mutant.name == "fp32_sums_truncated")
    search, _ = searched(tmp_path, MutantTarget(truncated), draws, numbers[:3])
    find = search.finds.known[0]
    assert find.verdict.check == "rounding"
    assert not find.faults
    written = load_catalog(CaseFolder.at(tmp_path)).cases
    assert all(case.rounding for case in written)


def test_the_checks_of_a_draw_end_at_the_first_fault():
    case = DrawnLayer(size=(4, 4), window=(2, 2), maps=2).case("drawn/n")
    names = [verdict.check for verdict in Judge()(NumpyTarget(), case)]
    assert names == ["forward", "inputs", "repeats", "metamorphic"]
    verdicts = Judge()(FlippedKernel(), case)
    assert [verdict.check for verdict in verdicts] == ["forward"]
    assert summary(verdicts).status == "fail"


def test_relations_are_checked_less_often_where_engines_are_built():
    case = DrawnLayer(batch=2, groups=2, size=(5, 5), window=(2, 2), maps=2).case("drawn/n")

    class Defining(NumpyTarget):
        def define(self, case):
            return NetworkFacts((2, 4, 4, 4))

    last = [Judge()(Defining(), case, number)[-1] for number in range(9)]
    assert [verdict.check for verdict in last] == ["metamorphic", "repeats", "repeats"] * 3
    assert len({verdict.figures["relation"] for verdict in last[::3]}) == 3


def test_a_fault_at_the_end_of_the_time_is_made_small_for_a_moment(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(searching, "shrunk", lambda *arguments: given.append(arguments[-1]) or shrunk(*arguments))
    search = Search(Draws(1, "stride"), Judge(), tmp_path)
    search.tried(WrongIf(strided_16), strided()[0], lambda: -3.0)
    assert given == [searching.LEAST_S]


def test_a_call_that_ends_with_the_time_is_no_find(tmp_path):
    class Slow(NumpyTarget):
        def build(self, case):
            raise TargetHung("no answer within 12 s: the process was killed (in build)")

    search = Search(Draws(2), Judge(), tmp_path, shrink_s=0.0)
    assert search.tried(Slow(), 0, lambda: -0.1) is None
    assert not search.finds.known
    assert not list(tmp_path.iterdir())
    outcome = search.tried(Slow(), 0, lambda: 60.0)
    assert outcome.find.verdict.status == "error"
    assert "TargetHung: no answer within 12 s" in outcome.find.verdict.message


def test_each_relation_that_applies_comes_up_in_turn():
    case = DrawnLayer(batch=2, groups=2, size=(5, 5), window=(2, 2), maps=2).case("drawn/n")
    seen = {Judge()(NumpyTarget(), case, number)[-1].figures["relation"] for number in range(12)}
    assert len(seen) > 7
    assert Judge()(NumpyTarget(), case, "groups_as_slices", "metamorphic")[0].figures["relation"] == "groups_as_slices"


def test_simpler_layers_have_less_weight():
    layer = Draws(1).layer(7)
    candidates = list(simpler(layer))
    assert len(candidates) > 10
    assert all(weight(candidate) < weight(layer) for candidate in candidates)
    assert list(simpler(DrawnLayer())) == []


def test_shrinking_ends_at_its_budget():
    calls = []

    def attempt(case):
        calls.append(case)
        return

    given = Draws(1).layer(7)
    verdict = Verdict("drawn/n-fp32", "double", "compare", "fail", check="forward", message="wrong")
    assert shrunk(given, verdict, attempt, seconds=0.0).layer == given
    assert not calls
    found = shrunk(given, verdict, attempt)
    assert (found.layer, found.tries) == (given, len(calls))


def test_a_smallest_layer_lints_clean_where_the_drawn_one_does():
    """A single output element that is 0 would prove nothing."""
    layer = DrawnLayer(maps=6, size=(4, 4), window=(2, 2))
    target = WrongIf(lambda case: True)

    def attempt(case):
        return Judge()(target, case, only="forward")[0]

    found = shrunk(layer, attempt(layer.case("drawn/n")), attempt)
    assert found.lints
    assert is_clean(found.layer)
    assert found.layer.maps == 1


def test_what_a_layer_needs():
    smallest, layer = (
        DrawnLayer(groups=3, stride=(1, 16)),
        DrawnLayer(groups=5, channels=2, stride=(2, 17), size=(9, 9)),
    )
    assert needs(smallest, layer)
    assert needs(smallest, layer.of_rank(3))
    assert not needs(smallest, DrawnLayer(groups=2, stride=(1, 16)))
    assert not needs(DrawnLayer(precision="int8"), layer)
    assert without(smallest, layer) == DrawnLayer(channels=2, size=(9, 9))
    assert without(smallest, smallest.on_axis("stride", 0, 1)) == DrawnLayer()
    assert without(DrawnLayer(), layer) is None


def test_finds_are_equal_by_their_layer_or_their_cause():
    def find(layer, message):
        verdict = Verdict("drawn/n-fp32", "double", "compare", "fail", check="forward", message=message)
        return Find("found", layer, layer.case("drawn/n"), verdict)

    wrong = "output: {}/4 elements beyond the bound; worst at (0)\nall in the last map"
    one = find(DrawnLayer(maps=3), wrong.format(1))
    assert one.equals(find(DrawnLayer(maps=5), wrong.format(2)))
    assert one.equals(find(DrawnLayer(maps=3, seed=4), wrong.format(2) + "\nas if: another thing (thing)"))
    assert one.equals(find(DrawnLayer(maps=3, groups=2), wrong.format(2)))
    assert not find(DrawnLayer(groups=2), wrong.format(1)).equals(one)
    assert not one.equals(find(DrawnLayer(maps=5), "refused, but should be accepted:\nno"))
