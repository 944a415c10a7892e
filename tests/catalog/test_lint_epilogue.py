"""What is wrong with the operations before and after a layer has its line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_text import SCALED, check_fault

BAD: dict[str, tuple[list[str], str]] = {
    # What follows the layer.
    "alpha of an activation without one": (
        ['epilogue = [{ op = "silu", alpha = 0.5 }]  # here'],
        "alpha: only leaky_relu has it, not silu",
    ),
    "a leaky ReLU without alpha": (['epilogue = [{ op = "leaky_relu" }]  # here'], "leaky_relu needs alpha, a slope"),
    "a leaky ReLU that is a line": (
        ['epilogue = [{ op = "leaky_relu", alpha = 1.0 }]  # here'],
        "leaky_relu needs alpha, a slope other than 1",
    ),
    "a leaky ReLU without a finite slope": (
        ['epilogue = [{ op = "leaky_relu", alpha = inf }]  # here'],
        "leaky_relu needs alpha, a slope other than 1",
    ),
    "a clip of nothing but a point": (
        ['epilogue = [{ op = "clip", low = 2.0, high = 2.0 }]  # here'],
        "clip needs finite low and high, and low < high",
    ),
    **{
        f"a clip without a finite end ({ends})": (
            [f'epilogue = [{{ op = "clip", {ends} }}]  # here'],
            "clip needs finite low and high, and low < high",
        )
        for ends in (
            "low = nan, high = 2.0",
            "low = -2.0, high = nan",
            "low = -inf, high = 2.0",
            "low = -2.0, high = inf",
        )
    },
    "a clip of everything": (
        ["# here", 'epilogue = [{ op = "clip", low = -3.4028234663852886e38, high = 3.4028234663852886e38 }]'],
        "a wrong convolution could pass: ",
    ),
    "a clip that ends beyond float32": (
        ['epilogue = [{ op = "clip", low = -1e39, high = 2.0 }]  # here'],
        "low: -1e+39 is not exactly representable in float32",
    ),
    "a clip that ends between two float32": (
        ['epilogue = [{ op = "clip", low = -2.0, high = 0.1 }]  # here'],
        "high: 0.1 is not exactly representable in float32",
    ),
    "a clip that ends beyond float16": (
        ['precision = "fp16"', 'epilogue = [{ op = "clip", low = -2.0, high = 65536.0 }]  # here'],
        "high: 65536 is not exactly representable in float16",
    ),
    "a leaky ReLU whose slope is no float32": (
        ['epilogue = [{ op = "leaky_relu", alpha = 0.1 }]  # here'],
        "alpha: 0.1 is not exactly representable in float32",
    ),
    **{
        f"a leaky ReLU whose slope is {alpha}": (
            [f'epilogue = [{{ op = "leaky_relu", alpha = {alpha} }}]  # here'],
            "leaky_relu needs alpha, a slope other than 1",
        )
        for alpha in ("nan", "-inf")
    },
    **{
        f"a scale by {factor}": (
            [f'epilogue = [{{ op = "scale", scale = [{factor}] }}]  # here'],
            "scale: expected finite values",
        )
        for factor in ("nan", "inf")
    },
    "a scale of nothing": (['epilogue = [{ op = "scale" }]  # here'], "scale needs scale or shift"),
    "a scale of other maps": (
        ['epilogue = [{ op = "scale", scale = [1.0, 2.0] }]  # here'],
        "scale has 2 values, expected 1, or one for each output map (1)",
    ),
    "a scale that is no float16": (
        ['precision = "fp16"', 'epilogue = [{ op = "scale", scale = [1.0001] }]  # here'],
        "scale: 1.0001 is not exactly representable in float16",
    ),
    "a pooling of one axis": (
        ['epilogue = [{ op = "max_pool", window = [2] }]  # here'],
        "max_pool needs window, with 2 sizes of at least 1",
    ),
    "a pooling without a window": (['epilogue = [{ op = "max_pool" }]  # here'], "max_pool needs window, with 2 sizes"),
    "a pooling of nothing": (
        ['epilogue = [{ op = "max_pool", window = [2, 0] }]  # here'],
        "max_pool needs window, with 2 sizes of at least 1",
    ),
    "a pooling beyond the output": (
        ['epilogue = [{ op = "max_pool", window = [2, 8] }]  # here'],
        "max_pool: the window [2, 8] is larger than [4, 7]",
    ),
    "an exact mean": (
        ["exact = true", 'epilogue = [{ op = "average_pool", window = [2, 2] }]  # here'],
        "op: average_pool rounds, so the case cannot be exact",
    ),
    "an exact activation": (
        ["exact = true", 'epilogue = [{ op = "tanh" }]  # here'],
        "op: tanh rounds, so the case cannot be exact",
    ),
    "a minimum with an input of another shape": (
        ['epilogue = [{ op = "min" }]  # here'],
        "epilogue[0].op: the input [1, 1, 6, 9] cannot be compared with [1, 1, 4, 7]",
    ),
    "a further layer without a kernel": (
        ['epilogue = [{ op = "convolution" }]  # here'],
        "convolution needs layer, with the shape and fill of its kernel",
    ),
    "a further layer of other dimensions": (
        ['epilogue = [{ op = "convolution", layer = { shape = [1, 1, 1, 1, 1], fill = "uniform" } }]  # here'],
        "shape: the kernel is 2D, expected 4 dimensions",
    ),
    "a further layer of a large window": (
        ['epilogue = [{ op = "convolution", layer = { shape = [1, 1, 1, 4], fill = "uniform" } }]  # here'],
        "shape: windows of further layers may have at most 3",
    ),
    "a further layer that does not fit": (
        ['epilogue = [{ op = "convolution", layer = { shape = [1, 2, 1, 1], fill = "uniform" } }]  # here'],
        "epilogue[0].op: no valid convolution of [1, 1, 4, 7]",
    ),
    "a further layer with one stride": (
        [
            'epilogue = [{ op = "convolution", layer = { shape = [1,1,1,1], fill="ones", stride_nd = [1] } }]  # here',
        ],
        "stride_nd: expected 2 values",
    ),
    "a scale of a further layer of floats": (
        ['epilogue = [{ op = "convolution", layer = { shape = [1, 1, 1, 1], fill = "ones", scale = [1.0] } }]  # here'],
        "scale: required in a quantized case, and not allowed in others",
    ),
    "an exact further layer": (
        [
            "exact = true",
            'epilogue = [{ op = "convolution", layer = { shape = [1, 1, 1, 1], fill = "uniform" } }]  # here',
        ],
        "layer: a further layer rounds, so the case cannot be exact",
    ),
    "a ReLU with a further layer": (
        ['epilogue = [{ op = "relu", layer = { shape = [1, 1, 1, 1], fill = "ones" } }]  # here'],
        "layer: only convolution has it, not relu",
    ),
    # What is before the layer.
    "a pad of one axis": (
        ['prologue = [{ op = "pad", pre_padding = [1], post_padding = [1] }]  # here'],
        "prologue[0]: pad needs two values of at least 0 in pre_padding and in post_padding",
    ),
    "a pad that crops": (
        ['prologue = [{ op = "pad", pre_padding = [-1, 0], post_padding = [0, 0] }]  # here'],
        "prologue[0]: pad needs two values of at least 0",
    ),
    "a pad of nothing": (
        ['prologue = [{ op = "pad", pre_padding = [1, 1] }]  # here'],
        "pad needs pre_padding, post_padding",
    ),
    "a ReLU with a window": (
        ['prologue = [{ op = "relu", window = [1, 1] }]  # here'],
        "window: only max_pool has it, not relu",
    ),
    "a slice of three axes": (
        ['prologue = [{ op = "slice", start = [0, 0, 0], shape = [1, 1, 6], stride = [1, 1, 1] }]  # here'],
        "prologue[0]: slice needs 4 values in start, shape and stride",
    ),
    "a slice beyond the input": (
        ['prologue = [{ op = "slice", start = [0, 0, 1, 0], shape = [1, 1, 6, 9], stride = [1, 1, 1, 1] }]  # here'],
        "prologue[0]: slice reads beyond [1, 1, 6, 9]",
    ),
    "a pooling beyond the input": (
        ['prologue = [{ op = "max_pool", window = [7, 1] }]  # here'],
        "prologue[0]: max_pool: the window [7, 1] is larger than [6, 9]",
    ),
    "a concatenation of nothing": (
        ['prologue = [{ op = "concat" }]  # here'],
        "prologue[0]: concat: the case has no addend",
    ),
    "a concatenation of another size": (
        ['addend = { shape = [1, 1, 6, 8], fill = "ones" }', 'prologue = [{ op = "concat" }]  # here'],
        "prologue[0]: the addend [1, 1, 6, 8] cannot be concatenated to [1, 1, 6, 9] along C",
    ),
    "channels that the kernel does not have": (
        ["# here", 'addend = { shape = [1, 1, 6, 9], fill = "ones" }', 'prologue = [{ op = "concat" }]'],
        "no valid convolution of [1, 1, 6, 9]",
    ),
    "a cast of a fraction": (
        ['input = { shape = [1, 1, 6, 9], fill = "uniform" }  # here', 'prologue = [{ op = "cast" }]'],
        "input: cast reads uint8, so the values must be integers of 0 to 255",
    ),
    "a cast behind a ReLU": (
        ['prologue = [{ op = "relu" }, { op = "cast" }]  # here'],
        "prologue: the network reads uint8, so cast is its first operation, and the only cast",
    ),
    "a timed prologue": (
        ["latency = true", 'prologue = [{ op = "relu" }]  # here'],
        "prologue: not allowed in cases with latency, large or special_values",
    ),
    "an addend that nothing reads": (
        ['addend = { shape = [1, 1, 4, 7], fill = "ones" }  # here'],
        "addend: no operation reads it",
    ),
    "an addend that is not there": (
        ['epilogue = [{ op = "add", of = "addend" }]  # here'],
        "add: the case has no addend",
    ),
    "an addend of another shape": (
        ['addend = { shape = [1, 1, 4, 6], fill = "ones" }', 'epilogue = [{ op = "add", of = "addend" }]  # here'],
        "epilogue[0].op: the addend [1, 1, 4, 6] cannot be added to [1, 1, 4, 7]",
    ),
    "an addend without values": (
        ["addend = { shape = [1, 1, 4, 7] }  # here", 'epilogue = [{ op = "add", of = "addend" }]'],
        "addend has neither fill nor values",
    ),
    "an addend that is concatenated": (
        ['addend = { shape = [1, 1, 4, 7], fill = "ones" }', 'epilogue = [{ op = "concat", of = "addend" }]  # here'],
        "of: only add, min, max read the addend, not concat",
    ),
    "an addend of a timed case": (
        [
            "latency = true",
            'addend = { shape = [1, 1, 4, 7], fill = "ones" }  # here',
            'epilogue = [{ op = "add", of = "addend" }]',
        ],
        "addend: timed and large cases have one input",
    ),
    "a Q of floats": (
        ['epilogue = [{ op = "quantize", scale = [0.5] }]  # here'],
        "scale: Q and DQ are only for precision int8 and fp8, but the case also runs in fp32",
    ),
    "a Q with two scales": (
        [*SCALED, "quantize.input = 1.0", 'epilogue = [{ op = "quantize", scale = [0.5, 1.0] }]  # here'],
        "quantize needs scale, with one value",
    ),
    "a Q with a scale of 0": (
        [*SCALED, "quantize.input = 1.0", 'epilogue = [{ op = "quantize", scale = [0.0] }]  # here'],
        "scale: a scale must be a positive float32, got 0",
    ),
    "an operand of an activation that is quantized": (
        [*SCALED, "quantize.input = 1.0", 'epilogue = [{ op = "relu", of_scale = 1.0 }]  # here'],
        "of_scale: only add, min, max have an operand that is quantized, not relu",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_fault_of_an_entry_has_its_line_and_reason(kind: str, tmp_path: Path) -> None:
    check_fault(*BAD[kind], tmp_path)
