"""The int8 Conv3d cases tell by their first output what was left unquantized, and fail whoever leaves it so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.suite import suite_catalog
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import case_data
from trt_conformance.mutants import UNMUTATED, MutantTarget
from trt_conformance.mutants.int8 import in_role
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.quantization import HIGH, LOW, quantize, scales
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines

CASES = [case for case in suite_catalog().cases if case.file.endswith("routes/int8_three_d.toml")]
SEEN = "exact_int8/kernel_ties-int8"


def first_output(case, kernel, source):
    """The first output with either tensor quantized ("right"), rounded alone ("rounded"), or as it is ("as_it_is")."""

    def read(values, scale, how):
        ratio = values.astype(np.float64) / scale
        if how == "as_it_is":
            return ratio * scale
        whole = np.rint(ratio)
        return (np.clip(whole, LOW, HIGH) if how == "right" else whole) * scale

    data, q = case_data(case), case.quantize
    x = read(data.input, scales(q.input, data.input.ndim), source)
    w = read(data.kernel, scales(q.kernel, data.kernel.ndim), kernel)
    total = np.asarray(convolve(x, w, None, case.attributes).flat[0])
    if q.output is None:
        return float(total)
    scale = scales(q.output, 1)
    return float((quantize(total, scale) * scale).item())


HYPOTHESES = {
    "int8": ("right", "right"),
    "kernel_as_it_is": ("as_it_is", "right"),
    "kernel_unsaturated": ("rounded", "right"),
    "input_as_it_is": ("right", "as_it_is"),
    "fp32": ("as_it_is", "as_it_is"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.base_id)
def test_each_name_has_the_value_that_it_stands_for(case):
    assert len(case.distinguishes) >= 2
    for name, value in case.distinguishes.items():
        assert first_output(case, *HYPOTHESES[name]) == value, name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.base_id)
@pytest.mark.parametrize("name", ["kernel_as_it_is", "input_as_it_is", "kernel_unsaturated"])
def test_who_computes_so_fails_by_that_name(name, case):
    role, how = name.split("_", 1)
    rule = {"as_it_is": lambda x, scale: x / scale, "unsaturated": lambda x, scale: np.rint(x / scale)}[how]
    mutant = replace(UNMUTATED, name=name, quantize=in_role(role, rule))
    verdict = check_forward(Subject(case, Engines(MutantTarget(mutant)), lambda c, index: reference(c)))
    right = case.distinguishes["int8"]
    wrong = first_output(case, *HYPOTHESES[name])
    if name in case.distinguishes:
        assert verdict.status == "fail"
        assert f"the values match those of {name} arithmetic" in verdict.message
    elif wrong != right:
        assert verdict.status == "fail"


def test_both_depths_both_scales_and_both_outputs_are_there():
    three_d = [case for case in CASES if case.spatial_rank == 3]
    for depth in (1, 3):
        for per_channel in (False, True):
            for quantized in (False, True):
                assert any(
                    case.kernel.shape[2] == depth
                    and (len(case.quantize.kernel) > 1) == per_channel
                    and (case.quantize.output is not None) == quantized
                    for case in three_d
                )


def test_the_value_that_was_seen_is_that_of_a_kernel_as_it_is():
    """-104957 for -44516.25, at the place and with the count of the published record."""
    from trt_conformance.checks.metamorphic import depth_1_as_slices

    given = next(case for case in suite_catalog().cases if case.id == SEEN)
    whole = depth_1_as_slices(given).whole
    x, w = whole.input.astype(np.float64), case_data(whole.case).kernel.astype(np.float64)
    scale = scales(given.quantize.kernel, w.ndim)
    right = convolve(x, quantize(w, scale) * scale, None, whole.case.attributes)
    as_it_is = convolve(x, w, None, whole.case.attributes)
    place = (0, 5, 1, 2, 0)
    assert (right[place], as_it_is[place]) == (-44516.25, -104957.0)
    assert np.unravel_index(np.abs(as_it_is - right).argmax(), right.shape) == place
    assert ((as_it_is != right).sum(), right.size) == (420, 480)
    # Rounded and not saturated would give the same value there, but differ in fewer places than were seen.
    rounded = convolve(x, np.rint(w / scale) * scale, None, whole.case.attributes)
    assert (rounded != right).sum() == 120
