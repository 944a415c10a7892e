"""The exact tier keeps what it promises: nothing rounds, and data that tell one place from another."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tests.support.helpers import brute_force, make_case, slow
from tests.support.suite import suite_catalog
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Subject
from trt_conformance.core.fills import content
from trt_conformance.core.tensors import INPUT, OUTPUT, case_data
from trt_conformance.core.types import DATA_TYPE, QUANTIZED_PRECISIONS
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.epilogue import apply
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

CASES = [case for case in suite_catalog().cases if case.file.startswith("cases/exact/") and case.reject is None]
EXACT = [case for case in CASES if case.exact]
BASES = list({case.base_id: case for case in EXACT}.values())
INT8 = [case for case in CASES if case.quantize]


def ids(case):
    return case.id


INTEGERS = {
    "input": {"shape": [2, 3, 7, 9], "fill": "exact_integers", "seed": 1},
    "kernel": {"shape": [4, 3, 3, 2], "fill": "exact_integers", "seed": 2},
}


def faults(**fields):
    case = make_case(**{"source": "a test", **INTEGERS, "exact": True, **fields})
    return [text for _, text in lint_case(case)]


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16", "int8"])
def test_lint_accepts_what_is_exact(precision):
    assert faults(precision=precision) == []


@pytest.mark.parametrize(
    ("fault", "fields"),
    [
        ("9 values of the kernel, 4097 for one, are rounded to bfloat16", {"precision": "bf16", "kernel": 4097}),
        ("9 values of the kernel, 4097 for one, are rounded to float16", {"precision": "fp16", "kernel": 4097}),
        ("not exact: tf32 may be off by", {"precision": "tf32", "kernel": 4097}),
        ("not exact: fp32 may be off by", {"precision": "fp32", "kernel": 4097, "input": 4097}),
        ("not exact: bf16 may be off by", {"precision": "bf16", "kernel": 255, "bias": {"values": [2.0]}}),
    ],
)
def test_lint_refuses_a_rounded_value(fault, fields):
    for name in {"input", "kernel"} & fields.keys():
        values = [float(fields[name])] * 9
        fields = fields | {name: {"shape": [1, 1, 3, 3], "values": values}}
    given = {"input": {"shape": [1, 1, 3, 3], "fill": "ones"}, "kernel": {"shape": [1, 1, 3, 3], "fill": "ones"}}
    (found,) = [text for text in faults(**given | fields) if "exact" in text]
    assert fault in found


@pytest.mark.parametrize(("precision", "channels"), [("fp16", 128), ("bf16", 512)])
def test_lint_refuses_sums_beyond_the_accumulator_or_the_output(precision, channels):
    many = {
        "input": {"shape": [1, channels, 5, 5], "fill": "exact_integers", "seed": 1},
        "kernel": {"shape": [4, channels, 3, 3], "fill": "exact_integers", "seed": 2},
    }
    (found,) = faults(precision=precision, **many)
    assert found.startswith(f"not exact: {precision} may be off by")
    assert "where sum |x||w| + |b| is" in found
    assert faults(precision="fp32", **many) == []


@pytest.mark.parametrize(
    "scales",
    [
        {"input": 0.1, "kernel": [1.0]},
        {"input": 1.0, "kernel": [0.1]},
        {"input": 1.0, "kernel": [1.0], "output": 0.3},
        {"input": 1.0, "kernel": [1.0], "output": 6.0},
    ],
)
def test_lint_refuses_scales_that_round(scales):
    (found,) = faults(precision="int8", quantize=scales)
    assert found.startswith("not exact: int8 may be off by")


def test_lint_refuses_what_it_cannot_verify():
    large = {
        "input": {"shape": [1, 64, 64, 64], "fill": "ternary"},
        "kernel": {"shape": [64, 64, 3, 3], "fill": "ones"},
    }
    assert "too large to verify here" in faults(**large)[0]


@pytest.mark.parametrize(
    ("weakness", "values"),
    [("of the 18 expected values are 0", [1, 2] + 10 * [0] + 6 * [3]), ("only 2 different values", 9 * [1, 2])],
)
def test_lint_asks_for_variety(weakness, values):
    fields = {
        "input": {"shape": [1, 1, 2, 9], "values": [float(v) for v in values]},
        "kernel": {"shape": [1, 1, 1, 1], "values": [1.0]},
    }
    (found,) = faults(**fields)
    assert weakness in found
    assert not faults(**fields, exact=False)


@pytest.mark.parametrize(
    ("fill", "values"),
    [("ternary", {-1, 0, 1}), ("sparse_ternary", {-1, 0, 1}), ("int8_ties", {v / 2 for v in range(-261, 262)})],
)
def test_fill_holds_every_value_and_no_other(fill, values):
    assert set(content((20000,), fill).tolist()) == values


def test_sparse_fill_is_sparse():
    assert 0.86 < float((content((20000,), "sparse_ternary", seed=3) == 0).mean()) < 0.89


def test_two_of_each_four_channels_are_zero():
    kernel = content((5, 8, 3, 3), "two_of_four", seed=3)
    in_fours = (kernel != 0).reshape(5, 2, 4, 3, 3).sum(axis=2)
    assert in_fours.max() == 2
    assert (kernel != 0).any(axis=(0, 2, 3)).all()  # no channel is left out by every map


@pytest.mark.parametrize("case", EXACT, ids=ids)
def test_numpy_has_no_error(case):
    engine = NumpyTarget().build(case)
    for shape in case.run_shapes:
        result = reference(case, shape)
        output = engine.run({INPUT: case_data(case, shape).input})[OUTPUT]
        given = case_data(case, shape).input.astype(np.float64)
        np.testing.assert_array_equal(output.astype(np.float64), apply(case, result.output, given))
        assert not bound(case, result).any()


def test_every_precision_is_exact_somewhere_in_every_family():
    for family in {case.file for case in EXACT if case.file.startswith("cases/exact/exact_")} - {INT8[0].file}:
        assert {c.precision for c in EXACT if c.file == family} >= set(DATA_TYPE) - set(QUANTIZED_PRECISIONS), family


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "EXPLICIT_ROUND_UP", "CAFFE_ROUND_UP"])
@pytest.mark.parametrize("rank", [2, 3])
def test_padding_modes_are_exact_cases(mode, rank):
    assert [case for case in BASES if case.attributes.mode == mode and case.spatial_rank == rank]


@pytest.mark.parametrize("case", BASES, ids=lambda case: case.base_id)
def test_data_tell_places_apart(case):
    """Images, channels and maps differ from each other, maps in their bias too; kernels have no symmetry."""
    if not case.file.startswith("cases/exact/exact_"):
        return
    data = case_data(case)
    x, w = data.input.astype(np.float64), data.kernel.astype(np.float64)
    assert len({row.tobytes() for row in x}) == len(x)
    if x[:, 0].size > 12:
        assert len({channel.tobytes() for channel in np.moveaxis(x, 1, 0)}) == x.shape[1]
    assert len({kernel.tobytes() for kernel in w}) == len(w)
    assert data.bias is None or len(set(data.bias.tolist())) == len(data.bias)
    for axis, size in enumerate(w.shape):
        assert size == 1 or not np.array_equal(w, np.flip(w, axis))


def test_int8_data_reach_every_corner():
    ties, ends, scales = set(), set(), set()
    for case in (case for case in INT8 if case.exact):
        assert case.quantize is not None
        for values, scale in (
            (case_data(case).input, [case.quantize.input]),
            (case_data(case).kernel, case.quantize.kernel),
        ):
            steps = np.asarray(scale).reshape(-1, *(1,) * (values.ndim - 1))
            ratio = values.astype(np.float64) / steps
            halves = ratio[(ratio % 1 == 0.5) & (np.abs(ratio) < 127)]
            ties |= {(value > 0, np.floor(abs(value)) % 2 == 0) for value in halves}
            ends |= {end for end, hit in ((-128, (ratio <= -128.5).any()), (127, (ratio > 127.5).any())) if hit}
            ends |= {"-128 itself"} if (ratio == -128).any() else set()
    for case in INT8:
        scales |= {case.quantize.input, *case.quantize.kernel}
    assert ties == set(product((False, True), repeat=2))
    assert ends == {-128, 127, "-128 itself"}
    assert any(np.frexp(scale)[0] != 0.5 for scale in scales)


def quantized(value, scale):
    """round() rounds a Fraction half to even."""
    return max(-128, min(127, round(value / scale)))


def integer_expectation(case, shape):
    """The layer in integers and fractions, one product after the other; nothing of the harness's arithmetic."""

    def float32(value):
        return Fraction(float(np.float32(value)))

    def integers(tensor, scale_of):
        found = [quantized(Fraction(float(tensor[i])), scale_of(i)) for i in np.ndindex(*tensor.shape)]
        return np.asarray(found, dtype=object).reshape(tensor.shape)

    data, scales = case_data(case, shape), case.quantize
    x_scale, w_scales = float32(scales.input), [float32(scale) for scale in scales.kernel]
    w_scales *= case.kernel.shape[0] // len(w_scales)
    x, w = integers(data.input, lambda i: x_scale), integers(data.kernel, lambda i: w_scales[i[0]])
    sums = brute_force(x, w, None, case.attributes)
    for place in np.ndindex(*sums.shape):
        sums[place] *= x_scale * w_scales[place[1]]
        sums[place] += 0 if data.bias is None else Fraction(float(data.bias[place[1]]))
        if scales.output is not None:
            sums[place] = quantized(sums[place], float32(scales.output)) * float32(scales.output)
    return sums


def products(case):
    """How many products of integers the first run of a case takes."""
    return math.prod(reference(case, case.run_shapes[0]).output.shape) * math.prod(case.kernel.shape[1:])


@pytest.mark.parametrize("case", [case if products(case) < 12_000 else slow(case) for case in INT8], ids=ids)
def test_int8_expectation_in_integers(case):
    for shape in case.run_shapes:
        result = reference(case, shape)
        expected = integer_expectation(case, shape)
        assert expected.shape == result.output.shape
        slack = 0 if case.exact else Fraction(2) ** -45
        for value, found, size in zip(expected.flat, result.output.flat, result.magnitude.flat, strict=True):
            assert abs(Fraction(float(found)) - value) <= slack * Fraction(float(size))


class OneUlpOff(NumpyTarget):
    """The right output, its last element one unit in the last place too large."""

    def build(self, case):
        engine = super().build(case)
        right = engine.run

        def run(feeds):
            output = right(feeds)[OUTPUT]
            output.flat[-1] = np.nextafter(output.flat[-1], np.asarray(np.inf, dtype=output.dtype))
            return {OUTPUT: output}

        engine.run = run
        return engine


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
def test_one_ulp_fails(precision):
    case = make_case(**INTEGERS, exact=True, precision=precision)
    assert inexact(case) is None
    subject = Subject(case, Engines(OneUlpOff()), lambda case, index: reference(case, case.run_shapes[index]))
    assert check_forward(subject).status == "fail"
    right = Subject(case, Engines(NumpyTarget()), lambda case, index: reference(case, case.run_shapes[index]))
    assert check_forward(right).status == "pass"
