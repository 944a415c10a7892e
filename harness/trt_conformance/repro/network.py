"""A case's network and its build as straight-line TensorRT code, in the order in which the suite makes them."""

from __future__ import annotations

from collections.abc import Sequence

from trt_conformance.core.case import Case
from trt_conformance.core.network_fields import Runtime
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.core.types import TYPE_NAME, DataType
from trt_conformance.repro.epilogue import followed_lines
from trt_conformance.repro.failure import Failure
from trt_conformance.repro.options import capability_lines, option_lines, profile_lines
from trt_conformance.repro.prologue import preceding_lines, second_input_lines
from trt_conformance.repro.refitting import name_lines
from trt_conformance.repro.scaling import ScalingCode
from trt_conformance.repro.tensors import weights_code
from trt_conformance.targets.tensorrt.build import FAST_SOURCES, LEVELS, weak_flags
from trt_conformance.targets.tensorrt.network import WIDE

CONSTANT = [
    "def constant(shape, values):",
    "    keep.append(np.ascontiguousarray(values))  # TensorRT reads it until the build ends",
    "    return network.add_constant(shape, {weights}).get_output(0)",
    "",
    "",
]
NAMED_CONSTANT = [
    "def constant(shape, values, name=None):  # a refitter knows it by the name",
    *CONSTANT[1:2],
    "    layer = network.add_constant(shape, {weights})",
    "    layer.name = name or layer.name",
    "    return layer.get_output(0)",
    "",
    "",
]


class NetworkCode:
    """The lines that define and build one case's network."""

    def __init__(self, case: Case, failure: Failure) -> None:
        self._case, self._failure = case, failure
        self._strong = failure.is_strongly_typed(case)
        scaled = case.quantize is not None and not case.is_quantized_implicitly
        self._scaling = ScalingCode(case, self._strong) if scaled else None

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
            weights = weights_code(self._case, "keep[-1]")
            constant = CONSTANT if self._case.refit is None else NAMED_CONSTANT
            lines += ["", "", *(line.format(weights=weights) for line in constant)]
        if self._scaling is not None:
            lines += self._scaling.helpers()
        return lines

    def define(self, counts_setter_errors: bool = False, facts: Sequence[str] = ()) -> list[str]:
        """Define the network: input, Q/DQ, constants, layer, what follows it, output.

        With ``counts_setter_errors``, ``set_errors`` becomes the number of errors once the attributes are set.
        ``facts``: lines that read what the layer says before its output is named.
        """
        case = self._case
        given = case.types.input
        dtype = f"trt.{given}" if given is not None else _type(case.input_type)
        lines = [
            f'source = tensor = network.add_input("{INPUT}", {dtype}, {case.declared_first or case.network_shape})'
        ]
        lines += self._lay_out("source", case.formats.input)
        lines += [*second_input_lines(case), *preceding_lines(case)]
        if self._scaling is not None:
            lines += self._scaling.input()
        lines += self._constant_inputs()
        lines += self._layer()
        lines += ["set_errors = len(logger.errors)"] if counts_setter_errors else []
        lines += facts
        lines += self._outputs()
        return lines

    def build(self) -> list[str]:
        """Build a serialized engine, ``plan``; None if TensorRT refuses."""
        case, failure = self._case, self._failure
        lines = ["config = builder.create_builder_config()"]
        lines.append("config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED")
        lines.append(f"config.{'set' if case.precision == 'tf32' else 'clear'}_flag(trt.BuilderFlag.TF32)")
        if not self._strong:
            lines += [f"config.set_flag(trt.BuilderFlag.{flag})" for flag in weak_flags(case)]
        lines += [*self._tactics(), *option_lines(case), *capability_lines(case, failure), *profile_lines(case)]
        return [*lines, "plan = builder.build_serialized_network(network, config)"]

    @property
    def _has_constants(self) -> bool:
        case = self._case
        tensors = case.weights == "set_input" or case.bias_by_set_input
        return self._scaling is not None or tensors or case.network.activation_by_set_input

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

    def _constant_inputs(self) -> list[str]:
        """The kernel and the bias where they are inputs of the layer; they are added before it."""
        case, lines = self._case, []
        if case.weights == "set_input":
            tensor = self._parameter("kernel")
            lines += [f"weights = {tensor}"] if self._scaling is None else self._scaling.kernel(tensor)
        if case.bias_by_set_input and case.bias != "none":
            lines.append(f"biases = {self._parameter('bias')}")
        return lines

    def _parameter(self, name: Runtime) -> str:
        """The kernel or the bias as a constant, or as an input of the network."""
        if name in self._case.network.runtime:
            return f'network.add_input("{name}", {_type(self._case.data_type)}, {name}.shape)'
        named = "" if self._case.refit is None else f', "{name}"'
        return f"constant({name}.shape, {name}{named})"

    def _layer(self) -> list[str]:
        case = self._case
        maps, window = case.kernel.shape[0], case.kernel.shape[2:]
        add = f"layer = network.{self._name('add_convolution_nd')}"
        has_bias = case.bias != "none" and (not case.bias_by_set_input or case.empty_weights == "the bias")
        bias = f", {weights_code(self._case, 'bias')}" if has_bias else ""
        lines, tensor = [], "tensor"
        if case.network.activation_by_set_input:
            lines.append(f"other = constant({case.network_shape}, np.zeros({case.network_shape}, kernel.dtype))")
            tensor = "other"
        if case.network.bias_reset is not None:
            lines.append(f"ones = np.ones({maps}, kernel.dtype)")
            bias = f", {weights_code(self._case, 'ones')}"
        if case.weights == "setters":
            lines.append("placeholder = np.zeros(1, kernel.dtype)  # the setters below give the weights")
            lines.append(f"{add}({tensor}, 1, {(1,) * case.spatial_rank}, {weights_code(self._case, 'placeholder')})")
        else:
            lines.append(f"{add}({tensor}, {maps}, {window}, {self._kernel()}{bias})")
        if case.network.activation_by_set_input:
            lines.append("layer.set_input(0, tensor)")
        if case.weights == "set_input":
            lines.append("layer.set_input(1, weights)")
        if case.bias_by_set_input and case.bias != "none":
            lines.append("layer.set_input(2, biases)")
        if case.network.set_input is not None:
            lines.append(f"layer.set_input({case.network.set_input}, tensor)")
        if case.weights == "setters":
            lines.append(f"layer.num_output_maps = {maps}")
            lines.append(f"layer.{self._name('kernel_size_nd')} = {window}")
            lines.append(f"layer.kernel = {weights_code(self._case, 'kernel')}")
            lines += [f"layer.bias = {weights_code(self._case, 'bias')}"] if case.bias != "none" else []
        for name, value in case.set.items():
            text = f"trt.PaddingMode.{value}" if name == "padding_mode" else value
            lines.append(f"layer.{name} = {text}")
        if case.network.bias_reset is not None:
            empty = "trt.Weights()" if case.network.bias_reset == "trt.Weights()" else "trt.Weights(trt.DataType.FLOAT)"
            lines.append(f"layer.bias = {empty}")
        return [*lines, *self._typed(), *name_lines(case)]

    def _typed(self) -> list[str]:
        """Set the precision of a weakly typed layer and the type of its output."""
        stated, lines = self._case.network, []
        if stated.precision is not None:
            lines.append(f"layer.precision = trt.DataType.{stated.precision}")
        if stated.output_type is not None:
            lines.append(f"layer.set_output_type(0, trt.DataType.{stated.output_type})")
        if not lines and not self._strong and self._case.precision == "fp16":
            lines = ["layer.precision = trt.DataType.HALF", "layer.set_output_type(0, trt.DataType.HALF)"]
        return lines

    def _kernel(self) -> str:
        if self._case.weights != "set_input":
            return weights_code(self._case, "kernel")
        match self._case.empty_weights:
            case "np.array([])":
                return "np.array([], kernel.dtype)"
            case "the kernel":
                return weights_code(self._case, "kernel")
            case _:
                return "trt.Weights()"

    def _outputs(self) -> list[str]:
        case, lines = self._case, ["tensor = layer.get_output(0)"]
        quantize = case.quantize
        if quantize is not None and quantize.dynamic_range is not None:
            lines.append(f"source.set_dynamic_range({quantize.dynamic_range[0]}, {quantize.dynamic_range[1]})")
            lines.append(f"tensor.set_dynamic_range({-WIDE}, {WIDE})")
        if quantize is not None and quantize.output is not None and self._scaling is not None:
            lines += self._scaling.output(quantize.output, back=not quantize.io_quantization)
        lines += followed_lines(case, self._scaling, self._strong)
        if case.declared_first is not None:
            lines += [
                "tensor.shape  # asked for before the input's shape is changed",
                f"source.shape = {case.network_shape}",
            ]
        lines += [f'tensor.name = "{OUTPUT}"', "network.mark_output(tensor)"]
        if not self._strong:
            lines.append(f"tensor.dtype = {_type(case.output_type)}")
        return lines + self._lay_out("tensor", case.formats.output)

    def _lay_out(self, tensor: str, name: str) -> list[str]:
        names = (name, *self._case.formats.also)
        bits = " | ".join(f"1 << int(trt.TensorFormat.{each})" for each in names)
        return [] if names == ("LINEAR",) else [f"{tensor}.allowed_formats = {bits}"]

    def _name(self, new: str) -> str:
        deprecated = self._case.deprecated
        return deprecated.name if deprecated is not None and deprecated.new == new else new


def _type(name: DataType) -> str:
    return f"trt.DataType.{TYPE_NAME[name]}"
