"""The commands of TensorRT's own tools that run a case's ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import ADDEND, INPUT
from trt_conformance.core.types import DataType
from trt_conformance.repro.failure import Failure
from trt_conformance.targets.tensorrt.build import LEVELS, WEAK_FLAGS

MODEL, DATA_SCRIPT = "model.onnx", "data.py"

_IO_TYPE: dict[DataType, str] = {
    "float32": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
    "int8": "int8",
    "float8": "fp8",
    "uint8": "uint8",
}


def input_file(name: str) -> str:
    """The file with the values of an input of the model."""
    return f"{name}.bin"


def trtexec(case: Case, failure: Failure) -> str:
    """The command of `trtexec`, which is called `tensorrt_rtx` in TensorRT-RTX."""
    parts = ["tensorrt_rtx" if failure.is_rtx else "trtexec", f"--onnx={MODEL}"]
    if case.precision != "tf32":
        parts.append("--noTF32")
    if not failure.is_rtx and failure.is_strongly_typed(case):
        parts.append("--stronglyTyped")
    elif not failure.is_rtx:
        parts += [f"--{flag.lower()}" for flag in WEAK_FLAGS.get(case.precision, ())[:1]]
    for option, name, dtype in (
        ("inputIOFormats", case.formats.input, case.input_type),
        ("outputIOFormats", case.formats.output, case.output_type),
    ):
        if (case.formats.input, case.formats.output) != ("LINEAR", "LINEAR") or dtype != "float32":
            given = [f"{_IO_TYPE[dtype]}:{'chw' if name == 'LINEAR' else name.lower()}"]
            if option == "inputIOFormats" and case.addend is not None:
                given.append(f"{_IO_TYPE[case.data_type]}:chw")
            parts.append(f"--{option}={','.join(given)}")
    if case.dynamic is not None:
        shapes = {"min": case.dynamic.min, "opt": case.dynamic.opt, "max": case.dynamic.max}
        parts += [f"--{name}Shapes={INPUT}:{_by_x(shape)}" for name, shape in shapes.items()]
        parts.append(f"--shapes={INPUT}:{_by_x(case.run_shapes[0])}")
    tactics = failure.facts.get("tactics")
    if tactics in LEVELS:
        parts.append(f"--builderOptimizationLevel={LEVELS[tactics]}")
    loaded = [f"{name}:{input_file(name)}" for name in (INPUT, *[ADDEND] * (case.addend is not None))]
    return " ".join([*parts, f"--loadInputs={','.join(loaded)}", "--dumpOutput"])


def polygraphy(case: Case, failure: Failure) -> str:
    """The command of Polygraphy, which compares with ONNX Runtime."""
    parts = ["POLYGRAPHY_USE_TENSORRT_RTX=1"] if failure.is_rtx else []
    parts += ["polygraphy", "run", MODEL, "--trt", "--onnxrt", "--data-loader-script", DATA_SCRIPT]
    if case.precision == "tf32":
        parts.append("--tf32")
    if not failure.is_rtx and failure.is_strongly_typed(case):
        parts.append("--strongly-typed")
    elif not failure.is_rtx:
        parts += [f"--{flag.lower()}" for flag in WEAK_FLAGS.get(case.precision, ())[:1]]
    if case.dynamic is not None:
        shapes = {"min": case.dynamic.min, "opt": case.dynamic.opt, "max": case.dynamic.max}
        parts += [f"--trt-{name}-shapes {INPUT}:[{','.join(map(str, shape))}]" for name, shape in shapes.items()]
    return " ".join(parts)


def data_script(case: Case, feeds: Mapping[str, Array]) -> str:
    """The script from which Polygraphy takes the inputs, whose files are beside it."""
    entries = [
        f'        "{name}": np.fromfile("{input_file(name)}", np.{x.dtype.name}).reshape({x.shape}),'
        for name, x in feeds.items()
    ]
    lines = [f'"""Gives Polygraphy the inputs of {case.base_id}."""', "", "import numpy as np", "", ""]
    return "\n".join([*lines, "def load_data():", "    yield {", *entries, "    }"]) + "\n"


def _by_x(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
