"""The programs of `repro` show on TensorRT-RTX what their verdicts state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.helpers import make_case, sampled
from tests.support.programs import accepted, exit_codes, run_program
from tests.support.runs import record, verdict
from tests.support.suite import suite_case
from trt_conformance.checks.build import check_build
from trt_conformance.checks.network import check_network
from trt_conformance.checks.plan_size import check_plan_size
from trt_conformance.checks.rejections import check_reject
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case, Expect, Reject
from trt_conformance.core.network_fields import LayerAttributes
from trt_conformance.numerics.reference.result import reference
from trt_conformance.repro.failure import find_failure
from trt_conformance.repro.program import program
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.options import Options
from trt_conformance.targets.tensorrt.target import TensorRTTarget

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


def test_a_program_exits_with_0_where_tensorrt_rtx_does_as_it_should(engines, tmp_path):
    programs = {}
    for case_id, check, message in FINE:
        phase = "network" if check == "network" else "build"
        said = f"{case_id}\n  {message}"
        found = verdict(case_id, target=engines.target.name, phase=phase, status="fail", message=said)
        case = suite_case(case_id)
        programs[case_id] = program(case, failure_of(found, check, case, engines))
    codes = exit_codes(programs, tmp_path)
    assert codes == dict.fromkeys(programs, 0)
