"""Draws: what they are determined by, what they reach, and that each is a valid case."""

import math
import re
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from tests.support.suite import suite_catalog
from trt_conformance.catalog.edges import EVERY, cell
from trt_conformance.catalog.lint.epilogue import lint_epilogue
from trt_conformance.catalog.lint.prologue import lint_prologue
from trt_conformance.core.epilogue_fields import EPILOGUES
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.core.prologue_fields import PrologueName
from trt_conformance.core.tensors import case_data
from trt_conformance.explore import draw
from trt_conformance.explore.draw import PRECISIONS, Draws
from trt_conformance.explore.drawing import LARGE, SMALL, within
from trt_conformance.explore.edges import Reached, cells
from trt_conformance.explore.layer import DrawnLayer, fitted, layer_of
from trt_conformance.explore.operations import NOT_DRAWN
from trt_conformance.explore.themes import THEMES
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.shape import layer_output

MANY = 600


@pytest.fixture(scope="module")
def layers():
    return [Draws(3).layer(number) for number in range(MANY)]


def test_a_draw_depends_on_seed_and_number_alone(layers):
    again = Draws(3)
    assert [again.layer(number) for number in (417, 5, 6)] == [layers[number] for number in (417, 5, 6)]
    assert Draws(4).layer(5) != layers[5]


def test_every_draw_is_a_valid_case_within_the_largest_budget(layers):
    for number, layer in enumerate(layers):
        case = layer.case(f"drawn/n{number}")
        for shape in case.run_shapes:
            assert 0 not in layer_output(case, shape)
        assert layer.output_shape() == layer_output(case, case.input.shape)
        assert within(layer, LARGE)
        assert min(*layer.input_shape, *layer.kernel_shape) >= 1
        assert fitted(layer) == layer


def test_exact_draws_round_nothing(layers):
    cases = [layer.case("drawn/n") for layer in layers if within(layer, SMALL)]
    exact = [case for case in cases if case.exact]
    assert len(exact) > len(cases) // 2
    assert [reason for case in exact[:200] if (reason := inexact(case)) is not None] == []


def test_draws_vary_in_every_choice(layers):
    seen = {name: {getattr(layer, name) for layer in layers} for name in DrawnLayer.__dataclass_fields__}
    assert seen["precision"] == set(PRECISIONS)
    assert all(len(values) > 1 for values in seen.values())
    followed = [Draws(1, "epilogue").layer(number).epilogue for number in range(200)]
    assert {op for ops in followed for op in ops} == set(EPILOGUES) - set(NOT_DRAWN)
    assert {name for names in seen["free"] for name in names} == {"batch", "depth", "height", "width"}
    assert len(seen["mode"]) == 6


def test_operations_that_read_the_input_need_its_shape():
    def left(op, size=(4, 4), **given):
        return fitted(DrawnLayer(size=size, epilogue=(op,), **given)).epilogue

    assert left("add", channels=2, maps=2) == ("add",)
    assert left("min", channels=2, maps=3) == left("add", window=(2, 2)) == ()
    assert left("add", free=("width",)) == ("add",)
    assert left("concat", free=("batch",), channels=3) == ("concat",)
    assert left("add", free=("width",), size=(4, 1), stride=(1, 2)) == ()
    assert left("add", prologue=("relu",)) == ("add",)
    assert left("add", prologue=("cast",)) == left("concat", prologue=("cast",)) == ()
    assert left("add", channels=2, maps=3, joined="addend") == ("add",)
    assert left("add", free=("width",), joined="addend") == ()
    assert left("concat", channels=2, maps=3) == ("concat",)
    assert left("max_pool") == ("max_pool",)
    assert left("max_pool", window=(4, 1)) == ()


def test_operations_before_the_layer_give_its_shape():
    drawn = [Draws(1, "prologue").layer(number) for number in range(120)]
    assert {op for layer in drawn for op in layer.prologue} == set(get_args(PrologueName))
    for layer in drawn:
        case = layer.case("drawn/n")
        assert (case.input.shape, case.layer_shape(case.input.shape)) == (layer.given_shape, layer.input_shape)
        assert [*lint_prologue(case), *lint_epilogue(case)] == []


def test_the_numbers_of_operations_differ():
    drawn = [step for number in range(500) for step in Draws(1, "epilogue").layer(number).case("drawn/n").epilogue]
    clips = {(step.low, step.high) for step in drawn if step.op == "clip"}
    assert {math.copysign(1, low) * math.copysign(1, high) for low, high in clips} == {-1, 1}
    assert any(low == 0 for low, _ in clips)
    slopes = {step.alpha for step in drawn if step.op == "leaky_relu"}
    assert min(slopes) < 0 < 1 < max(slopes)
    factors = [step.scale for step in drawn if step.op == "scale"]
    assert max(map(len, factors)) > 16
    assert any(factors_of[:4] != factors_of[16:20] for factors_of in factors if len(factors_of) >= 20)
    assert {step.layer.num_groups or 1 for step in drawn if step.layer} > {1}


def test_factors_are_powers_of_two_where_no_sum_is_rounded():
    """Folded into weights, as builders do, others would round the weights."""

    def factors(content, precision="fp32"):
        layer = DrawnLayer(precision, maps=9, size=(3, 3), content=content, epilogue=("scale",), seed=1)
        (step,) = fitted(layer).case("drawn/n").epilogue
        return step.scale

    def are_powers(scale):
        return all(abs(math.frexp(factor)[0]) == 0.5 for factor in scale)

    assert are_powers(factors("exact"))
    assert are_powers(factors("uniform", "fp16"))
    assert not are_powers(factors("uniform"))


@pytest.mark.parametrize(
    ("precision", "content", "least", "most"),
    [("int8", "range", -130.5, 130.5), ("fp32", "bits", -8192, 8191), ("bf16", "range", -(2.0**41), 2.0**41)],
)
def test_contents_reach_the_ends_of_a_type(precision, content, least, most):
    """Half of the way to the ends at least, over a few seeds."""
    layers = [fitted(DrawnLayer(precision, size=(40, 40), content=content, seed=seed)) for seed in range(6)]
    values = np.concatenate([case_data(layer.case("drawn/n")).input.ravel().astype(float) for layer in layers])
    assert least <= values.min() < least / 2
    assert most / 2 < values.max() <= most


def test_fp8_saturates_and_is_subnormal():
    layers = [fitted(DrawnLayer("fp8", size=(40, 40), content="range", seed=seed)) for seed in range(4)]
    cases = [layer.case("drawn/n") for layer in layers]
    read = [np.abs(case_data(case).input / case.quantize.input) for case in cases]
    assert max(values.max() for values in read) > 448
    assert any(((values > 0) & (values < 2.0**-6)).any() for values in read)


def test_sparse_kernels_have_two_of_four_channels():
    layer = fitted(DrawnLayer("fp16", channels=8, maps=3, size=(3, 3), content="sparse"))
    kernel = case_data(layer.case("drawn/n")).kernel.reshape(3, 2, 4)
    assert ((kernel != 0).sum(axis=2) <= 2).all()
    assert fitted(DrawnLayer(channels=2, content="sparse")).content == "exact"


def test_what_a_content_excludes_changes_it():
    assert fitted(DrawnLayer(batch=2, content="special")).content == "special"
    assert fitted(DrawnLayer(content="special")).content == "exact"
    assert fitted(DrawnLayer(batch=2, content="special", free=("batch",))).content == "exact"
    assert not fitted(DrawnLayer(bias=True, content="range")).bias
    assert fitted(DrawnLayer("int8", content="wide", pairs="input", quantize_output=True)).content == "exact"


def test_layers_too_large_to_begin_with_have_one_image(monkeypatch):
    half, ones = (1, 2, 2), (1, 1, 1)
    numbers = {"batch": 5, "channels": 16, "maps": 16, "size": (8, 9, 6), "window": (3, 5, 5)}
    large = DrawnLayer(**numbers, stride=ones, dilation=ones, pre=half, post=half)
    assert not within(large, LARGE)
    monkeypatch.setattr(draw, "_small", lambda rng: large)
    assert within(Draws(1).layer(0), LARGE)


def test_long_sums_of_a_large_window_have_a_channel():
    drawn = [Draws(1, "terms", DrawnLayer(window=(65, 64), size=(70, 70))).layer(number) for number in range(40)]
    assert min(layer.channels for layer in drawn) >= 1


@pytest.mark.parametrize(
    "holds",
    [
        lambda layer: layer.batch > 65_535,
        lambda layer: layer.groups > 65_535,
        lambda layer: layer.groups * layer.maps > 65_535,
        lambda layer: max(layer.size) > 32_768,
        lambda layer: layer.groups > 32 and layer.channels > 1 and layer.channels != layer.maps,
        lambda layer: layer.groups > 256 and layer.channels == 1,
        lambda layer: 16 in layer.stride,
        lambda layer: max(layer.stride) >= 32,
        lambda layer: max(layer.window) > 32,
        lambda layer: max(layer.pre) > 32,
        lambda layer: 16 <= max(layer.dilation) <= 37,
        lambda layer: any(1 < n < s for n, s in zip(layer.size, layer.stride, strict=True)),
        lambda layer: layer.size == layer.window and max(layer.size) > 3,
        lambda layer: layer.terms > 4096,
        lambda layer: layer.channels % 32 == 1 and layer.channels > 32,
        lambda layer: layer.scales == "each" and layer.groups * layer.maps > 4,
        lambda layer: layer.free == ("width",) and layer.order == "down",
        lambda layer: layer.leading > 0,
        lambda layer: layer.input_format != "LINEAR",
        lambda layer: layer.free and layer.epilogue,
        lambda layer: layer.prologue and layer.groups > 1,
        lambda layer: layer.prologue and layer.epilogue,
        lambda layer: len(layer.epilogue) > 2,
        lambda layer: layer.joined == "addend" and max(layer.stride) > 1,
        lambda layer: layer.pairs == "kernel",
        lambda layer: max(layer.pre) > 127,
        lambda layer: layer.channels in (24, 48, 96, 192),
    ],
)
def test_the_edges_are_drawn(layers, holds):
    assert any(map(holds, layers))


def test_each_turn_begins_once_with_each_theme():
    draws = Draws(8)
    first = [draws._first(number) for number in range(2 * len(THEMES))]
    assert set(first[: len(THEMES)]) == set(first[len(THEMES) :]) == set(THEMES)
    assert first[: len(THEMES)] != first[len(THEMES) :]


def test_the_docs_name_every_theme():
    text = (ROOT / "docs" / "explore.md").read_text(encoding="utf-8")
    (named,) = re.findall(r"each begins one of every (\d+) draws\. They are ([^.]*)\.", text)
    assert (int(named[0]), re.findall(r"`(\w+)`", named[1])) == (len(THEMES), list(THEMES))


@pytest.mark.parametrize("focus", ["int8", "fp8"])
def test_a_focus_on_a_precision_is_that_of_every_draw(focus):
    assert {Draws(1, focus).layer(number).precision for number in range(60)} == {focus}


def test_a_focus_on_a_theme_begins_every_draw_with_it():
    share = sum(bool(Draws(1, "dynamic").layer(number).free) for number in range(60))
    assert share > 50


def test_a_focus_that_does_not_exist_is_refused():
    with pytest.raises(ConformanceError, match=r'--focus: no precision or theme "strid"; did you mean "stride"\?'):
        Draws(1, "strid")


def test_draws_near_a_case_change_only_a_few_of_its_choices():
    near = layer_of(suite_catalog().find("stride_nd/h2_w2-fp32"))
    assert near.case("near/own").attributes == suite_catalog().find("stride_nd/h2_w2-fp32").attributes
    drawn = [Draws(1, near=near).layer(number) for number in range(40)]
    names = ("stride", "window", "size")
    same = sum(getattr(layer, name) == getattr(near, name) for layer in drawn for name in names)
    assert same > 60
    assert len({replace(layer, seed=0) for layer in drawn}) > 20


def test_a_case_too_large_to_be_varied_is_refused():
    with pytest.raises(ConformanceError, match="--near: the case is too large"):
        Draws(1, near=DrawnLayer(batch=10**6, size=(9, 9)))


def test_every_case_of_the_suite_has_a_layer():
    for case in suite_catalog().cases[::7]:
        if case.reject is None and not case.deprecated and not case.large:
            layer = layer_of(case)
            drawn = layer.case("near/own")
            assert (drawn.precision, drawn.kernel.shape) == (case.precision, case.kernel.shape)
            assert drawn.attributes.model_copy(update={"mode": case.attributes.mode}) == case.attributes


def test_the_range_of_a_number():
    numbers = [0, 3, 4, 6, 7, 8, 9, 10, 14, 15, 100, 1025]
    assert [cell(n) for n in numbers] == [
        "0",
        "3",
        "4",
        "6",
        "7",
        "8",
        "9",
        "10..14",
        "10..14",
        "15",
        "66..126",
        "1025",
    ]


def test_reached_ranges_grow_with_the_draws(layers):
    reached = Reached()
    for layer in layers[:20]:
        reached.add(layer)
    few = reached.share
    for layer in layers:
        reached.add(layer)
    assert 0 < few < reached.share < 1
    assert ("stride W", "16") not in {(name, one) for name, ranges in reached.missing().items() for one in ranges}
    assert sum(map(len, reached.missing().values())) == len(EVERY) - len(reached.found)
    assert ("batch", "> 65535") in set(cells(DrawnLayer(batch=70_000)))
