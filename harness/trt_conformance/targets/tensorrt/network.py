"""Defines a case's network, and reads back what the layer holds."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.network_fields import Runtime
from trt_conformance.core.tensors import ADDEND, INPUT, OUTPUT, Parameters, built_with
from trt_conformance.core.types import Format
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.protocols import NetworkFacts
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.configuration import builder_facts
from trt_conformance.targets.tensorrt.facts import asked_of, plain, read_facts
from trt_conformance.targets.tensorrt.following import Following
from trt_conformance.targets.tensorrt.preceding import precede
from trt_conformance.targets.tensorrt.refusal import made, refusal
from trt_conformance.targets.tensorrt.scaling import Scaling

if TYPE_CHECKING:
    import tensorrt

T = TypeVar("T")
LAYER_NAME = "convolution"
WIDE = 127.0 * 127.0
"""The dynamic range of an output of floats, which nothing quantizes by it."""
# Python keeps one list of warnings for all threads.
WARNINGS = threading.Lock()


@dataclass
class Definition:
    """A defined network. ``keep`` holds the weights' memory, which TensorRT reads until the build ends."""

    network: tensorrt.INetworkDefinition
    layer: tensorrt.IConvolutionLayer
    facts: NetworkFacts
    keep: list[Array] = field(default_factory=list)


def define(api: Api, case: Case) -> Definition:
    """Define the network: input, Q/DQ if the case quantizes, the layer, the operations after it, the output.

    Raises:
        Unsupported: this version lacks something the case uses.
        Refused: TensorRT refused a value of the layer or the layer itself, or found no output shape; with its
            logged errors.
    """
    api.take_errors()
    given: list[warnings.WarningMessage]
    with WARNINGS, warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always", DeprecationWarning)
        network = api.create_network(api.is_strongly_typed(case))
        drafting = _Draft(api, case, network)
        layer = drafting.convolution()
        drafting.errors += api.take_errors()
        attributes = read_facts(case, layer, drafting.data) | builder_facts(api, case, layer)
        if asked_of(case):
            api.take_errors()  # an index beyond the layer's inputs may be logged
        output = drafting.output(layer)
    shape = _shape(output)
    errors = (*drafting.errors, *api.take_errors())
    if shape is None:
        raise Refused("network", "\n".join(errors) or "the output has no shape, and nothing was logged")
    facts = NetworkFacts(
        output_shape=shape,
        attributes=attributes,
        errors=errors,
        warnings=tuple(str(w.message) for w in given if issubclass(w.category, DeprecationWarning)),
    )
    return Definition(network, layer, facts, drafting.keep)


class _Draft:
    def __init__(self, api: Api, case: Case, network: tensorrt.INetworkDefinition) -> None:
        self.api, self.case, self.network = api, case, network
        self.keep: list[Array] = []
        self.errors: list[str] = []
        self.strong = api.is_strongly_typed(case)
        self.data = self._given(built_with(case))
        self.dtype = api.data_type(case.data_type)
        scaled = case.quantize is not None and not case.is_quantized_implicitly
        self.scaling = Scaling(api, case, network, self._constant) if scaled else None
        self.following = Following(api, case, network, self._weights, self.scaling)
        self.inputs: dict[str, tensorrt.ITensor] = {}

    def convolution(self) -> tensorrt.IConvolutionLayer:
        case, data = self.case, self.data
        given = case.types.input
        if given is not None:
            self.api.require_attribute(self.api.trt, given)
        dtype = self.api.data_type(case.input_type) if given is None else getattr(self.api.trt, given)
        with self._binding_errors():
            x = self.network.add_input(INPUT, dtype, case.declared_first or case.network_shape)
        x = self.inputs[INPUT] = self._made(x, "the input was refused")
        self._lay_out(x, case.formats.input)
        if case.addend is not None:
            addend = self.network.add_input(ADDEND, self.dtype, case.addend.shape)
            self.inputs[ADDEND] = self._made(addend, "the input was refused")
        x = precede(self.api, case, self.network, self.inputs)
        if self.scaling is not None:
            x = self.scaling.input(x)
        inputs = self._tensor_inputs()
        other = self._another_tensor() if case.network.activation_by_set_input else None
        layer = self._made(self._layer(x if other is None else other), "the layer was refused")
        if other is not None:
            inputs[0] = x
        if case.network.set_input is not None:
            inputs[case.network.set_input] = x
        for index, tensor in inputs.items():
            layer.set_input(index, tensor)
        self._check_inputs()
        layer.name = LAYER_NAME
        if case.weights == "setters":
            self._set(layer, "num_output_maps", case.kernel.shape[0])
            self._set(layer, self._name("kernel_size_nd"), case.kernel.shape[2:])
            layer.kernel = self._weights(data.kernel)
            if data.bias is not None:
                layer.bias = self._weights(data.bias)
        for name, value in case.set.items():
            self._assign(layer, name, value)
        if case.network.bias_reset is not None:
            self._set(layer, "bias", self._no_weights(case.network.bias_reset))
        self._type(layer)
        self._name_weights()
        return layer

    def _name_weights(self) -> None:
        """Name the weights where a refitter knows them by name, and mark them where only marked ones are refitted."""
        refit = self.case.refit
        if refit is None:
            return
        individual = "REFIT_INDIVIDUAL" in self.case.builder.flags
        named = individual or refit.by == "set_named_weights"
        for name, values in (("kernel", self.data.kernel), ("bias", self.data.bias)):
            if values is None:
                continue
            if named and not self.network.set_weights_name(self._weights(values), name):
                raise refusal(self.api, "network", f"the name of the {name} was refused")
            if individual and getattr(refit, name) is not None:
                if not hasattr(self.network, "mark_weights_refittable"):
                    raise Unsupported(f"weights cannot be marked in {self.api.flavor} {self.api.version}")
                if not self.network.mark_weights_refittable(name):
                    raise refusal(self.api, "network", f"the {name} was not marked as refittable")

    def _another_tensor(self) -> tensorrt.ITensor:
        """A tensor of the input's type and shape that is not the input."""
        return self._constant(np.zeros(self.case.network_shape, dtype=self.data.kernel.dtype))

    def _check_inputs(self) -> None:
        """Raise Refused if the layer did not take a further input."""
        if self.case.network.set_input is not None and (errors := self.api.take_errors()):
            raise Refused("set", "\n".join(errors))

    def _tensor_inputs(self) -> dict[int, tensorrt.ITensor]:
        """The kernel (1) and the bias (2) where they are inputs of the layer.

        They are added before the layer: TensorRT 8.5 infers shapes whenever a Q/DQ layer is added, and reports a
        convolution whose weights are still empty.
        """
        case, data = self.case, self.data
        inputs: dict[int, tensorrt.ITensor] = {}
        if case.weights == "set_input":
            add = partial(self._tensor, "kernel", data.kernel)
            inputs[1] = add() if self.scaling is None else self.scaling.kernel(add, data.kernel)
        if case.bias_by_set_input and data.bias is not None:
            inputs[2] = self._tensor("bias", data.bias)
        return inputs

    def _tensor(self, name: Runtime, array: Array) -> tensorrt.ITensor:
        """The kernel or the bias as a constant, or as an input of the network."""
        if name in self.case.network.runtime:
            return self._made(self.network.add_input(name, self.dtype, array.shape), "the input was refused")
        return self._constant(array, name)

    def _constant(self, array: Array, name: str | None = None) -> tensorrt.ITensor:
        """A constant; the layer has a name where a refitter needs it."""
        layer = self._made(self.network.add_constant(array.shape, self._weights(array)), "a constant was refused")
        if name is not None and self.case.refit is not None:
            layer.name = name
        return layer.get_output(0)

    def _given(self, data: Parameters) -> Parameters:
        """What the layer is given: of another type or shape where that is what is to be refused."""
        types, shapes = self.case.types, self.case.shapes
        kernel = _changed(data.kernel, types.kernel, shapes.kernel)
        bias = None if data.bias is None else _changed(data.bias, types.bias, shapes.bias)
        return replace(data, kernel=kernel, bias=bias)

    def _layer(self, x: tensorrt.ITensor) -> tensorrt.IConvolutionLayer | None:
        case, data = self.case, self.data
        name = self._name("add_convolution_nd")
        add: Callable[..., tensorrt.IConvolutionLayer | None] | None = getattr(self.network, name, None)
        if add is None:
            raise Unsupported(f"add_convolution does not exist in {self.api.flavor} {self.api.version}")
        maps, window = case.kernel.shape[0], case.kernel.shape[2:]
        if case.weights == "setters":
            placeholder = self._hold(np.zeros(1, dtype=data.kernel.dtype))
            with self._binding_errors():
                return add(x, 1, (1,) * case.spatial_rank, self._weights(placeholder))
        if case.weights == "set_input":
            kernel = self._empty(data)
        elif math.prod(case.kernel.shape) == 0:  # an empty array would be refused
            kernel = self.api.trt.Weights(self.dtype)
        else:
            kernel = self._weights(data.kernel)
        arguments = [x, maps, window, kernel]
        if data.bias is not None and (not case.bias_by_set_input or case.empty_weights == "the bias"):
            arguments.append(self._weights(data.bias))
        if case.network.bias_reset is not None:
            arguments.append(self._weights(np.ones(maps, dtype=data.kernel.dtype)))
        with self._binding_errors():
            return add(*arguments)

    def _empty(self, data: Parameters) -> tensorrt.Weights | Array:
        if self.case.empty_weights == "np.array([])":
            return np.array([], dtype=data.kernel.dtype)
        if self.case.empty_weights == "the kernel":
            return self._weights(data.kernel)
        return self.api.trt.Weights()

    def _no_weights(self, how: str) -> tensorrt.Weights:
        trt = self.api.trt
        return trt.Weights() if how == "trt.Weights()" else trt.Weights(trt.DataType.FLOAT)

    def _set_ranges(self, output: tensorrt.ITensor) -> None:
        """Give input and output dynamic ranges where the network is quantized implicitly; the output has any."""
        quantize = self.case.quantize
        if quantize is None or quantize.dynamic_range is None:
            return
        for tensor, ends in ((self.inputs[INPUT], quantize.dynamic_range), (output, (-WIDE, WIDE))):
            self.api.require_attribute(tensor, "set_dynamic_range")
            if not tensor.set_dynamic_range(*ends):
                raise refusal(self.api, "network", f"the dynamic range {ends} was refused")

    def output(self, layer: tensorrt.IConvolutionLayer) -> tensorrt.ITensor:
        output = layer.get_output(0)
        self._set_ranges(output)
        if self.scaling is not None:
            output = self.scaling.output(output)
        for step in self.case.epilogue:
            output = self.following.after(output, step, self.inputs)
        if self.case.declared_first is not None:
            _shape(output)  # requested here, so that a stale answer would be cached
            self.inputs[INPUT].shape = self.case.network_shape
        output.name = OUTPUT
        self.network.mark_output(output)
        if not self.strong:
            output.dtype = self.api.data_type(self.case.output_type)
        self._lay_out(output, self.case.formats.output)
        return output

    def _lay_out(self, tensor: tensorrt.ITensor, name: Format) -> None:
        names = (name, *self.case.formats.also)
        if names == ("LINEAR",):
            return
        layouts = [self.api.required_member("TensorFormat", each) for each in names]
        tensor.allowed_formats = sum(1 << int(layout) for layout in layouts)

    def _assign(self, layer: tensorrt.IConvolutionLayer, name: str, value: Any) -> None:
        self.api.require_attribute(layer, name)
        if name == "padding_mode":
            value = self.api.required_member("PaddingMode", value)
        self._set(layer, name, value)

    def _set(self, layer: tensorrt.IConvolutionLayer, name: str, value: Any) -> None:
        """Set an attribute. TensorRT refuses by logging an error and keeping the value it has."""
        self.errors += self.api.take_errors()
        before = _comparable(getattr(layer, name))
        with self._binding_errors():
            setattr(layer, name, value)
        errors = self.api.take_errors()
        if not errors:
            return
        after = _comparable(getattr(layer, name))
        if after != before:
            changed = f"`{name}` logged an error, but changed from {before} to {after}"
            raise Refused("network", "\n".join([changed, *errors]))
        raise Refused("set", "\n".join(errors))

    def _type(self, layer: tensorrt.IConvolutionLayer) -> None:
        """Set the layer's precision in a weakly typed network. In a strongly typed one it follows from the types."""
        stated = self.case.network
        if stated.precision is not None:
            self._assign(layer, "precision", self.api.required_member("DataType", stated.precision))
        if stated.output_type is not None:
            self.api.require_attribute(layer, "set_output_type")
            layer.set_output_type(0, self.api.required_member("DataType", stated.output_type))
            if errors := self.api.take_errors():
                raise Refused("set", "\n".join(errors))
        if stated.precision is not None or stated.output_type is not None:
            return
        if not self.strong and self.case.precision == "fp16":
            layer.precision = self.dtype
            layer.set_output_type(0, self.dtype)

    def _name(self, new: str) -> str:
        deprecated = self.case.deprecated
        return deprecated.name if deprecated is not None and deprecated.new == new else new

    def _hold(self, array: Array) -> Array:
        held = np.ascontiguousarray(array)
        self.keep.append(held)
        return held

    def _weights(self, array: Array) -> tensorrt.Weights:
        with self._binding_errors():
            return self.api.weights(self._hold(array))

    def _made(self, thing: T | None, what: str) -> T:
        return made(self.api, thing, "network", what)

    @contextmanager
    def _binding_errors(self) -> Iterator[None]:
        """The bindings refuse an argument's type themselves: a refusal, too."""
        try:
            yield
        except (TypeError, ValueError, RuntimeError) as fault:
            raise Refused("network", f"{type(fault).__name__}: {fault}") from None


def _comparable(value: Any) -> Any:
    """An attribute, or weights, as a value that can be compared."""
    return value.tolist() if isinstance(value, np.ndarray) else plain(value)


def _shape(tensor: tensorrt.ITensor) -> tuple[int, ...] | None:
    """A tensor's inferred shape, None if inference failed: the bindings then raise, or give no axis at all."""
    try:
        return tuple(int(n) for n in tensor.shape) or None
    except (ValueError, RuntimeError, OverflowError):
        return None


def _changed(weights: Array, dtype: str | None, shape: tuple[int, ...] | None) -> Array:
    """Weights in another type and another shape, their values repeated as it takes; None leaves either as it is."""
    typed = weights if dtype is None else weights.astype(dtype)
    return typed if shape is None else np.resize(typed, shape)
