"""Goldens whose sums another machine added in another order are right; anything further off is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.golden_store import (
    FP32,
    catalog,
    edit,
    every_byte,
    list_again,
)
from tests.support.helpers import make_case
from trt_conformance.golden import (
    diff,
    read_reference,
    update,
    verify,
)
from trt_conformance.golden.content import Content


def perturb(root: Path, name: str, part: float, listed: bool = True) -> None:
    """Shift one element by a part of what another order of summation may shift."""
    n = 37
    gamma = n * 2.0**-53 / (1 - n * 2.0**-53)

    def shift(content: Content) -> None:
        datasets = content["uniform/float32/run0"].datasets
        place = np.unravel_index(np.argmax(datasets["magnitude"]), datasets["magnitude"].shape)
        datasets[name][place] += part * 2 * gamma * datasets["magnitude"][place]

    edit(root, shift, listed=listed)


@pytest.mark.parametrize("name", ["output", "magnitude"])
def test_another_order_of_summation_is_right(root: Path, name: str) -> None:
    perturb(root, name, 0.9)
    before = every_byte(root)
    assert verify(catalog(), root) == []
    assert update(catalog(), root=root) == []
    assert every_byte(root) == before


@pytest.mark.parametrize("name", ["output", "magnitude"])
def test_more_than_another_order_of_summation_is_wrong(root: Path, name: str) -> None:
    perturb(root, name, 1.1)
    (problem,) = verify(catalog(), root)
    assert (problem.kind, problem.case) == ("differs", FP32.id)
    (change,) = diff(catalog(), root=root)
    assert (change.action, change.group) == ("change", "uniform/float32")


def test_even_a_tiny_change_is_not_what_the_manifest_lists(root: Path) -> None:
    perturb(root, "output", 0.5, listed=False)
    assert [problem.kind for problem in verify(catalog(), root)] == ["manifest"]


def test_quantized_output_may_tip_over_only_at_a_tie(tmp_path: Path) -> None:
    case = make_case(
        precision="int8",
        input={"shape": [1, 1, 1, 2], "values": [1.0, 2.0]},
        kernel={"shape": [1, 1, 1, 1], "fill": "ones"},
        quantize={"input": 1.0, "kernel": [1.0], "output": 2.0},
    )
    update(catalog(case), root=tmp_path)
    assert read_reference(case, root=tmp_path).output.ravel().tolist() == [0.0, 2.0]

    def tip(place: int) -> None:
        def change(content: Content) -> None:
            content["values/int8/run0"].datasets["output"][0, 0, 0, place] += 2.0

        edit(tmp_path, change)
        list_again(tmp_path)

    tip(0)
    assert verify(catalog(case), tmp_path) == []
    tip(1)
    assert [problem.kind for problem in verify(catalog(case), tmp_path)] == ["differs"]


def test_what_is_not_finite_equals_itself(tmp_path: Path) -> None:
    values = [float("inf"), float("nan"), *[1.0] * 52]
    case = make_case(input={"shape": [1, 1, 6, 9], "values": values})
    with np.errstate(invalid="ignore"):
        update(catalog(case), root=tmp_path)
        assert verify(catalog(case), tmp_path) == []

        def change(content: Content) -> None:
            content["values/float32/run0"].datasets["output"][0, 0, 0, 0] = 1.0

        edit(tmp_path, change)
        list_again(tmp_path)
        assert [problem.kind for problem in verify(catalog(case), tmp_path)] == ["differs"]
