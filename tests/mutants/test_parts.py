"""Cases show errors in a part of the outputs: behind tiles, far from 0, after the fourth map, in one group."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.suite import suite_case, suite_catalog
from trt_conformance.core.tensors import OUTPUT, feeds_of
from trt_conformance.mutants import MUTANTS, Mutant, MutantTarget, activations, edges, score, tiles
from trt_conformance.targets.numpy import NumpyTarget

SHOWN_BY = {
    "pixel_behind_tiles_of_128": "exact_tiles/pixels_129",
    "tile_of_256_across_images": "exact_tiles/pixels_258_of_three",
    "last_tap_left_out_of_column_31_by_1": "exact_tiles/columns_66",
    "last_tap_left_out_of_column_31_by_2": "exact_tiles/columns_34_stride_2",
    "last_tap_left_out_of_column_31_by_3": "exact_tiles/columns_34_stride_3",
    "first_tap_left_out_of_row_16_window_5": "exact_tiles/rows_18_window_5",
    "first_tap_left_out_of_row_16_dilated": "exact_tiles/rows_18_dilated",
    "depthwise_window_5_by_stride_2": "exact_tiles/depthwise_window_5_stride_2",
    "input_of_one_row": "exact_tiles/one_row_under_three",
    "input_of_one_column": "exact_tiles/one_column_under_three",
    "input_of_one_slice": "exact_tiles/one_slice_under_three",
    "input_offset_in_16_bits": "exact_tiles/input_beyond_65536",
    "output_offset_in_16_bits": "exact_tiles/output_beyond_65536",
    **{f"{op}_straight_beyond_{far:g}": f"fused_ranges/{op}" for op, far in activations.FAR},
    **{f"{op}_straight_near_0": f"fused_ranges/{op}" for op in activations.NEAR},
    "leaky_relu_as_larger_line": "fused_ranges/leaky_relu_steep",
    "leaky_relu_of_0_with_usual_slope": "fused_ranges/leaky_relu_flat",
    "clip_ignored_without_low": "fused_ranges/clip_without_low",
    "clip_ignored_without_high": "fused_ranges/clip_without_high",
    "clip_ignored_in_3d": "fused/three_d_clip",
    "max_pool_of_the_largest_or_0": "fused_ranges/max_pool",
    "max_pool_before_of_the_largest_or_0": "preceded/max_pool_uneven",
    "add_of_first_channel_behind_4": "joined/add_21_maps",
    "min_of_first_channel_behind_4": "joined/min_21_maps",
    "max_of_first_channel_behind_4": "joined/max_21_maps",
    "concat_behind_whole_fours": "joined/concat_21_maps",
    "further_bias_dropped_with_groups": "in_a_row/second_grouped",
    "further_dilation_ignored": "in_a_row/second_grouped",
    "last_profile_limits_all": "profiles_stated/smaller_second",
    "int8_padding_of_one_beside_zero_points": "scales/zero_point_padded",
    "refit_other_groups_ignored": "refit/groups",
    "refit_in_blocks_of_16": "refit/kernel",
    "last_slice_dropped_by_strides_of_d_and_w": "mutants/three_d_strides_of_d_and_w",
    "padded_slices_repeated_window_1": "mutants/three_d_window_1_padded_in_depth",
    "last_slice_dropped_of_wide_depthwise": "mutants/three_d_depthwise_17",
    "depthwise_kernel_of_next_map_from_image_4": "mutants/depthwise_33_of_5_images",
    "middle_tap_twice_of_one_channel": "mutants/one_channel_of_12_columns",
    "window_of_255_columns": "mutants/window_257_along_w",
    "window_of_255_rows": "mutants/window_257_along_h",
    "dilation_in_8_bits": "mutants/dilation_257_along_h",
    "fp32_kernel_in_two_bf16": "mutants/kernel_of_20_bits",
    "fp32_input_in_two_bf16": "mutants/input_of_20_bits",
    "tf32_bias_in_tf32_of_wide_layers": "mutants/bias_of_13_bits_67_maps",
    "fp16_largest_infinite": "mutants/largest_float16",
    "bf16_kernel_in_fp16_window_1": "mutants/beyond_float16",
    **{f"bf16_kernel_in_fp16_{kind}": f"bf16_range/large_{kind}" for kind in ("groups", "depthwise")},
    "bf16_kernel_in_fp16_3d": "bf16_range/large_three_d",
    "bf16_add_in_fp16": "bf16_range/large_added",
    "fp32_in_tf32_of_further_dimensions": "leading_dimensions/numbers_of_20_bits",
    "input_in_fp16_of_a_quantized_kernel": "scales/kernel_only_13_bits",
    "outer_dimensions_swapped": "leading_dimensions/three_unequal",
    "bf16_relu_in_fp16": "mutants/beyond_float16_relu",
    "int8_sums_of_22_bits": "mutants/int8_sums_of_24_bits",
    "int8_output_beyond_15_bits": "mutants/int8_output_beyond_int32",
    "int8_output_beyond_31_bits": "mutants/int8_output_beyond_int32",
    "int8_add_of_quantized_input": "mutants/int8_add_beyond_input",
    "int8_concat_of_quantized_input": "mutants/int8_concat_beyond_input",
    "leaky_relu_numbers_in_fp16": "fused_ranges/leaky_relu_of_20_bits",
    "clip_numbers_in_fp16": "fused_ranges/clip_of_20_bits",
    "scale_numbers_in_fp16": "fused_ranges/scale_of_20_bits",
    "scale_of_64_maps": "fused_ranges/scale_of_67_maps",
    "scale_after_shift": "fused_ranges/scale_of_67_maps",
    **{
        f"slice_before_{what}_of_{axis}_ignored": "preceded/slice_of_every_axis"
        for what in ("start", "stride")
        for axis in "nchw"
    },
}


def of_name(name: str) -> Mutant:
    return next(mutant for mutant in MUTANTS if mutant.name == name)


def test_each_mutant_of_a_part_is_among_those_that_a_case_shows() -> None:
    assert {mutant.name for mutant in (*tiles.MUTANTS, *activations.MUTANTS, *edges.MUTANTS)} <= set(SHOWN_BY)


@pytest.mark.parametrize(("name", "case"), SHOWN_BY.items(), ids=SHOWN_BY)
def test_the_case_of_a_part_shows_its_fault_in_every_precision(name: str, case: str) -> None:
    """But halves round an activation to its asymptote, too."""
    catalog = suite_catalog()
    wrong = of_name(name)
    cases = [one for one in catalog.by_base(case) if wrong.applies(one)]
    cases = [one for one in cases if "_straight_" not in name or one.precision == "fp32"]
    for one in cases:
        (outcome,) = score([wrong], catalog, [one])
        assert [fault.status for fault in outcome.faults] == ["fail"], one.id
    assert cases


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("pixel_behind_tiles_of_128", "exact_tiles/columns_66-fp32"),
        ("tile_of_256_across_images", "exact_tiles/pixels_129-fp32"),
        ("last_tap_left_out_of_column_31_by_2", "stride_nd/h2_w2-fp32"),
        ("input_offset_in_16_bits", "exact_tiles/pixels_258_of_three-fp32"),
        ("output_offset_in_16_bits", "exact_tiles/pixels_258_of_three-fp32"),
        ("leaky_relu_as_larger_line", "fused/leaky_relu-fp32"),
        ("clip_ignored_without_low", "fused_ranges/clip_without_high-fp32"),
        ("clip_ignored_in_3d", "fused_ranges/clip-fp32"),
        ("concat_behind_whole_fours", "followed/relu_add_concat_32-fp16"),
        ("slice_before_start_of_w_ignored", "preceded/slice-fp32"),
    ],
)
def test_a_mutant_is_right_outside_its_part(name: str, case: str) -> None:
    found = suite_case(case)
    (given,) = (feeds_of(found, index) for index in range(len(found.run_shapes)))
    wrong, right = (target.build(found).run(given)[OUTPUT] for target in (MutantTarget(of_name(name)), NumpyTarget()))
    np.testing.assert_array_equal(wrong, right)
