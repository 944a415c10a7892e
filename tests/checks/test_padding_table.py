"""The padding truth table sees what it is there to see, and says it briefly."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from trt_conformance.catalog.expectations import Expectations, read_expectations
from trt_conformance.checks.padding.formulas import DEVIATIONS, stated
from trt_conformance.checks.padding.sample import (
    ids,
    sample,
)
from trt_conformance.checks.padding.table import Difference, check_fresh, check_table, describe
from trt_conformance.checks.padding.tiers import MODES, RANKS, TIERS, tier_of
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.paths import CASES
from trt_conformance.numerics.reference import blocked, shape
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import Axis
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import Configuration

SMOKE = TIERS["smoke"]
RIGHT = shape.resolve_axis


class Inferring:
    """Infers by a function of the configuration, the stated formula by default."""

    name = "fake-1.0-cpu"

    def __init__(self, infer=stated):
        self.infer = infer

    def infer_shapes(self, configurations):
        return [self.infer(c) for c in configurations]


def right(c):
    """The stated shape, whatever the formula is patched to."""
    try:
        numbers = zip(*c[:6], strict=True)
        return tuple(RIGHT(i, f, s, b, a, d, c.mode).size for i, f, s, d, b, a in numbers)
    except ValueError:
        return None


@pytest.mark.parametrize(("name", "least"), [("ci", 100_000), ("nightly", 1_000_000)])
def test_tier_sizes_with_the_four_modes_every_version_has(name, least):
    assert 4 * len(RANKS) * len(TIERS[name].axes) >= least


@pytest.mark.parametrize("tier", TIERS.values(), ids=TIERS)
def test_scattered_order_visits_every_configuration(tier):
    assert len({i * 7919 % len(tier.axes) for i in range(len(tier.axes))}) == len(tier.axes)


@pytest.mark.parametrize("rank", RANKS)
def test_every_combination_of_an_axis_is_there_and_sizes_differ(rank):
    every = list(SMOKE.configurations(rank, "SAME_UPPER"))
    axes = [tuple(zip(*c[:6], strict=True)) for c in every]
    assert set(SMOKE.axes) == {axis for several in axes for axis in several}
    assert all(len(set(c.size)) == rank for c in every)
    assert {i for c in every for i, size in enumerate(c.size) if size == 0} == set(range(rank)), "in every place"


def test_order_and_content_never_change():
    tier = TIERS["ci"]
    assert list(SMOKE.configurations(2, "SAME_LOWER")) == list(SMOKE.configurations(2, "SAME_LOWER"))
    assert tier.configuration(5000, 2, "SAME_UPPER") == ((5, 10), (2, 5), (1, 2), (1, 1), (2, 1), (0, 3), "SAME_UPPER")
    assert [c.id for c in sample(tier)] == [c.id for c in sample.__wrapped__(tier)]


def test_a_slow_target_gets_a_small_table_unless_asked():
    assert tier_of(None, "tensorrt_rtx-1.7.1-aot").name == "ci"
    assert tier_of(None, "tensorrt-8.6.1-sm90").name == "smoke"
    assert tier_of("nightly", "tensorrt-8.6.1-sm90").name == "nightly"


def test_the_stated_formula_passes():
    assert {check_table(Inferring(), SMOKE, rank, mode).status for rank in RANKS for mode in MODES} == {"pass"}


def _resized(size):
    """The formula with another output size, of (padded - DK, stride)."""

    def resolve_axis(i, f, s, b, a, d, mode):
        axis = RIGHT(i, f, s, b, a, d, mode)
        padded = i + 2 * b if mode.startswith("CAFFE") else i + b + a
        return axis._replace(size=size(i, padded - shape.extent(f, d), s, mode))

    return resolve_axis


def _floor_everywhere(i, free, s, mode):
    return (i if mode.startswith("SAME") else free) // s + (not mode.startswith("SAME"))


def _ceil_everywhere(i, free, s, mode):
    return -(-(i if mode.startswith("SAME") else free) // s) + (not mode.startswith("SAME"))


WRONG = {
    "floor instead of ceil": (
        _resized(_floor_everywhere),
        {"EXPLICIT_ROUND_UP", "CAFFE_ROUND_UP", "SAME_UPPER", "SAME_LOWER"},
    ),
    "ceil instead of floor": (_resized(_ceil_everywhere), {"EXPLICIT_ROUND_DOWN", "CAFFE_ROUND_DOWN"}),
    "window not dilated": (
        lambda i, f, s, b, a, d, mode: RIGHT(i, f, s, b, a, 1, mode),
        {mode for mode in MODES if not mode.startswith("SAME")},
    ),
    "post padding ignored": (
        lambda i, f, s, b, a, d, mode: RIGHT(i, f, s, b, 0, d, mode),
        {"EXPLICIT_ROUND_DOWN", "EXPLICIT_ROUND_UP"},
    ),
    "Caffe with post padding": (
        lambda i, f, s, b, a, d, mode: RIGHT(i, f, s, b, a, d, mode.replace("CAFFE", "EXPLICIT")),
        {"CAFFE_ROUND_DOWN", "CAFFE_ROUND_UP"},
    ),
    "SAME with explicit padding": (
        lambda i, f, s, b, a, d, mode: RIGHT(i, f, s, b, a, d, mode.replace("SAME_UPPER", "EXPLICIT_ROUND_UP")),
        {"SAME_UPPER"},
    ),
    "stride not applied": (lambda i, f, s, b, a, d, mode: RIGHT(i, f, 1, b, a, d, mode), set(MODES)),
    "everything accepted": (
        lambda i, f, s, b, a, d, mode: Axis(max(0, i), b, s, d),
        set(MODES),
    ),
}


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize(("resolve_axis", "modes"), WRONG.values(), ids=WRONG)
def test_a_wrong_formula_fails_in_the_modes_it_concerns(monkeypatch, resolve_axis, modes, rank):
    monkeypatch.setattr(shape, "resolve_axis", resolve_axis)
    failing = {mode for mode in MODES if check_table(Inferring(right), SMOKE, rank, mode).status == "fail"}
    assert failing == modes


@pytest.mark.parametrize("field", ["size", "window", "stride", "dilation", "pre", "post"])
def test_a_swap_of_h_and_w_in_any_attribute_fails(field):
    def swapped(c):
        return stated(c._replace(**{field: getattr(c, field)[::-1]}))

    assert check_table(Inferring(swapped), SMOKE, 2, "EXPLICIT_ROUND_DOWN").status == "fail"


# Where padding lies has no effect on a shape: these are for the values of the sample to see.
MISPLACED = {
    "SAME not dilated": lambda i, f, s, b, a, d, mode: _placed(RIGHT(i, f, s, b, a, d, mode), i, f, 1, mode),
    "pre and post swapped": lambda i, f, s, b, a, d, mode: RIGHT(i, f, s, a, b, d, mode),
    "UPPER and LOWER swapped": lambda i, f, s, b, a, d, mode: RIGHT(
        i, f, s, b, a, d, {"SAME_UPPER": "SAME_LOWER", "SAME_LOWER": "SAME_UPPER"}.get(mode, mode)
    ),
    "negative padding crops": lambda i, f, s, b, a, d, mode: _placed(RIGHT(i, f, s, b, a, d, mode), i, f, d, mode),
}


def _placed(axis, i, f, d, mode):
    if not mode.startswith("SAME"):
        return axis
    padding = (axis.size - 1) * axis.stride + shape.extent(f, d) - i
    return axis._replace(before=padding // 2 if mode == "SAME_UPPER" else padding - padding // 2)


@pytest.mark.parametrize("resolve_axis", MISPLACED.values(), ids=MISPLACED)
def test_misplaced_padding_changes_values_of_the_sample(monkeypatch, resolve_axis):
    cases = [case for case in sample(TIERS["ci"]) if case.spatial_rank == 2]
    expected = {case.id: reference(case).output for case in cases}
    monkeypatch.setattr(blocked, "_pad", _pad_anywhere)
    assert all(np.array_equal(reference(case).output, expected[case.id]) for case in cases)
    monkeypatch.setattr(shape, "resolve_axis", resolve_axis)
    assert any(_output(case) is None or not np.array_equal(_output(case), expected[case.id]) for case in cases)


def _output(case):
    try:
        return reference(case).output
    except InvalidConvolution:
        return None


def _pad_anywhere(x, axes, window):
    """The reference's padding, also for a negative start: written element by element."""
    spatial = x.shape[-len(axes) :]
    reach = [a.reach(f) for a, f in zip(axes, window, strict=True)]
    padded = np.zeros((*x.shape[: -len(axes)], *reach), dtype=x.dtype)
    for at in np.ndindex(*reach):
        source = tuple(p - a.before for p, a in zip(at, axes, strict=True))
        if all(0 <= p < n for p, n in zip(source, spatial, strict=True)):
            padded[(..., *at)] = x[(..., *source)]
    return padded


def test_messages_group_differences_and_show_the_smallest():
    def wrong(c):
        found = stated(c)
        if found is None:
            return (1, 1)
        if c.stride[0] == 3:
            return None
        return (found[0] + 1, found[1]) if c.pre[1] else found

    verdict = check_table(Inferring(wrong), SMOKE, 2, "EXPLICIT_ROUND_DOWN")
    lines = verdict.message.splitlines()
    assert verdict.status == "fail"
    assert len(lines) == 5
    assert "of 432 configurations differ from floor((I+B+A-DK)/S) + 1" in lines[1]
    counts = [int(re.match(r"\s+(\d+) ", line)[1]) for line in lines[2:]]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == verdict.figures["differ"]
    for text in ("accepted, but should be refused", "refused, but should be accepted", "output H +1"):
        assert sum(text in line and "; smallest: I (" in line for line in lines) == 1


def test_many_kinds_of_difference_stay_a_few_lines():
    c = Configuration((5, 6), (1, 1), (1, 1), (1, 1), (0, 0), (0, 0), "SAME_UPPER")
    lines = describe([Difference(c, (5 + n, 6), (5, 6)) for n in range(1, 31)])
    assert len(lines) == 9
    assert lines[-1] == "and 22 more kinds of difference"


@pytest.mark.parametrize(("deviation", "mode"), [(d, mode) for d in DEVIATIONS for mode in d.modes])
@pytest.mark.parametrize("rank", RANKS)
def test_a_known_deviation_is_named_only_where_it_holds_without_exception(deviation, mode, rank):
    pattern = rf"configurations differ, all as {deviation.name} says$"
    verdict = check_table(Inferring(deviation.shape), SMOKE, rank, mode)
    assert verdict.status == "fail"
    assert re.search(pattern, verdict.message)

    odd = next(c for c in SMOKE.configurations(rank, mode) if deviation.shape(c) != stated(c))
    for exception in (stated(odd), (99,) * rank):
        target = Inferring(lambda c, exception=exception: exception if c == odd else deviation.shape(c))
        verdict = check_table(target, SMOKE, rank, mode)
        assert verdict.status == "fail"
        assert not re.search(pattern, verdict.message)


KNOWN = {
    "tensorrt_rtx-1.7.1-aot": {
        "EXPLICIT_ROUND_UP": "window_past_the_end",
        "SAME_UPPER": "same_of_nothing",
        "SAME_LOWER": "same_of_nothing",
    },
    "tensorrt-8.6.1-sm90": {
        "EXPLICIT_ROUND_UP": "window_far_past_the_end",
        "CAFFE_ROUND_UP": "window_far_past_the_end",
        "SAME_UPPER": "same_of_nothing",
        "SAME_LOWER": "same_of_nothing",
    },
}


@pytest.mark.parametrize("target", KNOWN)
def test_expectations_name_what_each_target_follows(tmp_path, target):
    shutil.copy(CASES / "expectations" / "padding.toml", tmp_path)
    entries, faults = read_expectations(tmp_path, ids(SMOKE))
    assert not faults
    expectations = Expectations(entries)
    for rank in RANKS:
        for mode in MODES:
            for deviation in (d for d in DEVIATIONS if mode in d.modes):
                follower = Inferring(deviation.shape)
                follower.name = target
                verdict = replace(check_table(follower, SMOKE, rank, mode), check="padding")
                is_known = KNOWN[target].get(mode) == deviation.name
                assert bool(expectations.apply(verdict).known) == is_known


class Stale(Inferring):
    """Keeps the input size of the first configuration of a call."""

    def infer_shapes(self, configurations):
        first = None
        for c in configurations:
            first = first or c
            yield stated(c._replace(size=first.size))


def test_stale_shapes_are_found():
    verdict = check_fresh(Stale(), SMOKE, 2, "SAME_UPPER")
    assert verdict.status == "fail"
    assert re.search(r"\d+ of 40 shapes depend on what was inferred before$", verdict.message)
    assert check_fresh(Inferring(), SMOKE, 2, "SAME_UPPER").status == "pass"


def test_what_a_target_raises_becomes_a_verdict():
    def raising(fault):
        def infer(c):
            raise fault

        return check_table(Inferring(infer), SMOKE, 2, "SAME_UPPER")

    assert raising(Unsupported("no such mode")).status == "unsupported"
    broken = raising(RuntimeError("broken pipe"))
    assert broken.status == "error"
    assert "RuntimeError: broken pipe" in broken.message
    assert check_table(NumpyTarget(), SMOKE, 2, "SAME_UPPER").status == "unsupported"


@pytest.fixture(scope="module")
def rtx():
    pytest.importorskip("tensorrt_rtx")
    from trt_conformance.targets.tensorrt import TensorRTTarget

    return TensorRTTarget("tensorrt_rtx")


@pytest.mark.parametrize("mode", MODES[:4])
@pytest.mark.parametrize("rank", RANKS)
def test_tensorrt_does_not_keep_old_shapes(rtx, rank, mode):
    assert check_fresh(rtx, SMOKE, rank, mode).status == "pass"


def test_a_value_that_a_setter_refuses_is_a_refusal(rtx):
    plain = Configuration((6, 7), (3, 2), (1, 2), (1, 1), (0, 0), (0, 0), "EXPLICIT_ROUND_DOWN")
    refused = [plain._replace(stride=(0, 1)), plain._replace(dilation=(1, 0)), plain._replace(pre=(-1, 0))]
    found = list(rtx.infer_shapes([plain, *refused, plain]))
    assert found == [(4, 3), None, None, None, (4, 3)]


def test_a_mode_that_does_not_exist_is_unsupported(rtx):
    verdict = check_table(rtx, SMOKE, 2, "CAFFE_ROUND_UP")
    assert verdict.status == "unsupported"
    assert "PaddingMode.CAFFE_ROUND_UP does not exist in tensorrt_rtx" in verdict.message
