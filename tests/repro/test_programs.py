"""The programs of `repro` hold what their cases are, and show refitted weights and wrong addresses that are taken."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from tests.support.helpers import make_case, slow
from tests.support.programs import accepted, exit_codes, failure_on, run_program
from tests.support.suite import suite_case, suite_catalog
from trt_conformance.core.case import Case, Reject
from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.stored import Stored, npy_bytes
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.bounds.transforms import normwise_bound
from trt_conformance.numerics.reference.result import reference
from trt_conformance.repro.expected import Allowed, allowed_error, runs_of
from trt_conformance.repro.program import program
from trt_conformance.repro.tensors import helpers, input_code, parameter_lines


def test_an_input_that_no_program_makes_by_images_is_said():
    large = suite_case("reported/patches_of_14_whole-fp16")
    ramp = large.model_copy(update={"input": large.input.model_copy(update={"fill": "ramp"})})
    with pytest.raises(ConformanceError, match="cannot make it image by image"):
        failure_on(ramp)
    with pytest.raises(ConformanceError, match="reads several elements"):
        failure_on(large.model_copy(update={"epilogue": (EpilogueOperation(op="max_pool", window=(2, 2)),)}))


@pytest.mark.parametrize(
    ("case_id", "layer", "set_input"),
    [
        ("precision/obey_int8-int8", "add_convolution_nd(tensor, 2, (3, 3), trt.Weights(kernel))", 0),
        ("precision/obey_int8_tensor-int8", "add_convolution_nd(tensor, 2, (3, 3), trt.Weights())", 1),
    ],
)
def test_a_kernel_that_a_range_quantizes_is_given_as_the_case_gives_it(case_id, layer, set_input):
    case = accepted(case_id)
    text = program(case, failure_on(case))
    assert layer in text
    assert text.count("layer.set_input(1, weights)") == set_input
    assert "source.set_dynamic_range(-100.0, 127.0)" in text
    assert "add_quantize" not in text


@pytest.mark.parametrize("fault", ['ImportError("no module of that name")', 'OSError("libnvinfer.so.8: cannot open")'])
def test_a_machine_without_tensorrt_is_no_difference(tmp_path, monkeypatch, fault):
    case = suite_case("stride_nd/h2_w1-fp32")
    (tmp_path / "tensorrt.py").write_text(f"raise {fault}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code, output = run_program(program(case, failure_on(case)), tmp_path, forked=False)
    said = fault.split('"')[1]
    assert (code, output) == (2, f"cannot run: {said}\n")


def test_a_wrong_shape_is_shown(tmp_path):
    case = suite_case("stride_nd/h2_w1-fp32")
    failure = failure_on(case, "the inferred output shape is wrong", check="network", phase="network")
    code, output = run_program(program(case, failure), tmp_path, fault="shape")
    assert code == 1
    assert "shape: expected (1, 1, 2, 7), actual (1, 1, 2, 8)" in output
    assert run_program(program(case, failure), tmp_path, fault="")[0] == 0


def test_a_stale_output_is_shown_by_a_second_input(tmp_path):
    case = suite_case("exact_dilation/h2_w3-fp16")
    text = program(case, failure_on(case, check="inputs"))
    assert text.count("integers((") > text.count("integers((", 0, text.index("runs = ["))
    code, output = run_program(text, tmp_path, fault="stale")
    assert code == 1
    assert output.count("0 of ") == 1  # the first input's output is right
    assert run_program(text, tmp_path, fault="")[0] == 0


def test_tensors_are_those_of_the_case():
    seen = set()
    for case in suite_catalog().cases:
        if case.reject is not None or case.large or case.latency or np.prod(case.input.shape) > 10**5:
            continue
        fills = (case.input.fill, case.kernel.fill, getattr(case.bias, "fill", None), case.data_type)
        if fills in seen:
            continue
        seen.add(fills)
        lines = [*parameter_lines(case), f"x = {input_code(case, case.run_shapes[0])}"]
        scope = {"np": np, "math": math}
        exec("\n".join([*helpers(lines), *lines]), scope)
        given = case_data(case)
        for name, wanted in {"x": given.input, "kernel": given.kernel, "bias": given.bias}.items():
            if wanted is not None:
                assert np.array_equal(scope[name], wanted.astype(scope[name].dtype)), (case.id, name)
                if case.data_type != "bfloat16":
                    assert scope[name].dtype == wanted.dtype
    assert len(seen) > 20


def test_the_allowed_error_is_never_below_the_suites_and_shows_the_recorded_failure():
    case = make_case(
        precision="fp16",
        input={"shape": [1, 8, 6, 9], "fill": "uniform", "seed": 3},
        kernel={"shape": [4, 8, 3, 3], "fill": "uniform", "seed": 4},
    )
    golden = reference(case)
    limits = normwise_bound(case, golden, "winograd")
    worst = tuple(int(i) for i in np.unravel_index(np.argmin(limits), limits.shape))
    figures = {"worst": list(worst), "error": float(limits[worst]) * 1.001, "bound_for": "winograd"}
    failure = failure_on(case, figures=figures)
    allowed = allowed_error(case, runs_of(case, failure), failure)
    assert allowed.only == worst  # the short forms allow more at that element
    assert limits[worst] <= allowed.constant < limits[worst] * 1.001
    limits = bound(case, golden)
    worst = tuple(int(i) for i in np.unravel_index(np.argmin(limits), limits.shape))
    near = failure_on(case, figures={"worst": list(worst), "error": float(limits[worst]) * 1.01})
    found = allowed_error(case, runs_of(case, near), near)
    form = found.of_sum * golden.magnitude + found.of_output * np.abs(golden.output) + found.constant
    assert not found.only
    assert (form >= limits).all()


def test_further_layers_allow_what_their_kernels_may_err():
    case = suite_case("in_a_row/bottleneck-fp16")
    allowed = {}
    for name, stated in {"unknown": None, "each": ["fp32", "fp32"], "all": "fp32", "halves": ["fp16", "fp16"]}.items():
        failure = failure_on(case, figures={} if stated is None else {"further_bound_for": stated})
        allowed[name] = allowed_error(case, runs_of(case, failure), failure).constant
    assert allowed["each"] == allowed["all"] < allowed["halves"] / 10 < allowed["unknown"] / 30


def test_an_exact_case_allows_no_error():
    case = suite_case("exact_dilation/h2_w3-fp16")
    failure = failure_on(case)
    assert allowed_error(case, runs_of(case, failure), failure) == Allowed()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_stored_weights_are_in_the_program(tmp_path, precision):
    kernel = np.random.default_rng(1).standard_normal((1, 1, 3, 3))
    content = npy_bytes(kernel)
    (tmp_path / "w.npy").write_bytes(content)
    stored = Stored(file="w.npy", sha256=hashlib.sha256(content).hexdigest(), folder=str(tmp_path))
    given = make_case(precision=precision, bias="none")
    spec = given.kernel.model_copy(update={"shape": (1, 1, 3, 3), "fill": None, "stored": stored})
    case = given.model_copy(update={"kernel": spec})
    made: dict[str, np.ndarray] = {}
    exec("\n".join(parameter_lines(case)), {"np": np}, made)
    assert made["kernel"].dtype == case_data(case).kernel.dtype
    assert (made["kernel"] == case_data(case).kernel).all()


def test_stored_weights_too_many_for_a_program_are_refused(tmp_path):
    stored = Stored(file="w.npy", sha256="0" * 64, folder=str(tmp_path))
    given = make_case(bias="none")
    spec = given.kernel.model_copy(update={"shape": (1024, 1024, 1, 1), "fill": None, "stored": stored})
    with pytest.raises(ConformanceError, match=r"w\.npy: has 1048576 values, more than the 262144"):
        parameter_lines(given.model_copy(update={"kernel": spec}))


@pytest.mark.parametrize(
    ("case_id", "check", "reason"),
    [
        ("engine_facts/linear-fp32", "repeats", "`repeats` compares several runs"),
        ("runs/other_type-fp32", "reject", "does not know the type of the data"),
    ],
)
def test_what_a_program_does_not_have_is_said(case_id, check, reason):
    case = suite_case(case_id)
    with pytest.raises(ConformanceError, match=reason):
        failure_on(case, target="tensorrt-10.1.0-sm90", check=check)


REFITTED = ["refit/both-fp16", "refit/by_name-fp32", "refit/kernel-fp32", "refit/bias-fp32", "refit/constants-fp32"]


def test_weights_that_an_engine_keeps_although_it_is_refitted_are_shown(tmp_path):
    programs = {name: program(suite_case(name), failure_on(suite_case(name))) for name in REFITTED}
    assert exit_codes(programs, tmp_path, "unrefitted") == dict.fromkeys(REFITTED, 1)


WRONG_WEIGHTS = [
    "refit/another_layer-fp32",
    "refit/another_name-fp32",
    "refit/quantized_scale-int8",
    "refit_table/bias_half_few-fp32",
]


@pytest.mark.parametrize(("fault", "code"), [("", 0), ("lenient", 1)])
def test_wrong_weights_that_are_taken_are_shown(fault, code, tmp_path):
    cases = [suite_case(name) for name in WRONG_WEIGHTS]
    message = "accepted, but should be refused in phase run with /weights/"
    programs = {}
    for case in cases:
        stated = case.model_copy(update={"reject": Reject(phase="run", error="|weights", neighbor="refit/both")})
        failure = failure_on(stated, message, check="reject", phase="run")
        programs[case.id] = program(stated, failure)
    assert exit_codes(programs, tmp_path, fault) == dict.fromkeys(programs, code)


@pytest.mark.parametrize(("fault", "code"), [("", 0), ("lenient", 1)])
def test_a_null_address_that_is_taken_is_shown(fault, code, tmp_path):
    case = suite_case("runs/empty_without_address-fp32")
    case = case.model_copy(update={"reject": Reject(phase="run", error="|the address", neighbor="runs/empty")})
    message = "accepted, but the case refuses in phase run with /address/"
    text = program(case, failure_on(case, message, check="reject", phase="run"))
    assert 'context.set_tensor_address("input", 0)' in text
    assert run_program(text, tmp_path, fault=fault)[0] == code


def failing(case: Case):
    """A failure of a case, on a target of which the case states its refusal if it has one."""
    if case.reject is None:
        return failure_on(case)
    target = next(iter([*case.reject.on, "tensorrt*"]))
    target = (
        target if target.count("-") == 2 else "tensorrt_rtx-1.7.1-aot" if "rtx" in target else "tensorrt-8.6.1-sm90"
    )
    target = target.replace("*", "")
    rejection = case.rejection_on(target) or case.rejection_on("tensorrt-8.6.1-sm90")
    if rejection is None:
        return None
    phase = "network" if rejection.phase == "set" else rejection.phase
    message = f"accepted, but the case refuses in phase {rejection.phase} with /x/"
    return failure_on(case, message, target=target, check="reject", phase=phase)


@pytest.mark.parametrize("step", [40, slow(1)])
def test_every_case_of_the_suite_has_a_program(step, monkeypatch):
    """Whatever stands before and behind the layer; the bound, which takes most of the time, is left out."""
    monkeypatch.setattr("trt_conformance.repro.program.allowed_error", lambda *_: Allowed())
    refused = {}
    for case in suite_catalog().cases[::step]:
        try:
            failure = failing(case)
            if failure is not None and failure.expected is None and case.reject is not None:
                continue  # it is refused by other targets
            if failure is not None:
                compile(program(case, failure), case.id, "exec")
        except ConformanceError as reason:
            refused[case.id] = str(reason)
    assert set(refused) <= {"runs/other_type-fp32"}, refused
