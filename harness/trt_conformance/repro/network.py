"""A case's network and its build as straight TensorRT code, in the order in which the suite makes them."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.core.types import DataType
from trt_conformance.repro.failure import Failure
from trt_conformance.repro.tensors import number
from trt_conformance.targets.tensorrt.api import TYPE_NAME
from trt_conformance.targets.tensorrt.build import FAST_SOURCES, LEVELS, WEAK_FLAGS
from trt_conformance.targets.tensorrt.target import AHEAD_OF_TIME

CONSTANT = [
    "def constant(shape, values):",
    "    keep.append(np.ascontiguousarray(values))  # TensorRT reads it until the build ends",
    "    return network.add_constant(shape, {weights}).get_output(0)",
    "",
    "",
]


class NetworkCode:
    """The lines that define and build one case's network."""

    def __init__(self, case: Case, failure: Failure) -> None:
        self._case, self._failure = case, failure
        self._strong = failure.is_strongly_typed(case)

    def create(self) -> list[str]:
        """Create builder, network and the helpers that this network needs."""
        flags = []
        if not self._failure.is_rtx and self._failure.version[:1] < (10,):
            flags.append("EXPLICIT_BATCH")
        if self._strong:
            flags.append("STRONGLY_TYPED")
        bits = " | ".join(f"1 << int(trt.NetworkDefinitionCreationFlag.{flag})" for flag in flags) or "0"
        lines = ["builder = trt.Builder(logger)", f"network = builder.create_network({bits})"]
        if self._has_constants:
            weights = self._weights("keep[-1]")
            lines += ["", "", *(line.format(weights=weights) for line in CONSTANT)]
        if self._case.quantize is not None:
            lines += self._scaled()
        return lines

    def define(self, counts_setter_errors: bool = False) -> list[str]:
        """Define the network: input, Q/DQ, constants, layer, what follows it, output.

        With ``counts_setter_errors``, ``set_errors`` becomes the number of errors once the attributes are set.
        """
        case = self._case
        given = case.types.input
        dtype = f"trt.{given}" if given is not None else _type(case.input_type)
        lines = [
            f'source = tensor = network.add_input("{INPUT}", {dtype}, {case.declared_first or case.network_shape})'
        ]
        lines += self._lay_out("source", case.formats.input)
        if case.quantize is not None:
            scale = (case.quantize.input,)
            lines += [] if case.quantize.io_quantization else [self._q("tensor", scale)]
            lines += [self._dq("tensor", scale)]
        lines += self._constant_inputs()
        lines += self._layer()
        lines += ["set_errors = len(logger.errors)"] if counts_setter_errors else []
        lines += self._outputs()
        return lines

    def build(self) -> list[str]:
        """Build a serialized engine, ``plan``; None where TensorRT refuses."""
        case, failure = self._case, self._failure
        lines = ["config = builder.create_builder_config()"]
        lines.append("config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED")
        lines.append(f"config.{'set' if case.precision == 'tf32' else 'clear'}_flag(trt.BuilderFlag.TF32)")
        if not self._strong:
            lines += [f"config.set_flag(trt.BuilderFlag.{flag})" for flag in WEAK_FLAGS.get(case.precision, ())]
        lines += self._tactics()
        if failure.is_ahead_of_time:
            sm = failure.facts.get("built_for", AHEAD_OF_TIME)
            lines.append("config.num_compute_capabilities = 1")
            lines.append(f"config.set_compute_capability(trt.ComputeCapability.{sm}, 0)")
        if case.dynamic is not None:
            shapes = f"{case.dynamic.min}, {case.dynamic.opt}, {case.dynamic.max}"
            lines += [
                "profile = builder.create_optimization_profile()",
                f'profile.set_shape("{INPUT}", {shapes})',
                "config.add_optimization_profile(profile)",
            ]
        return [*lines, "plan = builder.build_serialized_network(network, config)"]

    @property
    def _has_constants(self) -> bool:
        case = self._case
        return case.quantize is not None or case.weights == "set_input" or case.bias_by_set_input

    def _tactics(self) -> list[str]:
        facts, lines = self._failure.facts, []
        tactics = facts.get("tactics", "default")
        names = [name for name in str(facts.get("tactic_sources", "")).split(",") if name]
        if tactics in LEVELS and (self._failure.is_rtx or self._failure.version >= (8, 6)):
            lines.append(f"config.builder_optimization_level = {LEVELS[tactics]}")
        elif tactics == "fast" and not names:
            names = list(FAST_SOURCES)
        if names:
            bits = " | ".join(f"1 << int(trt.TacticSource.{name})" for name in names)
            lines.append(f"config.set_tactic_sources({bits})")
        return lines

    def _scaled(self) -> list[str]:
        if self._strong:
            call, add = "add, tensor, scale, dtype", "add(tensor, scale, dtype)"
        else:
            call, add = "add, tensor, scale", "add(tensor, scale)"
        return [
            f"def scaled({call}):  # Q or DQ, per tensor or along axis 0",
            "    scale = constant([len(scale)] if len(scale) > 1 else [], np.array(scale, np.float32))",
            f"    layer = {add}",
            "    layer.axis = 0",
            "    return layer.get_output(0)",
            "",
            "",
        ]

    def _q(self, tensor: str, scale: tuple[float, ...]) -> str:
        return self._qdq("add_quantize", tensor, scale, self._case.quantized_type)

    def _dq(self, tensor: str, scale: tuple[float, ...]) -> str:
        return self._qdq("add_dequantize", tensor, scale, self._case.data_type)

    def _qdq(self, add: str, tensor: str, scale: tuple[float, ...], to: DataType) -> str:
        to_type = f", {_type(to)}" if self._strong else ""
        return f"{tensor} = scaled(network.{add}, {tensor}, {_tuple(scale)}{to_type})"

    def _constant_inputs(self) -> list[str]:
        """The kernel and the bias where they are inputs of the layer; they are added before it."""
        case, lines = self._case, []
        if case.weights == "set_input":
            lines.append("weights = constant(kernel.shape, kernel)")
            if case.quantize is not None:
                lines += [self._q("weights", case.quantize.kernel), self._dq("weights", case.quantize.kernel)]
        if case.bias_by_set_input and case.bias != "none":
            lines.append("biases = constant(bias.shape, bias)")
        return lines

    def _layer(self) -> list[str]:
        case = self._case
        maps, window = case.kernel.shape[0], case.kernel.shape[2:]
        add = f"layer = network.{self._name('add_convolution_nd')}"
        has_bias = case.bias != "none" and (not case.bias_by_set_input or case.empty_weights == "the bias")
        bias = f", {self._weights('bias')}" if has_bias else ""
        lines = []
        if case.weights == "setters":
            lines.append("placeholder = np.zeros(1, kernel.dtype)  # the setters below give the weights")
            lines.append(f"{add}(tensor, 1, {(1,) * case.spatial_rank}, {self._weights('placeholder')})")
        else:
            lines.append(f"{add}(tensor, {maps}, {window}, {self._kernel()}{bias})")
        if case.weights == "set_input":
            lines.append("layer.set_input(1, weights)")
        if case.bias_by_set_input and case.bias != "none":
            lines.append("layer.set_input(2, biases)")
        if case.weights == "setters":
            lines.append(f"layer.num_output_maps = {maps}")
            lines.append(f"layer.{self._name('kernel_size_nd')} = {window}")
            lines.append(f"layer.kernel = {self._weights('kernel')}")
            lines += [f"layer.bias = {self._weights('bias')}"] if case.bias != "none" else []
        for name, value in case.set.items():
            text = f"trt.PaddingMode.{value}" if name == "padding_mode" else value
            lines.append(f"layer.{name} = {text}")
        if not self._strong and case.precision == "fp16":
            lines.append("layer.precision = trt.DataType.HALF")
            lines.append("layer.set_output_type(0, trt.DataType.HALF)")
        return lines

    def _kernel(self) -> str:
        if self._case.weights != "set_input":
            return self._weights("kernel")
        match self._case.empty_weights:
            case "np.array([])":
                return "np.array([], kernel.dtype)"
            case "the kernel":
                return self._weights("kernel")
            case _:
                return "trt.Weights()"

    def _weights(self, name: str) -> str:
        if self._case.data_type != "bfloat16":
            return f"trt.Weights({name})"
        return f"bits({name})"

    def _outputs(self) -> list[str]:
        case, lines = self._case, ["tensor = layer.get_output(0)"]
        quantize = case.quantize
        if quantize is not None and quantize.output is not None:
            scale = (quantize.output,)
            lines.append(self._q("tensor", scale))
            lines += [] if quantize.io_quantization else [self._dq("tensor", scale)]
        for step in case.epilogue:
            lines += self._followed(step)
        if case.declared_first is not None:
            lines += [
                "tensor.shape  # asked for before the input's shape is changed",
                f"source.shape = {case.network_shape}",
            ]
        lines += [f'tensor.name = "{OUTPUT}"', "network.mark_output(tensor)"]
        if not self._strong:
            lines.append(f"tensor.dtype = {_type(case.output_type)}")
        return lines + self._lay_out("tensor", case.formats.output)

    def _followed(self, step: EpilogueOperation) -> list[str]:
        if step.op == "add":
            return ["tensor = network.add_elementwise(tensor, source, trt.ElementWiseOperation.SUM).get_output(0)"]
        if step.op == "concat":
            axis = len(self._case.network_shape) - self._case.spatial_rank - 1
            return [
                "joined = network.add_concatenation([tensor, source])",
                f"joined.axis = {axis}",
                "tensor = joined.get_output(0)",
            ]
        lines = [f"activation = network.add_activation(tensor, trt.ActivationType.{step.op.upper()})"]
        if step.op == "clip":
            lines.append(f"activation.alpha, activation.beta = {step.low}, {step.high}")
        return [*lines, "tensor = activation.get_output(0)"]

    def _lay_out(self, tensor: str, name: str) -> list[str]:
        return [] if name == "LINEAR" else [f"{tensor}.allowed_formats = 1 << int(trt.TensorFormat.{name})"]

    def _name(self, new: str) -> str:
        deprecated = self._case.deprecated
        return deprecated.name if deprecated is not None and deprecated.new == new else new


BITS = [
    "def bits(values):  # bfloat16 is the upper half of float32",
    "    keep.append((values.view(np.uint32) >> np.uint32(16)).astype(np.uint16))",
    "    return trt.Weights(trt.DataType.BF16, keep[-1].ctypes.data, keep[-1].size)",
]


def _type(name: DataType) -> str:
    return f"trt.DataType.{TYPE_NAME[name]}"


def _tuple(scale: tuple[float, ...]) -> str:
    return f"[{', '.join(number(value) for value in scale)}]"
