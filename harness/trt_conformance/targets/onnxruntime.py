"""ONNX Runtime on the CPU: a second engine, which runs the case as an ONNX model.

Padding is always given explicitly, computed by the suite's own formulas: its CPU provider refuses
auto_pad with dilation, and ONNX has no rounding modes for convolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError, InvalidConvolution
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.tensors import ADDEND, INPUT, NUMPY_TYPE, OUTPUT, parameters
from trt_conformance.core.types import Mode
from trt_conformance.numerics.reference.shape import resolve
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.io_quantization import dequantized, quantized
from trt_conformance.targets.onnx_epilogue import followed, has_gelu
from trt_conformance.targets.onnx_prologue import preceded
from trt_conformance.targets.other_rules import lacks
from trt_conformance.targets.protocols import NetworkFacts
from trt_conformance.targets.timing import host
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan

OPSET, NEWER_OPSET, GELU_OPSET = 17, 19, 20  # the newer has Q and DQ of FP8, and of half tensors
THREADS = 1


def inexpressible(case: Case) -> str | None:
    """Return why no ONNX model expresses a case; None if one does."""
    if len(case.input.shape) != case.spatial_rank + 2:
        return "ONNX convolves one batch dimension"
    if case.dynamic is not None and not case.attributes.mode.endswith("ROUND_DOWN"):
        return "ONNX pads are constants, and this padding depends on the input's size"
    return None


def onnx_model(case: Case) -> bytes:
    """The case as a serialized ONNX model: Conv with explicit pads, Q/DQ where the case quantizes.

    Raises:
        InvalidConvolution: the case's shapes and attributes do not go together.
    """
    from onnx import checker, helper, numpy_helper

    types = {INPUT: case.input_type, ADDEND: case.data_type, OUTPUT: case.output_type}
    elements = {name: helper.np_dtype_to_tensor_dtype(NUMPY_TYPE[held]) for name, held in types.items()}
    draft = _Nodes(case)
    declared = [None if n == -1 else n for n in case.network_shape]
    inputs = {INPUT: declared} | ({} if case.addend is None else {ADDEND: list(case.addend.shape)})
    graph = helper.make_graph(
        draft.nodes,
        "case",
        [helper.make_tensor_value_info(name, elements[name], shape) for name, shape in inputs.items()],
        # Dimensions without values: the output's shape is for ONNX to infer.
        [helper.make_tensor_value_info(OUTPUT, elements[OUTPUT], [None] * len(declared))],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in draft.constants.items()],
    )
    version, ir_version = _versions(case)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=ir_version)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _versions(case: Case) -> tuple[int, int]:
    """The versions of the operators and of the format: the oldest that have what the case needs."""
    if has_gelu(case):
        return GELU_OPSET, 9
    is_newer = case.quantize is not None and (case.precision == "fp8" or case.quantize.between is not None)
    return (NEWER_OPSET, 9) if is_newer else (OPSET, 8)


class _Nodes:
    """The nodes of a case's model, and their constants."""

    def __init__(self, case: Case) -> None:
        self._case = case
        data = parameters(case)
        self.constants: dict[str, Array] = {"kernel": data.kernel}
        self.nodes, self._source = preceded(case, self.constants)
        inputs = [*self._operands()]
        if data.bias is not None:
            self.constants["bias"] = data.bias
            inputs.append("bias")
        self._convolution(inputs)
        self.nodes += followed(case, self.constants)

    def _operands(self) -> tuple[str, str]:
        """The names of input and kernel as the convolution reads them."""
        x, w, quantize = self._source, "kernel", self._case.quantize
        if quantize is not None and quantize.passes("input"):
            to, back = quantize.scales_of("input")
            x = x if quantize.io_quantization else self._q(x, to, "input_q")
            x = self._dq(x, back, "input_dq")
        if quantize is not None and quantize.passes("kernel"):
            to, back = quantize.scales_of("kernel")
            w = self._dq(self._q(w, to, "kernel_q"), back, "kernel_dq")
        return x, w

    def _convolution(self, inputs: Sequence[str]) -> None:
        """The convolution, and the quantization of its output."""
        from onnx import helper

        case = self._case
        layer = f"{OUTPUT}_0" if case.epilogue else OUTPUT
        scale = case.quantize.output if case.quantize is not None else None
        result = layer if scale is None else "sum"
        self.nodes.append(helper.make_node("Conv", inputs, [result], **_attributes(case)))
        if scale is None:
            return
        if case.output_type != case.data_type:
            self._q("sum", [scale], layer)
        else:
            self._dq(self._q("sum", [scale], "sum_q"), [scale], layer)

    def _q(self, source: str, scale: Sequence[float], result: str) -> str:
        return self._scaled("QuantizeLinear", source, scale, result)

    def _dq(self, source: str, scale: Sequence[float], result: str) -> str:
        return self._scaled("DequantizeLinear", source, scale, result)

    def _scaled(self, op: str, source: str, scale: Sequence[float], result: str) -> str:
        from onnx import helper

        per_axis = len(scale) > 1
        shape = np.asarray(scale if per_axis else scale[0], dtype=NUMPY_TYPE[self._case.data_type])
        self.constants[f"{result}_scale"] = shape
        self.constants[f"{result}_zero"] = np.zeros(shape.shape, dtype=NUMPY_TYPE[self._case.quantized_type])
        axis: dict[str, Any] = {"axis": 0} if per_axis else {}
        self.nodes.append(helper.make_node(op, [source, f"{result}_scale", f"{result}_zero"], [result], **axis))
        return result


def _attributes(case: Case) -> dict[str, Any]:
    """Strides, dilations, groups, and pads that make ONNX's rounding down give the case's output size."""
    attributes = case.attributes
    pads = [_pads(case, shape) for shape in case.run_shapes]
    return {
        "strides": list(attributes.stride),
        "dilations": list(attributes.dilation),
        "group": attributes.groups,
        "pads": pads[0],
    }


def _pads(case: Case, shape: Sequence[int]) -> list[int]:
    """Pads before every axis, then after: those stated where the mode rounds down, else those the windows reach."""
    attributes = case.attributes
    shape = case.layer_shape(shape)
    axes = resolve(shape, case.kernel.shape, attributes)
    if attributes.mode == "EXPLICIT_ROUND_DOWN":
        return [*attributes.pre, *attributes.post]
    if attributes.mode == "CAFFE_ROUND_DOWN":
        return [*attributes.pre, *attributes.pre]
    sizes = zip(axes, shape[-len(axes) :], case.kernel.shape[2:], strict=True)
    after = (max(0, a.reach(f) - size - a.before) for a, size, f in sizes)
    return [*(axis.before for axis in axes), *after]


class OnnxRuntimeEngine:
    """An inference session on the CPU."""

    def __init__(self, case: Case, model: bytes) -> None:
        """Raises Refused if ONNX Runtime does not take the model."""
        import onnxruntime as ort

        self._case = case
        options = ort.SessionOptions()
        options.log_severity_level = 4
        # Node by node: fusing Q/DQ would round the bias to an integer, which the model does not say.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = THREADS
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as fault:  # its exception types share no base of their own
            raise Refused("build", str(fault)) from None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Raises Refused for an input of another name, type or shape than the model's."""
        return {name: dequantized(self._case, y) for name, y in self._written(self._read(feeds)).items()}

    def _read(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {name: quantized(self._case, x) if name == INPUT else x for name, x in feeds.items()}

    def _written(self, feeds: dict[str, Array]) -> dict[str, Array]:
        from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

        names = [output.name for output in self._session.get_outputs()]
        try:
            return dict(zip(names, self._session.run(names, feeds), strict=True))
        except (InvalidArgument, ValueError) as fault:
            raise Refused("run", str(fault)) from None

    def timing_modes(self) -> tuple[Mode, ...]:
        return host.MODES

    def measure(self, feeds: Mapping[str, Array], plan: TimingPlan) -> Measurement:
        """The session's run alone: input and output are bound before."""
        import onnxruntime as ort

        binding = self._session.io_binding()
        read = self._read(feeds)
        for name, value in read.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value)))
        for name, value in self._written(read).items():
            binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(value))
        return host.measure(lambda: self._session.run_with_iobinding(binding), plan, threads=THREADS)

    def close(self) -> None:
        return None


class OnnxRuntimeTarget:
    """Target ``onnxruntime-1.31-cpu``."""

    def __init__(self) -> None:
        """Raises ConformanceError if onnxruntime or onnx is not installed."""
        try:
            import onnx
            import onnxruntime
        except ImportError as fault:
            raise ConformanceError(f"onnxruntime needs the packages onnxruntime and onnx: {fault}") from None
        onnxruntime.disable_telemetry_events()
        self._versions = {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
        self.name = str(TargetName("onnxruntime", ".".join(onnxruntime.__version__.split(".")[:2]), "cpu"))

    def supports(self, case: Case) -> str | None:
        reason = lacks(case, self.name)
        if reason is not None:
            return reason
        if case.precision in ("tf32", "bf16"):
            return f"the CPU provider has no {case.precision} convolution"
        if "float8" in (case.input_type, case.output_type):
            return "its Python bindings do not support FP8 arrays"
        if case.is_quantized_implicitly:
            return "an ONNX model has no dynamic ranges"
        if case.quantize is not None and case.quantize.between == "bfloat16":
            return "the CPU provider has no bf16 convolution"
        return inexpressible(case)

    def define(self, case: Case) -> NetworkFacts:
        from onnx import load_from_string, shape_inference

        model = shape_inference.infer_shapes(load_from_string(self._model(case)), strict_mode=True)
        dims = model.graph.output[0].type.tensor_type.shape.dim
        return NetworkFacts(tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims))

    def build(self, case: Case) -> OnnxRuntimeEngine:
        return OnnxRuntimeEngine(case, self._model(case))

    def environment(self) -> dict[str, Any]:
        return dict(self._versions)

    def _model(self, case: Case) -> bytes:
        try:
            return onnx_model(case)
        except InvalidConvolution as fault:
            raise Refused("network", str(fault)) from None
