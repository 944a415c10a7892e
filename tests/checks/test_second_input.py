"""The check of a second input: it passes what is right, and fails an engine that answers from memory."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.checks.other_input import other_input
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import network_input
from trt_conformance.mutants import MUTANTS, MutantTarget
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyEngine, NumpyTarget


def case(**fields):
    given = {
        "input": {"shape": [2, 3, 5, 6], "fill": "exact_integers", "seed": 1},
        "kernel": {"shape": [4, 3, 3, 2], "fill": "exact_integers", "seed": 2},
        "exact": True,
    }
    return make_case(**given | fields)


def judged(given, target):
    return check_inputs(Subject(given, Engines(target), lambda c, index: reference(c)))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"precision": "fp16"},
        {"precision": "int8"},
        {"precision": "bf16", "epilogue": [{"op": "relu"}]},
        {"input": {"shape": [1, 3, 5, 6], "fill": "ones"}},
    ],
)
def test_the_right_convolution_passes(fields):
    verdict = judged(case(**fields), NumpyTarget())
    assert verdict.status == "pass", verdict.message


@pytest.mark.parametrize("name", ["output_cached_by_shape", "output_of_run_before", "output_added_to"])
def test_an_engine_with_a_memory_fails(name):
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert judged(case(), MutantTarget(mutant)).status == "fail"


class Drifts(NumpyTarget):
    """Every third run is one unit in the last place off."""

    name = "drifts"

    def build(self, given):
        class Engine(NumpyEngine):
            runs = 0

            def run(self, feeds):
                (y,) = super().run(feeds).values()
                self.runs += 1
                return {"output": y if self.runs % 3 else np.nextafter(y, np.float32(np.inf))}

        return Engine(given)


def test_a_first_input_with_other_bits_after_the_second_fails():
    verdict = judged(case(), Drifts())
    assert verdict.status == "fail"
    assert "differ after the second input" in verdict.message


def test_the_second_input_differs_in_every_case_of_the_suite():
    exact = [c for c in suite_catalog().cases if c.exact and c.reject is None]
    assert exact
    for given in exact:
        shape = next(shape for shape in given.run_shapes if 0 not in shape)
        second = other_input(given, shape)
        first = network_input(given, shape)
        assert second.shape == first.shape
        assert second.tobytes() != first.tobytes()
