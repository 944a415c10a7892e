"""Each derived relation holds for a right convolution and says no to a wrong one."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.checks.metamorphic import RELATIONS, check_metamorphic
from trt_conformance.checks.metamorphic_cases import FLOATS, QUANTIZED, choose
from trt_conformance.checks.relations import MOST_PARTS, sample
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.core.types import DATA_TYPE, QUANTIZED_PRECISIONS
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

CHOSEN = choose(suite_catalog().cases)


def chosen(name):
    return [case for relation, case in CHOSEN if relation == name]


class Wrong(NumpyTarget):
    """NumPy's target with ``change(case, x, y)`` for its outputs."""

    def __init__(self, change):
        self._change = change

    def build(self, case):
        engine = super().build(case)
        right = engine.run

        def run(feeds):
            y = right(feeds)[OUTPUT]
            return {OUTPUT: np.asarray(self._change(case, feeds[INPUT], y.copy())).astype(y.dtype)}

        engine.run = run
        return engine


def judge(name, case, target):
    return check_metamorphic(Subject(case, Engines(target), reference), name)


def plus_one(y, index):
    y[index] += y.dtype.type(1)
    return y


def second_image(case, x, y):
    return plus_one(y, slice(1, 2))


def last_image_of_several(case, x, y):
    return plus_one(y, slice(-1, None)) if len(y) > 1 else y


def dynamic_shapes(case, x, y):
    return plus_one(y, -1) if case.dynamic else y


def optimum_above_the_input(case, x, y):
    return plus_one(y, -1) if case.dynamic and case.dynamic.opt != x.shape else y


def groups_in_another_order(case, x, y):
    return np.roll(y, 1, axis=1) if case.attributes.groups > 1 else y


def modes(case, x, y):
    return y if case.attributes.mode == "EXPLICIT_ROUND_DOWN" else np.flip(y, axis=-1)


def slices_in_another_order(case, x, y):
    return np.flip(y, axis=2) if case.spatial_rank == 3 else y


def weights(way):
    return lambda case, x, y: plus_one(y, -1) if case.weights == way else y


def negative_clipped(case, x, y):
    return np.maximum(y, y.dtype.type(0))


def magnitude(case, x, y):
    return np.abs(y)


def large_clipped(case, x, y):
    top = np.abs(y).max()
    return np.clip(y, -top / 4, top / 4)


def column(case, x, y):
    return y + np.arange(y.shape[-1]) % 2


def row(case, x, y):
    return y + (np.arange(y.shape[-2]) % 2)[:, None]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("identical_rows", second_image),
        ("batch_of_one", last_image_of_several),
        ("static_as_dynamic", dynamic_shapes),
        ("narrow_as_wide_profile", optimum_above_the_input),
        ("groups_as_slices", groups_in_another_order),
        ("mode_as_explicit_padding", modes),
        ("depth_1_as_slices", slices_in_another_order),
        ("constructor_as_setters", weights("setters")),
        ("constructor_as_set_input", weights("set_input")),
        ("multiple_of_input", negative_clipped),
        ("multiple_of_input", magnitude),
        ("sum_of_inputs", negative_clipped),
        ("sum_of_inputs", large_clipped),
        ("shifted_input", column),
        ("shifted_input", row),
    ],
)
def test_relation_says_no(name, change):
    found = Counter(judge(name, case, Wrong(change)).status for case in chosen(name))
    assert set(found) <= {"pass", "fail"}
    assert found["fail"] > found["pass"]


@pytest.mark.parametrize(("name", "case"), CHOSEN, ids=[f"{name}-{case.id}" for name, case in CHOSEN])
def test_relation_says_yes(name, case):
    found = judge(name, case, NumpyTarget())
    assert (found.status, found.figures) == ("pass", {"relation": name}), found.message


def test_every_relation_is_tested_here():
    (marker,) = (m for m in test_relation_says_no.pytestmark if m.name == "parametrize")
    assert {name for name, _ in marker.args[1]} == set(RELATIONS)


def test_a_wrong_shape_is_a_failure():
    def shorter(case, x, y):
        return y[..., :-1] if case.weights == "setters" else y

    found = judge("constructor_as_setters", chosen("constructor_as_setters")[0], Wrong(shorter))
    assert found.status == "fail"
    assert "shape" in found.message


def test_the_message_names_the_relation_and_the_place():
    case = chosen("batch_of_one")[0]
    message = judge("batch_of_one", case, Wrong(last_image_of_several)).message
    assert "by the relation batch_of_one" in message
    assert f"(n={case.input.shape[0] - 1}, k=" in message


class Counting(NumpyTarget):
    """Counts the runs of all its engines; the image (or map) ``wrong`` of an output of several is off by one."""

    def __init__(self, axis, wrong=None):
        self.runs, self._axis, self._wrong = 0, axis, wrong

    def build(self, case):
        engine = super().build(case)
        right = engine.run

        def run(feeds):
            self.runs += 1
            y = right(feeds)[OUTPUT]
            if self._wrong is not None and y.shape[self._axis] > self._wrong:
                y[(slice(None),) * self._axis + (self._wrong,)] += y.dtype.type(1)
            return {OUTPUT: y}

        engine.run = run
        return engine


ONE_BY_ONE = {"kernel": {"shape": [1, 1, 1, 1], "fill": "exact_integers"}, "exact": True}
MANY_IMAGES = {"input": {"shape": [65_540, 1, 1, 1], "fill": "exact_integers"}} | ONE_BY_ONE
MANY_GROUPS = {
    "input": {"shape": [1, 1000, 1, 1], "fill": "exact_integers"},
    "kernel": {"shape": [2000, 1, 1, 1], "fill": "exact_integers"},
    "set": {"num_groups": 1000},
    "exact": True,
}


@pytest.mark.parametrize(
    ("name", "fields", "axis", "said"),
    [
        ("batch_of_one", MANY_IMAGES, 0, "a sample of 64 of the 65540 images was checked"),
        ("groups_as_slices", MANY_GROUPS, 1, "a sample of 64 of the 1000 groups was checked"),
    ],
)
def test_of_many_parts_a_stated_sample_is_run(name, fields, axis, said):
    case = make_case(source="a test", **fields)
    right = Counting(axis)
    found = judge(name, case, right)
    assert (found.status, found.message) == ("pass", said)
    assert right.runs == MOST_PARTS + 1
    last = case.input.shape[0] - 1 if axis == 0 else case.kernel.shape[0] - 1
    wrong = judge(name, case, Counting(axis, last))
    assert wrong.status == "fail"
    assert f"{'nk'[axis]}={last}" in wrong.message
    assert said in wrong.message


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 100, 65_540])
def test_a_sample_is_small_spread_and_has_both_ends(count):
    taken = sample(count)
    assert len(taken) == len(set(taken)) == min(count, MOST_PARTS)
    assert (taken[0], taken[-1]) == (0, count - 1)
    assert all(b - a <= -(-count // 63) for a, b in pairwise(taken))
    assert taken == sorted(taken)


def test_what_a_target_cannot_do_is_unsupported():
    class NothingDynamic(NumpyTarget):
        def supports(self, case):
            return "shapes are constants here" if case.dynamic else None

    found = judge("static_as_dynamic", chosen("static_as_dynamic")[0], NothingDynamic())
    assert (found.status, found.message) == ("unsupported", "shapes are constants here")


@pytest.mark.parametrize("name", RELATIONS)
def test_choice_is_small_and_wide(name):
    cases = chosen(name)
    floats = [case for case in cases if not case.quantize]
    assert FLOATS <= len(floats) <= FLOATS + len(DATA_TYPE)
    assert all(sum(case.precision == precision for case in cases) <= QUANTIZED for precision in QUANTIZED_PRECISIONS)
    assert {case.precision for case in floats} == set(DATA_TYPE) - set(QUANTIZED_PRECISIONS)
    assert len({case.id for case in cases}) == len(cases)


@pytest.mark.parametrize("precision", QUANTIZED_PRECISIONS)
def test_choice_includes_quantized_cases_wherever_a_relation_fits_them(precision):
    without = {name for name in RELATIONS if not any(case.precision == precision for case in chosen(name))}
    assert without == {"constructor_as_setters", "constructor_as_set_input", "multiple_of_input", "sum_of_inputs"}


def test_choice_is_the_same_each_time():
    again = choose(suite_catalog().cases)
    assert [(name, case.id) for name, case in again] == [(name, case.id) for name, case in CHOSEN]


def test_choice_of_nothing_is_empty():
    assert choose([]) == []
    assert choose([make_case()]) == []


def test_derived_cases_are_exact_valid_and_have_ids_of_their_own():
    data = {}
    for name, case in CHOSEN:
        for step in RELATIONS[name](case).steps:
            assert inexact(step.case) is None
            assert step.is_exact
            assert step.case.id.endswith(f"-{case.precision}")
            type(step.case).model_validate(step.case.model_dump())
            engine = (step.case.kernel, step.case.set, step.case.weights, step.case.dynamic, step.case.network_shape)
            assert data.setdefault(step.case.id, engine) == engine


def test_an_inexact_step_is_seen():
    case = make_case(
        input={"shape": [2, 1, 6, 9], "fill": "uniform"}, kernel={"shape": [1, 1, 3, 3], "fill": "uniform"}
    )
    assert not RELATIONS["batch_of_one"](case).whole.is_exact
