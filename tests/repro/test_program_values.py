"""The programs of `repro` compare values, in every precision, layout and mode, on a TensorRT that computes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.programs import exit_codes, failure_on, run_program
from tests.support.suite import suite_case
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.bounds.epilogue import network_result
from trt_conformance.numerics.reference.result import reference
from trt_conformance.repro.program import program

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
    code, output = run_program(text, tmp_path, fault="flipped", forked=False)
    assert code == 1
    assert "expected: 12345.6789\nactual:" in output
    assert run_program(text, tmp_path, fault="", forked=False)[0] == 0


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
