"""A TensorRT that computes networks with NumPy, for programs of `repro`. FAKE_FAULT names what it does wrong.

refused, lenient, unrefitted: of runs and refits. flipped, shape, stale: of outputs. toward_zero: outputs are truncated
to fewer bits than they have. misreported: an engine, its context and its inspector report something else.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
from enum import IntEnum

import ml_dtypes
import numpy as np

from trt_conformance.core.attributes import Attributes
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.quantization import FP8, INT8, dequantize, quantize, scales
from trt_conformance.targets.tensorrt.layouts import pack, packed_shape, unpack

FAULT = os.environ.get("FAKE_FAULT", "")
DataType = IntEnum("DataType", ["FLOAT", "HALF", "BF16", "INT8", "FP8", "UINT8"], start=0)
TYPES = (np.float32, np.float16, ml_dtypes.bfloat16, np.int8, ml_dtypes.float8_e4m3fn, np.uint8)
NUMPY = dict(zip(DataType, TYPES, strict=True))
NetworkDefinitionCreationFlag = IntEnum("NetworkDefinitionCreationFlag", ["EXPLICIT_BATCH", "STRONGLY_TYPED"], start=0)
FLAGS = ["TF32", "FP16", "BF16", "INT8", "PREFER_PRECISION_CONSTRAINTS", "OBEY_PRECISION_CONSTRAINTS", "STRICT_NANS"]
FLAGS += ["REFIT", "SPARSE_WEIGHTS"]
BuilderFlag = IntEnum("BuilderFlag", FLAGS)
WeightsRole = IntEnum("WeightsRole", ["KERNEL", "BIAS", "SHIFT", "SCALE", "CONSTANT", "ANY"])
MemoryPoolType = IntEnum("MemoryPoolType", ["WORKSPACE"])
TacticSource = IntEnum("TacticSource", ["EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"], start=0)
ProfilingVerbosity = IntEnum("ProfilingVerbosity", ["DETAILED"])
TensorFormat = IntEnum("TensorFormat", ["LINEAR", *LAYOUTS], start=0)
MODES = ["EXPLICIT_ROUND_DOWN", "EXPLICIT_ROUND_UP", "SAME_UPPER", "SAME_LOWER", "CAFFE_ROUND_DOWN", "CAFFE_ROUND_UP"]
PaddingMode = IntEnum("PaddingMode", MODES)
KINDS = ["RELU", "CLIP", "LEAKY_RELU", "SIGMOID", "TANH", "HARD_SIGMOID", "GELU_ERF"]
KINDS += ["GELU_TANH", "ELU", "SELU", "SOFTSIGN", "SOFTPLUS"]
ActivationType = IntEnum("ActivationType", KINDS)
ElementWiseOperation = IntEnum("ElementWiseOperation", ["SUM", "PROD", "MIN", "MAX"])
ScaleMode = IntEnum("ScaleMode", ["UNIFORM", "CHANNEL"])
LayerInformationFormat = IntEnum("LayerInformationFormat", ["JSON"])
PoolingType = IntEnum("PoolingType", ["MAX", "AVERAGE"])


class Dims(tuple):
    __slots__ = ()


class ILogger:
    Severity = IntEnum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO"], start=0)


class Logger:
    WARNING = 2

    def __init__(self, severity):
        pass

    def log(self, severity, message):
        pass


class Weights:
    def __init__(self, *given):
        if len(given) == 3:  # a type, an address and a number of elements
            dtype, address, size = given
            memory = (ctypes.c_uint8 * (size * np.dtype(NUMPY[dtype]).itemsize)).from_address(address)
            self.array = np.frombuffer(memory, NUMPY[dtype]).copy()
        else:
            self.array = np.asarray(given[0]) if given else np.empty(0)


class Tensor:
    def __init__(self, compute, dtype=None, shape=None):
        self.compute, self.dtype, self.declared = compute, dtype, shape
        self.allowed_formats = 1

    @property
    def shape(self):
        given = [max(size, 1) for size in self.network.source.declared]  # -1 where it is dynamic
        shape = np.shape(self.compute(self.network.feeds(np.zeros(given))))
        return Dims((*shape[:-1], shape[-1] + 1) if FAULT == "shape" else shape)

    def set_dynamic_range(self, low, high):
        self.ends = low, high
        return True


class Layer:
    def __init__(self, compute):
        self.compute, self.inputs = compute, {}

    def get_output(self, index):
        tensor = Tensor(self.compute)
        tensor.network = self.network
        return tensor

    def set_input(self, index, tensor):
        if index == 0:
            self.x = tensor
        else:
            self.inputs[index] = tensor

    def set_output_type(self, index, dtype):
        pass


class Constant(Layer):
    name = ""

    def __init__(self, shape, weights):
        self.shape, self.weights = tuple(shape), weights

    def compute(self, feeds):
        return self.weights.array.astype(float).reshape(self.shape)


class Convolution(Layer):
    def __init__(self, x, maps, window, kernel, bias=None):
        self.inputs, self.x = {}, x
        self.num_output_maps, self.kernel_size_nd, self.kernel, self.bias = maps, Dims(window), kernel, bias
        self.num_groups, self.padding_mode = 1, PaddingMode.EXPLICIT_ROUND_DOWN
        rank = len(window)
        self.stride_nd = self.dilation_nd = Dims((1,) * rank)
        self.padding_nd = Dims((0,) * rank)

    @property
    def padding_nd(self):
        return self.pre_padding

    @padding_nd.setter
    def padding_nd(self, value):
        self.pre_padding = self.post_padding = value

    def compute(self, feeds):
        x = self.x.compute(feeds)
        scale = 1.0
        if hasattr(self.x, "ends"):  # quantized implicitly
            scale = max(map(abs, self.x.ends)) / 127
            x = np.clip(np.rint(x / scale), -128, 127) * scale
        rank = len(self.kernel_size_nd)
        channels = x.shape[-rank - 1] // self.num_groups
        kernel = self.inputs[1].compute(feeds) if 1 in self.inputs else self.kernel.array.astype(float)
        kernel = kernel.reshape(self.num_output_maps, channels, *self.kernel_size_nd)
        if hasattr(self.x, "ends"):
            scale = np.abs(kernel).max(axis=tuple(range(1, 2 + rank)), keepdims=True) / 127
            kernel = np.floor(kernel / scale + 0.5) * scale
        if FAULT == "flipped":
            kernel = np.flip(kernel, tuple(range(2, 2 + rank)))
        bias = self.inputs[2].compute(feeds) if 2 in self.inputs else self.bias and self.bias.array.astype(float)
        attributes = Attributes(
            stride=tuple(self.stride_nd),
            pre=tuple(self.pre_padding),
            post=tuple(self.post_padding),
            dilation=tuple(self.dilation_nd),
            groups=self.num_groups,
            mode=PaddingMode(self.padding_mode).name,
        )
        return convolve(x, np.ascontiguousarray(kernel), bias, attributes)


class Network:
    def __init__(self, flags):
        self.strong = bool(flags >> NetworkDefinitionCreationFlag.STRONGLY_TYPED & 1)
        self.parameters, self.layers, self.cast_to = {}, [], None

    def feeds(self, x):
        """What the network computes of: its input, and where it reads them, the kernel and the bias."""
        return {"input": x} | {name: np.zeros(tensor.declared) for name, tensor in self.parameters.items()}

    def _layer(self, compute):
        layer = compute if isinstance(compute, Layer) else Layer(compute)
        layer.network = self
        self.layers.append(layer)
        return layer

    @property
    def convolution(self):
        """The first of the layers, which is the case's."""
        return next(layer for layer in self.layers if isinstance(layer, Convolution))

    def add_input(self, name, dtype, shape):
        tensor = Tensor(lambda feeds: feeds[name].astype(float), dtype, tuple(shape))
        tensor.network = self
        if name == "input":
            self.source = tensor
        else:
            self.parameters[name] = tensor
        return tensor

    def add_constant(self, shape, weights):
        return self._layer(Constant(shape, weights))

    def add_convolution_nd(self, *arguments):
        return self._layer(Convolution(*arguments))

    def set_weights_name(self, weights, name):
        return True

    def _scaled(self, apply, tensor, scale):
        def compute(feeds):
            x = tensor.compute(feeds)
            return apply(x, scales(np.atleast_1d(scale.compute(feeds)).tolist(), x.ndim))

        return self._layer(compute)

    def add_quantize(self, tensor, scale, dtype=DataType.INT8):
        grid = FP8 if dtype == DataType.FP8 else INT8
        return self._scaled(lambda x, s: quantize(x, s, grid), tensor, scale)

    def add_dequantize(self, tensor, scale, dtype=None):
        return self._scaled(dequantize, tensor, scale)

    def add_elementwise(self, a, b, operation):
        apply = {"SUM": np.add, "PROD": np.multiply, "MIN": np.minimum, "MAX": np.maximum}[operation.name]
        return self._layer(lambda feeds: apply(a.compute(feeds), b.compute(feeds)))

    def add_scale_nd(self, tensor, mode, shift, scale, power, axis):
        def compute(feeds):
            y = tensor.compute(feeds)
            shape = [1] * y.ndim
            shape[axis] = -1
            return y * scale.array.astype(float).reshape(shape) + shift.array.astype(float).reshape(shape)

        return self._layer(compute)

    def add_pooling_nd(self, tensor, kind, window):
        def compute(feeds):
            y = tensor.compute(feeds)
            for offset, size in enumerate(window):
                axis = y.ndim - len(window) + offset
                y = np.take(y, range(y.shape[axis] // size * size), axis)
                y = y.reshape(*y.shape[:axis], -1, size, *y.shape[axis + 1 :])
                y = {"MAX": np.max, "AVERAGE": np.mean}[kind.name](y, axis + 1)
            return y

        return self._layer(compute)

    def add_padding_nd(self, tensor, before, after):
        def compute(feeds):
            y = tensor.compute(feeds)
            return np.pad(y, [(0, 0)] * (y.ndim - 2) + [*zip(before, after, strict=True)])

        return self._layer(compute)

    def add_slice(self, tensor, start, shape, stride):
        def compute(feeds):
            y = tensor.compute(feeds)
            for axis, (first, size, step) in enumerate(zip(start, shape, stride, strict=True)):
                y = np.take(y, [first + i * step for i in range(size)], axis)
            return y

        return self._layer(compute)

    def add_cast(self, tensor, dtype):
        self.cast_to = dtype
        return self._layer(tensor.compute)

    def add_concatenation(self, tensors):
        layer = self._layer(lambda feeds: np.concatenate([t.compute(feeds) for t in tensors], axis=layer.axis))
        return layer

    def add_activation(self, tensor, kind):
        def compute(feeds):
            y = tensor.compute(feeds)
            return {
                "RELU": lambda: np.maximum(y, 0),
                "CLIP": lambda: np.clip(y, layer.alpha, layer.beta),
                "LEAKY_RELU": lambda: np.where(y < 0, layer.alpha * y, y),
                "SIGMOID": lambda: 1 / (1 + np.exp(-y)),
                "TANH": lambda: np.tanh(y),
                "HARD_SIGMOID": lambda: np.clip(layer.alpha * y + layer.beta, 0, 1),
                "GELU_TANH": lambda: y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3))) / 2,
                "ELU": lambda: np.where(y < 0, layer.alpha * (np.exp(y) - 1), y),
                "SELU": lambda: layer.beta * np.where(y < 0, layer.alpha * (np.exp(y) - 1), y),
                "SOFTSIGN": lambda: y / (1 + np.abs(y)),
                "SOFTPLUS": lambda: layer.alpha * np.log(1 + np.exp(layer.beta * y)),
                "GELU_ERF": lambda: y * (1 + np.vectorize(math.erf)(y / math.sqrt(2))) / 2,
            }[kind.name]()

        layer = self._layer(compute)
        return layer

    def mark_output(self, tensor):
        self.output = tensor


class Config:
    refit = sparse = prefers = False
    profiles = 0

    def set_flag(self, flag):
        assert flag in BuilderFlag
        self.refit |= flag == BuilderFlag.REFIT
        self.sparse |= flag == BuilderFlag.SPARSE_WEIGHTS
        self.prefers |= flag == BuilderFlag.PREFER_PRECISION_CONSTRAINTS

    def clear_flag(self, flag):
        assert flag in BuilderFlag

    def set_memory_pool_limit(self, pool, nbytes):
        assert pool in MemoryPoolType

    def set_tactic_sources(self, sources):
        return True

    def add_optimization_profile(self, profile):
        self.profiles += 1
        return self.profiles - 1


class Profile:
    def set_shape(self, name, low, best, high):
        assert name == "input"


BUILT = []


class Builder:
    def __init__(self, logger):
        self.logger = logger

    def create_network(self, flags):
        return Network(flags)

    def create_builder_config(self):
        return Config()

    def create_optimization_profile(self):
        return Profile()

    def build_serialized_network(self, network, config):
        network.refittable, network.profiles = config.refit, max(1, config.profiles)
        severity = ILogger.Severity
        if config.sparse:
            names = "" if FAULT == "misreported" else " convolution"
            self.logger.log(severity.INFO, f"(Sparsity) Layers eligible for sparse math:{names}")
        if config.prefers and FAULT != "misreported":
            self.logger.log(severity.WARNING, "No implementation of layer convolution obeys the requested constraints")
        BUILT.append(network)
        return str(len(BUILT) - 1).encode()


class Runtime:
    def __init__(self, logger):
        pass

    def deserialize_cuda_engine(self, plan):
        return Engine(BUILT[int(plan)])


class Refitter:
    def __init__(self, engine, logger):
        if not engine.network.refittable:
            raise TypeError("factory function returned nullptr")
        self.layer, self.given = engine.network.convolution, {}
        layers = engine.network.layers
        self.constants = {layer.name: layer for layer in layers if isinstance(layer, Constant)}

    def set_weights(self, layer, role, weights):
        if role == WeightsRole.CONSTANT and layer in self.constants and layer != "input_scale":
            self.given[layer] = weights
            return True
        name = {"KERNEL": "kernel", "BIAS": "bias"}.get(role.name)
        right = layer == self.layer.name and name is not None and self.set_named_weights(name, weights)
        return right or FAULT == "lenient"

    def set_named_weights(self, name, weights):
        held = {"kernel": self.layer.kernel, "bias": self.layer.bias}.get(name)
        if held is None or held.array.size != weights.array.size or held.array.dtype != weights.array.dtype:
            return FAULT == "lenient"
        self.given[name] = weights
        return True

    def get_missing_weights(self):
        return []

    def refit_cuda_engine(self):
        if FAULT != "unrefitted":
            for name, weights in self.given.items():
                if name in self.constants:
                    self.constants[name].weights = weights
                else:
                    setattr(self.layer, name, weights)
        return FAULT != "refused"


def layout(tensor):
    return TensorFormat(tensor.allowed_formats.bit_length() - 1).name


class Engine:
    def __init__(self, network):
        self.network = network

    @property
    def num_optimization_profiles(self):
        return self.network.profiles + (FAULT == "misreported")

    @property
    def refittable(self):
        return self.network.refittable != (FAULT == "misreported")

    def _layout(self, name):
        return LAYOUTS.get(layout(self.network.source if name == "input" else self.network.output))

    def get_tensor_format(self, name):
        if FAULT == "misreported":
            return TensorFormat.DHWC8
        return TensorFormat[layout(self.network.source if name == "input" else self.network.output)]

    def get_tensor_dtype(self, name):
        if FAULT == "misreported":
            return DataType.UINT8
        return DataType(self.network.source.dtype if name == "input" else Context(self.network).written_type)

    def get_tensor_shape(self, name):
        if name == "input":
            return Dims(self.network.source.declared)
        given = [32 if size == -1 else size for size in self.network.source.declared]
        fixed = np.shape(self.network.output.compute(self.network.feeds(np.zeros(given))))
        dynamic = zip(fixed, self.network.source.declared, strict=True)
        return Dims(-1 if given == -1 else size for size, given in dynamic)

    def get_tensor_vectorized_dim(self, name):
        found = self._layout(name)
        return -1 if found is None else len(self.network.source.declared) - found.rank - 1

    def get_tensor_components_per_element(self, name):
        found = self._layout(name)
        return -1 if found is None else found.vector

    def create_execution_context(self):
        return Context(self.network)

    def create_engine_inspector(self):
        return Inspector(self.network)


class Inspector:
    def __init__(self, network):
        self.network = network

    def get_engine_information(self, kind):
        layer, other = self.network.convolution, FAULT == "misreported"
        entry = {
            "ParameterType": "Convolution",
            "Kernel": [*layer.kernel_size_nd],
            "PaddingMode": f"k{PaddingMode(layer.padding_mode).name}",
            "PrePadding": [*layer.pre_padding],
            "PostPadding": [*layer.post_padding],
            "Stride": [*layer.stride_nd],
            "Dilation": [*layer.dilation_nd],
            "OutMaps": layer.num_output_maps + other,
            "Groups": layer.num_groups,
            "Activation": "RELU",
        }
        return json.dumps({"Layers": ["a reformat", entry]})


class Context:
    def __init__(self, network):
        self.network, self.addresses = network, {}

    def set_input_shape(self, name, shape):
        self.shape = shape
        return FAULT != "refused" and name == "input"

    def get_tensor_shape(self, name):
        if name == "input":
            return Dims((*self.shape[:-1], self.shape[-1] + (FAULT == "misreported")))
        return np.shape(self.network.output.compute(self.network.feeds(np.zeros(self.shape))))

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        if not self.addresses["input"] and FAULT != "lenient":
            return False
        source, output = self.network.source, self.network.output
        read = self._memory("input", packed_shape(self.shape, layout(source)), NUMPY[source.dtype])
        given = {
            name: self._memory(name, tensor.declared, NUMPY[tensor.dtype])
            for name, tensor in self.network.parameters.items()
        }
        y = output.compute(given | {"input": unpack(read, layout(source), self.shape)})
        self.first = getattr(self, "first", y)
        y = self.first if FAULT == "stale" else y
        written = NUMPY[self.written_type]
        memory = self._memory("output", packed_shape(y.shape, layout(output)), written)
        if FAULT == "toward_zero":
            mantissa, exponent = np.frexp(y)
            bits = {DataType.FLOAT: 12, DataType.HALF: 9, DataType.BF16: 6}[self.written_type]
            y = np.ldexp(np.trunc(np.ldexp(mantissa, bits)), exponent - bits)
        memory[...] = pack(y.astype(written), layout(output))
        return True

    @property
    def written_type(self):
        """What a weakly typed network says; else the type of the input, or that to which it is cast."""
        if self.network.output.dtype is not None:
            return self.network.output.dtype
        source = self.network.source.dtype
        return source if source != DataType.UINT8 else self.network.cast_to

    def _memory(self, name, shape, dtype):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = (ctypes.c_uint8 * size).from_address(self.addresses[name])
        return np.frombuffer(memory, dtype).reshape(shape)
