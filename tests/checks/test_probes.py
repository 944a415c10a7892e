"""Each probe tells arithmetics apart, in whatever order they add."""

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.precision import UNKNOWN, arithmetic
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.core.types import DATA_TYPE
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import EngineFacts, LayerFacts

PROBES = {case.name: case for case in suite_catalog().cases if case.distinguishes}


def judged(case, target):
    return check_forward(Subject(case, Engines(target), lambda case, index: reference(case, case.run_shapes[index])))


def answering(change, facts=None):
    """NumPy's target with its output changed; ``facts`` is what its engines say of themselves."""

    class Changed(NumpyTarget):
        def build(self, case):
            engine = super().build(case)
            right = engine.run
            engine.run = lambda feeds: {OUTPUT: change(right(feeds)[OUTPUT])}
            engine.describe = lambda: facts
            return engine

    return Changed()


def with_first(value):
    def change(output):
        output = output.copy()
        output.flat[0] = value
        return output

    return change


def test_every_precision_has_a_probe():
    assert {case.precision for case in PROBES.values()} == {"fp32", "tf32", "fp16", "bf16", "int8", "fp8"}


@pytest.mark.parametrize("case", PROBES.values(), ids=PROBES)
def test_each_value_names_its_arithmetic(case):
    dtype = NUMPY_TYPE[case.data_type]
    for name, value in case.distinguishes.items():
        assert arithmetic(case, np.asarray([value], dtype=dtype)) == name
    assert arithmetic(case, np.asarray([777], dtype=dtype)) == UNKNOWN
    assert arithmetic(case, np.asarray([np.nan], dtype=dtype)) == UNKNOWN


def test_other_cases_are_no_probes():
    assert arithmetic(make_case(), np.ones(1)) is None


@pytest.mark.parametrize(
    ("name", "ran"),
    [
        ("operands_of_13_bits", "fp32"),
        ("operands_under_tf32", "tf32"),
        ("accumulator_fp16", "fp32_accumulation"),
        ("accumulator_bf16", "fp32_accumulation"),
        ("int8_sum_of_20_bits", "int8"),
        ("int8_rounds_its_input", "int8"),
        ("operands_of_13_bits_4608", "fp32"),
        ("operands_under_tf32_4608", "tf32"),
        ("accumulator_fp16_4608", "fp32_accumulation"),
        ("accumulator_bf16_4608", "fp32_accumulation"),
        ("int8_sum_of_26_bits", "int8"),
        ("subnormals_64", "subnormals_kept"),
        ("subnormals_4608", "subnormals_kept"),
        ("bias_of_21_bits_64", "bias_in_full"),
        ("bias_of_21_bits_4608", "bias_in_full"),
    ],
)
def test_verdict_records_what_ran(name, ran):
    found = judged(PROBES[name], NumpyTarget())
    assert (found.status, found.figures["arithmetic"]) == ("pass", ran)


def test_tf32_in_an_fp32_case_fails_by_its_numbers():
    found = judged(PROBES["operands_of_13_bits"], answering(with_first(2)))
    assert (found.status, found.figures["arithmetic"]) == ("fail", "tf32")
    assert "the values match those of tf32 arithmetic" in found.message


def test_fp32_where_tf32_is_allowed_passes():
    found = judged(PROBES["operands_under_tf32"], answering(with_first(3)))
    assert (found.status, found.figures["arithmetic"]) == ("pass", "fp32")


def test_numbers_beside_the_demanded_arithmetic_fail():
    case = PROBES["operands_under_tf32"].model_copy(update={"runs_in": "tf32"})
    assert judged(case, answering(with_first(2))).status == "pass"
    found = judged(case, answering(with_first(3)))
    assert found.status == "fail"
    assert "it ran in fp32, not in tf32" in found.message


def test_an_engine_that_says_otherwise_fails_too():
    case = PROBES["operands_under_tf32"].model_copy(update={"runs_in": "tf32"})
    found = judged(case, answering(with_first(2), EngineFacts((), None, "fp32")))
    assert (found.status, found.figures["arithmetic"]) == ("fail", "tf32")


def products(case):
    """The factors of the first output's terms, in the order of the kernel."""
    data = case_data(case)
    kernel = data.kernel[0].astype(np.float64)
    seen = data.input[0, :, : kernel.shape[1], : kernel.shape[2]].astype(np.float64)
    return seen.ravel(), kernel.ravel()


def in_order(x, w, order, block, dtype):
    """Blocks of products summed in full and added to an accumulator of a narrow type, as matrix units do."""
    total = dtype.type(0)
    for first in range(0, len(order), block):
        taken = order[first : first + block]
        total = dtype.type(np.float64(total) + (x[taken] * w[taken]).sum())
    return float(total)


def in_tree(x, w, dtype):
    """Pairs added over halving distances, as threads of a warp do."""
    sums = np.pad((x * w).astype(dtype), (0, 2 ** (len(x) - 1).bit_length() - len(x)))
    while len(sums) > 1:
        half = len(sums) // 2
        sums = (sums[:half].astype(np.float64) + sums[half:].astype(np.float64)).astype(dtype)
    return float(sums[0])


def orders_of(terms, shuffled):
    forward = np.arange(terms)
    orders = [forward, forward[::-1], forward.reshape(8, -1).T.ravel()]
    return orders + [np.random.default_rng(seed).permutation(terms) for seed in range(shuffled)]


@pytest.mark.parametrize(
    ("name", "narrow"),
    [
        ("accumulator_fp16", "fp16"),
        ("accumulator_bf16", "bf16"),
        ("accumulator_fp16_4608", "fp16"),
        ("accumulator_bf16_4608", "bf16"),
    ],
)
def test_no_order_hides_a_narrow_accumulator(name, narrow):
    case = PROBES[name]
    x, w = products(case)
    orders = orders_of(len(x), 50 if len(x) < 100 else 5)
    for precision in ("fp32", narrow):
        dtype, value = NUMPY_TYPE[DATA_TYPE[precision]], case.distinguishes[f"{precision}_accumulation"]
        assert {in_order(x, w, order, 1, dtype) for order in orders} == {value}
        assert {in_order(x, w, orders[0], block, dtype) for block in (2, 4, 8, 16, 32)} == {value}
        assert in_tree(x, w, dtype) == value


@pytest.mark.parametrize("name", ["partial_overflow_64", "partial_overflow_4608"])
def test_every_order_overflows_a_float16_accumulator(name):
    case = suite_catalog().find(f"probes_many_terms/{name}-fp16")
    x, w = products(case)
    right = float(reference(case).output.flat[0])
    for order in orders_of(len(x), 5):
        for block in (1, 2, 4, 8, 16):
            with np.errstate(over="ignore", invalid="ignore"):
                assert in_order(x, w, order, block, np.dtype(np.float32)) == right
                if block == 1:
                    assert not np.isfinite(in_order(x, w, order, block, np.dtype(np.float16)))
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.isfinite(in_order(x, w, np.arange(len(x)), 16, np.dtype(np.float16)))
        assert not np.isfinite(in_tree(x, w, np.dtype(np.float16)))


def test_a_float32_accumulator_rounds_the_long_int8_sum_beyond_its_bound():
    case = suite_catalog().find("probes_many_terms/int8_sum_of_26_bits-int8")
    x, w = products(case)
    q = np.rint(x)
    total = in_order(q, w, np.arange(len(q)), 1, np.dtype(np.float32))
    assert total != q @ w
    assert np.abs(np.cumsum(q * w)).max() > 2**25
    right = reference(case).output.copy()
    right.flat[0] += total - q @ w
    facts = EngineFacts((), LayerFacts("conv", "Convolution", "", (), ()), "int8")
    assert judged(case, answering(lambda output: right.astype(np.float32), facts)).status == "fail"
    assert judged(case, answering(lambda output: output, facts)).status == "pass"


@pytest.mark.parametrize("name", ["subnormals_64", "subnormals_4608", "subnormal_operands", "subnormal_outputs"])
def test_flushed_subnormals_of_float16_fail_and_are_named(name):
    found = judged(PROBES[name], answering(np.zeros_like))
    assert (found.status, found.figures["arithmetic"]) == ("fail", "subnormals_flushed")


def test_flushed_subnormals_of_float32_pass_and_are_named():
    case = suite_catalog().find("probes_many_terms/subnormals_of_float32-fp32")
    for change, name in ((np.zeros_like, "subnormals_flushed"), (np.copy, "subnormals_kept")):
        found = judged(case, answering(change))
        assert (found.status, found.figures["arithmetic"]) == ("pass", name)


@pytest.mark.parametrize("name", ["bias_of_21_bits_64", "bias_of_21_bits_4608"])
def test_a_bias_in_tf32_fails_and_is_named(name):
    found = judged(PROBES[name], answering(lambda output: output - 1))
    assert (found.status, found.figures["arithmetic"]) == ("fail", "bias_in_tf32")


def test_values_of_narrow_integer_sums():
    case = PROBES["int8_sum_of_20_bits"]
    total, saturated = 0, 0
    for _ in range(32):
        total, saturated = total + 127 * 127, min(saturated + 127 * 127, 2**15 - 1)
    wrapped = (total + 2**15) % 2**16 - 2**15
    values = {name: (value - 1) * 2**14 for name, value in case.distinguishes.items()}
    assert values == {"int8": total, "int16_saturating": saturated, "int16_wrapping": wrapped, "fp32": 32 * 2**14}


def test_values_of_narrow_operands():
    case = PROBES["operands_of_13_bits"]
    x, w = products(case)
    for name, bits in (("fp32", 24), ("tf32", 11), ("bf16", 8)):
        mantissa, exponent = np.frexp(x)
        for cut in (np.trunc, np.rint):
            read = np.ldexp(cut(np.ldexp(mantissa, bits)), exponent - bits)
            assert read @ w == case.distinguishes[name]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"fp32": 1.0}, "expected at least two names"),
        ({"fp32": 1.0, "tf32": 1.0}, "at least two names with different values"),
        ({"fp32": 1.0, "tf32": 2.0}, "no value equals that of the reference, 9.0"),
    ],
)
def test_lint_refuses_a_probe_that_distinguishes_nothing(values, fault):
    ones = {"shape": [1, 1, 3, 3], "fill": "ones"}
    (found,) = [
        text for _, text in lint_case(make_case(source="a test", input=ones, kernel=ones, distinguishes=values))
    ]
    assert fault in found
