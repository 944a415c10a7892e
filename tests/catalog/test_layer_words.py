"""The words of a sweep's layer make cases that are valid by construction."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.sweeps import HEAD, MATRIX, expanded
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.catalog.sweeps.layer import Layer
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import DATA_TYPE, PaddingMode
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.result import reference

WORDS = {
    "rank": (1, 2, 3),
    "batch": (1, 3),
    "channels": (6,),
    "maps": (6, 12),
    "groups": (1, 2, 6),
    "group_channels": (None, 1, 3),
    "group_maps": (None, 1, 2),
    "on": ({}, {"W": {"stride": 5, "pre": 2}}, {"H": {"window": 4, "size": 9}, "D": {"dilation": 3, "post": 1}}),
    "tight": (False, True),
    "size": ((1, 1, 1), (3, 5, 7)),
    "window": ((1, 1, 1), (2, 3, 4), (3, 7, 5)),
    "stride": ((1, 1, 1), (2, 3, 1), (4, 4, 9)),
    "dilation": ((1, 1, 1), (2, 3, 1)),
    "pre": ((0, 0, 0), (1, 2, 0), "half", "full"),
    "post": ((0, 0, 0), (3, 0, 1), "half", "full"),
    "mode": PaddingMode.__args__,  # type: ignore[attr-defined]
    "data": ("exact", "uniform"),
    "bias": (False, True),
    "quantize": ("tensor", "channel"),
    "quantize_output": (False, True),
    "scales": ("repeating", "mixed"),
    "dynamic": ("none", "batch", "height", "width", "spatial", "all", "wide"),
    "order": ("none", "up", "down"),
}


@pytest.mark.parametrize("precision", DATA_TYPE)
def test_any_words_make_a_valid_exact_case(precision: str) -> None:
    rng = random.Random(precision)
    for number in range(60):
        words = {name: rng.choice(values) for name, values in WORDS.items()}
        fields = Layer.model_validate(words).fields(precision, number)  # type: ignore[arg-type]
        case = Case.model_validate(
            {
                **fields,
                "id": f"any/any-{precision}",
                "name": "any",
                "file": "any",
                "line": 1,
                "section": "any",
                "doc": "any words at all",
                "source": "any",
                "precision": precision,
                "weights": "set_input",
            }
        )
        problems = [message for _, message in lint_case(case.model_copy(update={"exact": False}))]
        assert [message for message in problems if not message.startswith("a wrong convolution could pass")] == [], (
            words
        )
        assert words["data"] == "uniform" or inexact(case) is None, words
        assert reference(case).output.size


def test_size_grows_until_the_window_fits() -> None:
    fields = Layer(window=(1, 31, 3), dilation=(1, 1, 2), size=(1, 7, 11)).fields("fp32", 1)
    assert fields["input"]["shape"] == (1, 1, 31, 11)


def test_one_axis_has_settings_of_its_own() -> None:
    words = {"size": [3, 40, 50], "stride": [2, 2, 2], "on": {"W": {"stride": 16, "pre": 3}, "H": {"size": 1}}}
    fields = Layer.model_validate({"rank": 3, "window": [3, 3, 3], **words}).fields("fp32", 1)
    assert fields["input"]["shape"] == (1, 1, 3, 3, 50), "a height of 1 grows until the window fits"
    assert fields["set"] == {"stride_nd": (2, 2, 16), "pre_padding": (0, 0, 3), "post_padding": (0, 0, 0)}


def test_settings_of_one_axis_add_up_over_the_axes_of_a_sweep(tmp_path: Path) -> None:
    text = HEAD.replace("s2.layer.stride = [2, 2, 2]", "s2.layer.on.W.stride = 2")
    text = text.replace("bias.layer.bias = true", "bias.layer = { bias = true, on.W.dilation = 3, on.H.stride = 3 }")
    (case,) = expanded(tmp_path, text + MATRIX).select(["tiny/2d_s2_bias-fp32"])
    assert case.attributes.stride == (3, 2) and case.attributes.dilation == (1, 3)


def test_size_below_the_stride_needs_tight() -> None:
    words = {"size": [1, 4, 5], "stride": [1, 16, 9], "window": [1, 2, 2]}
    assert Layer.model_validate(words).fields("fp32", 1)["input"]["shape"] == (1, 1, 16, 9)
    assert Layer.model_validate({**words, "tight": True}).fields("fp32", 1)["input"]["shape"] == (1, 1, 4, 5)


@pytest.mark.parametrize(("free", "place"), [("batch", 0), ("depth", 2), ("height", 3), ("width", 4)])
def test_one_run_time_dimension_alone_changes_in_both_directions(free: str, place: int) -> None:
    words = {"rank": 3, "batch": 2, "size": [4, 5, 6], "window": [2, 2, 2], "dynamic": free}
    runs = {}
    for order in ("up", "down"):
        dynamic = Layer.model_validate({**words, "order": order}).fields("fp32", 1)["dynamic"]
        assert [n for n, size in enumerate(dynamic["shape"]) if size == -1] == [place]
        runs[order] = [shape[place] for shape in dynamic["run"]]
        assert len({shape[:place] + shape[place + 1 :] for shape in dynamic["run"]}) == 1
    assert runs["up"] == sorted(set(runs["up"])) and runs["down"] == runs["up"][::-1] and len(runs["up"]) == 3


def test_no_layer_of_two_dimensions_has_a_dynamic_depth() -> None:
    with pytest.raises(ConformanceError, match="has no depth"):
        Layer(dynamic="depth").fields("fp32", 1)


def test_mixed_scales_repeat_with_no_short_period() -> None:
    words = {"maps": 64, "quantize": "channel", "scales": "mixed"}
    for data in ("exact", "uniform"):
        scales = Layer.model_validate({**words, "data": data}).fields("int8", 1)["quantize"]["kernel"]
        assert len(scales) == 64 and scales[0] != 1
        for period in range(1, 33):
            assert scales[period:] != scales[:-period], period
    repeating = Layer.model_validate({**words, "scales": "repeating"}).fields("int8", 1)["quantize"]["kernel"]
    assert repeating[4:] == repeating[:-4]
