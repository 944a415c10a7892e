"""What is wrong with how a network is built and defined has its line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_text import DYNAMIC, check_fault

FLAT_DYNAMIC = ["dynamic." + line for line in DYNAMIC.splitlines()[1:]]
BAD: dict[str, tuple[list[str], str]] = {
    # How the network is built.
    "a flag twice": (['builder.flags = ["REFIT", "REFIT"]  # here'], "builder.flags: a value is listed twice"),
    "an unknown flag": (['builder.flags = ["REFITT"]  # here'], 'unknown value "REFITT"; did you mean "REFIT"?'),
    "the flag FP16 of a strongly typed network": (
        ['builder.flags = ["FP16"]  # here'],
        'builder.flags: FP16 and BF16 are for fp32 with typing = "weak"',
    ),
    "the flag BF16 before a ReLU": (
        ['typing = "weak"', 'epilogue = [{ op = "relu" }]', 'builder.flags = ["BF16"]  # here'],
        "builder.flags: with FP16 or BF16 there is a bound only if the layer is alone",
    ),
    "constraints that are obeyed and preferred": (
        ['builder.flags = ["OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS"]  # here'],
        "builder.flags: OBEY_ and PREFER_PRECISION_CONSTRAINTS exclude each other",
    ),
    "a stripped plan that is not refitted": (
        ['builder.flags = ["STRIP_PLAN"]  # here'],
        "builder.flags: an engine of STRIP_PLAN has no weights, so the case needs refit",
    ),
    "a budget of weights that are not streamed": (
        ["builder.weight_streaming_budget = 0  # here"],
        'builder.weight_streaming_budget: needs flags = ["WEIGHT_STREAMING"]',
    ),
    "a timed case with an option of its own": (
        ["builder.workspace = 1  # here", "latency = true"],
        "builder: not allowed in a timed case",
    ),
    "a layer of INT8 in a network of floats": (
        ['network.precision = "INT8"  # here', 'typing = "weak"'],
        "network.precision: INT8 needs quantize.dynamic_range",
    ),
    "an output of INT8": (
        ['network.output_type = "INT8"  # here', 'typing = "weak"'],
        'network.output_type: unknown value "INT8"; expected one of FLOAT, HALF',
    ),
    "a level beyond 5": (
        ["builder.builder_optimization_level = 6  # here"],
        "builder.builder_optimization_level: must be at most 5, got 6",
    ),
    "no profile in an accepted case": (
        ['dynamic.profile = "none"  # here', *FLAT_DYNAMIC],
        "dynamic.profile: without a profile the build is refused, so the case needs reject",
    ),
    "a further profile of other dimensions": (
        [
            "dynamic.further_profiles = [{ min = [1], opt = [1], max = [1] }]  # here",
            *FLAT_DYNAMIC,
        ],
        "dynamic.further_profiles[0]: expected shapes of 4 dimensions, as input.shape has",
    ),
    "a layout of the DLA that is accepted": (
        ['formats.input = "DLA_LINEAR"  # here', 'precision = "fp16"'],
        "formats.input: DLA_LINEAR is for the DLA, and a GPU refuses it, so the case needs reject",
    ),
    # What the engine reports.
    "a sparse layer without the flag": (
        ["expect.engine.sparse_eligible = true  # here"],
        'expect.engine.sparse_eligible: the builder says it only with flags = ["SPARSE_WEIGHTS"]',
    ),
    "constraints without a flag": (
        ["expect.engine.constraints_obeyed = false  # here"],
        "expect.engine.constraints_obeyed: needs builder.flags with OBEY_PRECISION_CONSTRAINTS or PREFER_",
    ),
    "a refittable engine without the flag": (
        ["expect.engine.refittable = true  # here"],
        "expect.engine.refittable: with these builder.flags it is false",
    ),
    "an engine of REFIT that is not refittable": (
        ["expect.engine.refittable = false  # here", 'builder.flags = ["REFIT"]'],
        "expect.engine.refittable: with these builder.flags it is true",
    ),
    "more profiles than the case has": (
        ["expect.engine.num_optimization_profiles = 2  # here", *FLAT_DYNAMIC],
        "expect.engine.num_optimization_profiles: the case has 1",
    ),
    "another layout than that of the case": (
        ['expect.engine.input.format = "HWC8"  # here', 'precision = "fp16"'],
        "expect.engine.input.format: formats.input is LINEAR",
    ),
    "another type than that of the case": (
        ['expect.engine.output.dtype = "FLOAT"  # here', 'precision = "fp16"'],
        "expect.engine.output.dtype: the network's output is HALF",
    ),
    "another shape than that of the case": (
        ["expect.engine.input.shape = [1, 1, 9, 6]  # here"],
        "expect.engine.input.shape: the network declares [1, 1, 6, 9]",
    ),
    # How the network is defined.
    "a precision that is none": (["runs_in = []  # here"], "runs_in: unknown value []; expected one of fp32"),
    "a table of precisions that is none": (
        ['runs_in = { on."tensorrt*" = "fp99" }  # here'],
        'runs_in.on.tensorrt*: expected an array, got "fp99"',
    ),
    "a further input that is accepted": (["network.set_input = 3  # here"], "network.set_input: a further input is"),
    "a bias that is reset and stays": (
        ['network.bias_reset = "trt.Weights()"  # here', 'bias.fill = "ones"'],
        "network.bias_reset: the layer ends up without a bias, so the case must have none",
    ),
    "a runtime kernel by the constructor": (
        ['network.runtime = ["kernel"]  # here'],
        'network.runtime: a kernel that is an input needs weights = "set_input"',
    ),
    "a runtime bias by the constructor": (
        ['network.runtime = ["bias"]  # here', "bias.values = [1]"],
        "network.runtime: a bias that is an input needs bias_by_set_input",
    ),
    "a runtime kernel twice": (
        ['network.runtime = ["kernel", "kernel"]  # here', 'weights = "set_input"'],
        "network.runtime: a tensor is listed twice",
    ),
    "a runtime kernel that is timed": (
        ['network.runtime = ["kernel"]  # here', 'weights = "set_input"', "latency = true"],
        "network.runtime: timed and large cases have one input",
    ),
    "another activation of a dynamic network": (
        [
            "network.activation_by_set_input = true  # here",
            "[case.dynamic]",
            "shape = [-1, 1, 6, 9]",
            "min = [1, 1, 6, 9]",
            "opt = [1, 1, 6, 9]",
            "max = [2, 1, 6, 9]",
            "run = [[1, 1, 6, 9]]",
        ],
        "network.activation_by_set_input: the other tensor is a float constant of the input's shape",
    ),
    "another number of maps that is accepted": (
        ["set.num_output_maps = 2  # here"],
        "set.num_output_maps: the kernel has the maps, so another number needs reject",
    ),
    "an unknown fact": (
        ['expect.attributes.typ = "CONVOLUTION"  # here'],
        'unknown key in expect.attributes: "typ"; did you mean "type"?',
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_fault_of_an_entry_has_its_line_and_reason(kind: str, tmp_path: Path) -> None:
    check_fault(*BAD[kind], tmp_path)
