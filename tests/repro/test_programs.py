"""The programs of `repro` show what their verdicts state: run on TensorRT-RTX, and on a TensorRT that computes."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.support.helpers import make_case, sampled, slow
from tests.support.programs import exit_codes, failure_on, run_program
from tests.support.runs import record, verdict
from tests.support.suite import suite_case, suite_catalog
from trt_conformance.checks.build import check_build
from trt_conformance.checks.network import check_network
from trt_conformance.checks.plan_size import check_plan_size
from trt_conformance.checks.rejections import check_reject
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case, Expect, Reject
from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.network_fields import LayerAttributes
from trt_conformance.core.stored import Stored, npy_bytes
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.bounds.epilogue import network_result
from trt_conformance.numerics.bounds.transforms import normwise_bound
from trt_conformance.numerics.reference.result import reference
from trt_conformance.repro.expected import Allowed, allowed_error, runs_of
from trt_conformance.repro.failure import find_failure
from trt_conformance.repro.program import program
from trt_conformance.repro.tensors import helpers, input_code, parameter_lines
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.options import Options
from trt_conformance.targets.tensorrt.target import TensorRTTarget


def accepted(case_id: str) -> Case:
    """A case that must be refused, as if it were valid."""
    return suite_case(case_id).model_copy(update={"reject": None})


REFUSED = [
    "layers/window_of_one_axis-fp32",
    "layers/window_of_four_axes-fp32",
    "layers/input_of_three_axes-fp32",
    "layers/weights_for_fewer_channels-fp32",
    "layers/maps_not_divisible-fp32",
    "layers/more_groups_than_channels-fp32",
    "layers/window_over_padded_input-fp32",
    "layers/window_over_depth-fp32",
    "layers/kernel_of_float64-fp32",
    "layers/kernel_of_float32-fp16",
    "layers/input_of_int32-fp32",
    "layers/kernel_twice-fp32",
    "layers/no_kernel-fp32",
    "layers/kernel_tensor_of_three_axes-fp32",
    "layers/kernel_tensor_of_fewer_channels-fp32",
    "layers/bias_of_three-fp32",
    "layers/bias_tensor_of_two_axes-fp32",
    "layers/bias_twice-fp32",
    "layers/stride_of_three_axes-fp32",
    "setters/stride_0-fp32",
    "formats/chw16_input-fp16",
]


@pytest.fixture(scope="module")
def engines():
    pytest.importorskip("tensorrt_rtx")
    found = Engines(TensorRTTarget("tensorrt_rtx", Options(builders=0)))
    yield found
    found.close()


def failure_of(found, check, case, engines):
    found = replace(found, check=check)
    facts = engines.target.environment()
    return find_failure(record(found, targets={found.target: facts}), case)


@pytest.mark.parametrize("case_id", sampled(REFUSED, 4))
def test_a_refusal_by_tensorrt_rtx_is_shown(case_id, engines, tmp_path):
    case = accepted(case_id)
    found = check_build(Subject(case, engines, reference))
    assert found.status == "fail"
    code, output = run_program(program(case, failure_of(found, "build", case, engines)), tmp_path)
    assert code == 1, output
    assert "expected: an engine" in output
    refusal = found.message.splitlines()[-1].strip()
    assert refusal[:40] in output


def stating(case_id: str, phase: str, error: str) -> Case:
    """A case with another refusal than it has."""
    return suite_case(case_id).model_copy(update={"reject": Reject(phase=phase, error=error, neighbor="layers/plain")})


NOT_REFUSED_SO = {
    "accepted, as known": (lambda: suite_case("dynamic_shapes/c-fp32"), "actual:   accepted"),
    "accepted": (lambda: stating("layers/plain-fp32", "build", "no such layer"), "actual:   accepted"),
    "another error": (
        lambda: stating("layers/bias_of_three-fp32", "network", "another error"),
        "refused in phase network",
    ),
    "set for network": (lambda: stating("setters/stride_0-fp32", "network", "stride_nd of 0"), "refused in phase set"),
    "build for network": (
        lambda: stating("formats/chw16_input-fp16", "network", "a memory layout"),
        "refused in phase build",
    ),
}


STATEMENTS = [
    "builder_options/version_compatible-fp32",
    "compute_capabilities/sm75_int8-int8",
    "format_table/chw4_input_of_halves-fp16",
    "layer_facts/default_output_name-fp32",
    "layer_facts/output_type_default-fp32",
    "layer_inputs/bias_reset-fp32",
    "layer_tensors/wildcard_channels_int8-int8",
    "profiles_stated/beyond_2_31-fp32",
    "scales/input_per_channel-int8",
    "scales/input_scale_nan-int8",
    "scales/int4_kernel_only-int8",
    "scales/runtime_kernel_per_map-int8",
    "scales/scale_of_float16-int8",
    "scales/scales_along_the_window-int8",
    "scales/zero_point_cast-fp8",
    "scales/zero_point_constant-int8",
]


@pytest.mark.parametrize("case_id", STATEMENTS)
def test_what_tensorrt_rtx_does_otherwise_than_nvidia_states_is_shown(case_id, engines, tmp_path):
    case = suite_case(case_id)
    checks = {"reject": check_reject} if case.reject else {"network": check_network, "build": check_build}
    found = [(name, check(Subject(case, engines, reference))) for name, check in checks.items()]
    name, failed = next((name, verdict) for name, verdict in found if verdict.is_fault)
    code, output = run_program(program(case, failure_of(failed, name, case, engines)), tmp_path)
    assert code == 1, output
    if failed.status == "fail" and name == "network" and "reads back as" in failed.message:
        fact, _, actual = failed.message.splitlines()[1].strip().partition(" reads back as ")
        assert f"{fact}: expected" in output
        assert f"actual {actual.split(',')[0]}" in output


@pytest.mark.parametrize("name", NOT_REFUSED_SO)
def test_a_refusal_that_does_not_happen_as_stated_on_tensorrt_rtx_is_shown(name, engines, tmp_path):
    make, shown = NOT_REFUSED_SO[name]
    case = make()
    found = check_reject(Subject(case, engines, reference))
    assert found.status == "fail"
    code, output = run_program(program(case, failure_of(found, "reject", case, engines)), tmp_path)
    assert code == 1, output
    assert shown in output


@pytest.mark.parametrize(
    ("case_id", "zeros"),
    [
        ("plan_size/one_channel-fp16", 10_240),
        ("plan_size/one_channel_quantised-int8", 12_672),
        ("plan_size/chw32_output-fp32", 69_600),
    ],
)
def test_zeros_in_a_plan_of_tensorrt_rtx_are_shown(case_id, zeros, engines, tmp_path):
    case = suite_case(case_id)
    found = check_plan_size(Subject(case, engines, reference))
    assert found.status == "fail", found.message
    code, output = run_program(program(case, failure_of(found, "plan_size", case, engines)), tmp_path)
    assert code == 1, output
    held = found.figures["stored_weights_bytes"]
    assert f"expected: at most {found.figures['weights_limit_bytes']:,} bytes of weights in the plan" in output
    assert f"actual:   {held:,} bytes" in output
    row = int(output.split(" zeros of them")[0].rpartition(" ")[2].replace(",", ""))
    assert zeros <= row < zeros + 600


def test_a_program_about_a_plan_exits_with_0_where_tensorrt_rtx_stores_no_zeros(engines, tmp_path):
    case = suite_case("plan_size/two_channels-fp16")
    figures = check_plan_size(Subject(case, engines, reference)).figures
    for change in ({}, {"stored_weights_bytes": None}, {"stored_weights_bytes": 10**6}):
        said = verdict(
            case.id,
            target=engines.target.name,
            check="plan_size",
            phase="build",
            status="fail",
            message="too large",
            figures={name: value for name, value in (figures | change).items() if value is not None},
        )
        code, output = run_program(program(case, failure_of(said, "plan_size", case, engines)), tmp_path)
        assert code == 0, output


def test_a_wrong_attribute_on_tensorrt_rtx_is_shown(engines, tmp_path):
    case = make_case(expect=Expect(attributes=LayerAttributes(num_groups=2)))
    found = check_network(Subject(case, engines, reference))
    assert found.status == "fail"
    code, output = run_program(program(case, failure_of(found, "network", case, engines)), tmp_path)
    assert code == 1, output
    assert "num_groups: expected 2, actual 1" in output


FINE = [
    ("layers/plain-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("formats/chw32_input-fp16", "build", "refused, but should be accepted:\n  some error"),
    ("setters/stride_0-fp32", "reject", "accepted, but should be refused in phase set with /stride/"),
    ("layers/bias_of_three-fp32", "reject", "refused with another error"),
    ("padding_mode/same_upper-fp32", "network", "stride_nd reads back as [1, 1], but should be [2, 2]"),
    ("builder_options/direct_io-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("builder_options/no_dla-fp32", "network", "num_DLA_cores reads back as 1, but should be 0"),
    ("builder_options/refit_individual_last-fp32", "network", "flags.REFIT reads back as True, but should be False"),
    ("builder_options/tiling_full-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("compute_capabilities/portable-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("compute_capabilities/sm75_bf16-bf16", "reject", "accepted, but should be refused in phase build with /x/"),
    ("fused/hard_swish-fp16", "build", "refused, but should be accepted:\n  some error"),
    ("fused/max_pool_three_d-bf16", "build", "refused, but should be accepted:\n  some error"),
    ("fused/scale_per_map-bf16", "build", "refused, but should be accepted:\n  some error"),
    ("in_a_row/bottleneck-fp16", "build", "refused, but should be accepted:\n  some error"),
    ("in_a_row/two_layers_quantized-fp8", "build", "refused, but should be accepted:\n  some error"),
    ("joined/addend_and_sum_quantized-int8", "build", "refused, but should be accepted:\n  some error"),
    ("joined/max_of_addend-fp16", "build", "refused, but should be accepted:\n  some error"),
    ("layer_facts/no_weights_read_back-fp32", "network", "kernel reads back as [1.0], but should be empty"),
    ("layer_facts/weights_read_back-fp32", "network", "kernel reads back as [1.0], but should be as given"),
    ("layer_inputs/runtime_kernel_and_bias-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("layer_inputs/activation-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("preceded/concat-bf16", "build", "refused, but should be accepted:\n  some error"),
    ("preceded/max_pool-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("preceded/pad_dynamic-fp16", "build", "refused, but should be accepted:\n  some error"),
    ("preceded/slice_pad_relu-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("preceded/uint8_pad-fp16", "network", "the inferred output shape is wrong"),
    ("preceded/uint8_quantized-int8", "build", "refused, but should be accepted:\n  some error"),
    ("profiles_stated/none-fp32", "reject", "accepted, but should be refused in phase build with /x/"),
    ("profiles_stated/two-fp32", "build", "refused, but should be accepted:\n  some error"),
    ("refit/constants-fp32", "network", "the inferred output shape is wrong"),
    ("refit/quantized_kernel-int8", "network", "the inferred output shape is wrong"),
    ("scales/blocks_of_channels-fp8", "reject", "accepted, but should be refused in phase build with /x/"),
    ("scales/dynamic_fp4-fp8", "reject", "accepted, but should be refused in phase network with /x/"),
    ("scales/dynamic_fp8-fp8", "reject", "accepted, but should be refused in phase network with /x/"),
    ("scales/int4_blocks_of_channels-int8", "reject", "accepted, but should be refused in phase build with /x/"),
    ("scales/kernel_stored_per_map-fp8", "build", "refused, but should be accepted:\n  some error"),
    ("scales/zero_point_of_three-int8", "reject", "accepted, but should be refused in phase build with /x/"),
]


@pytest.mark.parametrize(("case_id", "check", "message"), FINE)
def test_a_program_exits_with_0_where_tensorrt_rtx_does_as_it_should(case_id, check, message, engines, tmp_path):
    case = suite_case(case_id)
    phase = "network" if check == "network" else "build"
    found = verdict(case.id, target=engines.target.name, phase=phase, status="fail", message=f"{case.id}\n  {message}")
    code, output = run_program(program(case, failure_of(found, check, case, engines)), tmp_path)
    assert code == 0, output


VALUES = [
    "stride_nd/h2_w1-fp32",
    "padding_mode/same_lower-fp32",
    "padding_mode/caffe_round_up-tf32",
    "num_groups/values-fp32",
    "three_d/values-fp32",
    "dynamic_shapes/n_h_w-fp32",
    "set_input/values-int8",
    "exact_bias/one_a_map-bf16",
    "exact_dilation/h2_w3-fp16",
    "exact_dynamic/n-bf16",
    "exact_int8/full_range_quantised-int8",
    "exact_padding_mode/explicit_round_up-fp16",
    "exact_three_d/stride-fp16",
    "exact_weights/setters-bf16",
    "int8_scales/quantised_output-int8",
    "followed/relu-fp32",
    "followed/clip-fp16",
    "followed/relu_quantised-fp8",
    "bias_tensor/kernel_as_tensor-bf16",
    "empty_batch/between-fp32",
    "extremes/window_31_depthwise-fp32",
    "formats/hwc_both-fp32",
    "formats/chw4_input-fp16",
    "formats/hwc8_nan_padding-fp16",
    "formats/chw16_output-fp16",
    "formats/chw32_input-fp32",
    "leading_dimensions/two_geometry-fp32",
    "quantised_io/both_per_channel-int8",
    "quantised_io/both-fp8",
    "quantised_sections/per_channel-fp8",
    "refit/both-bf16",
    "refit/both-fp16",
    "refit/by_name-fp32",
    "refit/kernel-fp32",
    "reported/one_row_of_1000-fp32",
    "typing/weak-fp16",
    "builder_options/strict_nans-fp32",
    "builder_options/without_jit-fp32",
    "builder_options/workspace_32-fp32",
    "fused/average_pool-fp32",
    "fused/elu-fp32",
    "fused/gelu-fp32",
    "fused/gelu_tanh-fp32",
    "fused/hard_sigmoid-fp16",
    "fused/hard_swish-bf16",
    "fused/leaky_relu-fp16",
    "fused/max-fp16",
    "fused/max_pool-fp32",
    "fused/max_pool_three_d-bf16",
    "fused/min-tf32",
    "fused/relu_max_pool-fp16",
    "fused/scale_per_map-bf16",
    "fused/scale_relu-fp32",
    "fused/selu-fp16",
    "fused/sigmoid-bf16",
    "fused/silu_quantised-int8",
    "fused/softplus-fp32",
    "fused/softsign-fp16",
    "fused/tanh-fp16",
    "halves/bfloat16_output-fp8",
    "halves/float16_uneven_scale-int8",
    "layer_inputs/activation-fp32",
    "layer_inputs/runtime_kernel-fp16",
    "layer_inputs/runtime_kernel_and_bias-fp32",
    "precision/lower_end-int8",
    "precision/obey_int8-int8",
    "precision/obey_float-fp16",
    "profiles_stated/two-fp32",
    "scales/between_bfloat16-int8",
    "scales/between_float16-fp8",
    "scales/input_only-fp8",
    "scales/kernel_only-int8",
    "scales/kernel_rescaled_per_map-int8",
    "scales/kernel_stored-fp8",
    "scales/kernel_stored_per_map-int8",
    "scales/runtime_kernel-int8",
    "scales/zero_point_cast-int8",
    "scales/zero_point_constant-int8",
    "engine_facts/several_layouts-fp16",
    "fused/average_pool_quantised-int8",
    "halves/float16_residual-fp8",
    "halves/float16_depthwise_pointwise-int8",
    "in_a_row/bottleneck-fp32",
    "in_a_row/depthwise_pointwise-bf16",
    "in_a_row/two_layers-fp32",
    "in_a_row/two_layers_quantized-int8",
    "in_a_row/two_layers_relu-tf32",
    "in_a_row/two_layers_three_d-fp32",
    "joined/addend-bf16",
    "joined/addend_and_sum_quantized-int8",
    "joined/addend_quantized-fp8",
    "joined/addend_strided-fp16",
    "joined/addend_three_d-fp32",
    "joined/both_operands_quantized-int8",
    "joined/input_quantized_again-int8",
    "joined/max_of_addend-fp16",
    "joined/min_of_addend-fp32",
    "preceded/concat-bf16",
    "preceded/concat_quantized-int8",
    "preceded/max_pool-fp32",
    "preceded/pad_dynamic-fp16",
    "preceded/pad_quantized-fp8",
    "preceded/pad_same-fp32",
    "preceded/pad_three_d-fp32",
    "preceded/pad_uneven-tf32",
    "preceded/relu-fp16",
    "preceded/slice-fp32",
    "preceded/slice_of_images-fp32",
    "preceded/slice_pad_relu-bf16",
    "preceded/uint8-bf16",
    "preceded/uint8_pad-fp16",
    "preceded/uint8_quantized-int8",
    "refit/constants-fp32",
    "refit/quantized_kernel-int8",
]
FLIPPED_ALIKE = {"int8_scales/quantised_output-int8", "reported/one_row_of_1000-fp32", "three_d/values-fp32"}


@pytest.mark.parametrize("fault", ["", "flipped", "refused"])
def test_a_program_compares_values_in_every_precision_layout_and_mode(fault, tmp_path):
    cases = [suite_case(case_id) for case_id in VALUES if not (fault == "flipped" and case_id in FLIPPED_ALIKE)]
    programs = {case.id: program(case, failure_on(case)) for case in cases}
    codes = exit_codes(programs, tmp_path, fault)
    assert codes == dict.fromkeys(codes, 1 if fault else 0)


@pytest.mark.parametrize("also", [("CHW2",), ("HWC8",), ("CHW2", "HWC8"), ("CHW16", "CHW4")])
@pytest.mark.parametrize(("fault", "code"), [("", 0), ("flipped", 1)])
def test_a_program_reads_the_layout_that_the_builder_chose(also, fault, code, tmp_path):
    """The fake builder chooses the last of TensorRT's own order."""
    case = suite_case("exact_dilation/h2_w3-fp16")
    given = case.model_copy(update={"formats": case.formats.model_copy(update={"also": also})})
    text = program(given, failure_on(given))
    assert run_program(text, tmp_path, fault=fault)[0] == code


def test_a_program_is_a_program_of_its_own(tmp_path):
    case = suite_case("stride_nd/h2_w1-fp32")
    text = program(case, failure_on(case))
    assert "trt_conformance" not in text
    code, output = run_program(text, tmp_path, fault="flipped")
    assert code == 1
    assert "expected: 12345.6789\nactual:" in output
    assert run_program(text, tmp_path, fault="")[0] == 0


LARGE = [
    "exact_padding_mode/explicit_round_up-fp16",
    "exact_dilation/h2_w3-fp16",
    "exact_groups/depthwise-fp32",
    "exact_three_d/stride-fp16",
    "exact_int8/full_range_quantised-int8",
    "int8_scales/per_channel-int8",
    "followed/clip-fp16",
    "fused/gelu-fp32",
    "exact_bias/one_a_map-bf16",
    "stride_nd/h2_w1-fp32",
]


@pytest.mark.parametrize("fault", ["", "flipped", "refused"])
def test_a_program_of_a_large_case_makes_its_input_by_images_and_compares_one_element(fault, tmp_path):
    programs = {}
    for case in (suite_case(case_id).model_copy(update={"large": True}) for case_id in LARGE):
        result = reference(case)
        limits = bound(case, result)
        _, limits = network_result(case, result, limits, case.input.shape)
        for at in [*np.ndindex(limits.shape)][:: max(1, limits.size // 6)]:
            figures = {"worst": list(at), "bound": float(limits[at])}
            programs[f"{case.id} {at}"] = program(case, failure_on(case, figures=figures))
    codes = exit_codes(programs, tmp_path, fault)
    if fault == "flipped":  # some elements of a flipped kernel are equal
        wrong = {name.split()[0] for name, code in codes.items() if code}
        assert len(wrong) > len(LARGE) / 2
    else:
        assert codes == dict.fromkeys(codes, 1 if fault else 0)


def test_a_large_case_without_a_wrong_element_only_runs(tmp_path):
    case = suite_case("reported/patches_of_14_whole-fp16")
    assert case.large
    text = program(case, failure_on(case, "illegal memory access", status="error", phase="run"))
    assert "(words((3, 1008, 1008), stream_of_x) >>" in text
    small = text.replace("1008", "28").replace("1024", "2")
    assert run_program(small, tmp_path, fault="")[0] == 0
    assert run_program(small, tmp_path, fault="refused")[0] == 1


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
