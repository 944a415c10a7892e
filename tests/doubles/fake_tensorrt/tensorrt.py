"""A TensorRT that computes networks with NumPy, for programs of `repro`. FAKE_FAULT names what it does wrong."""

from __future__ import annotations

import ctypes
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
DataType = IntEnum("DataType", ["FLOAT", "HALF", "BF16", "INT8", "FP8"], start=0)
NUMPY = dict(zip(DataType, (np.float32, np.float16, ml_dtypes.bfloat16, np.int8, ml_dtypes.float8_e4m3fn), strict=True))
NetworkDefinitionCreationFlag = IntEnum("NetworkDefinitionCreationFlag", ["EXPLICIT_BATCH", "STRONGLY_TYPED"], start=0)
BuilderFlag = IntEnum("BuilderFlag", ["TF32", "FP16", "BF16", "INT8", "PREFER_PRECISION_CONSTRAINTS"])
ProfilingVerbosity = IntEnum("ProfilingVerbosity", ["DETAILED"])
TensorFormat = IntEnum("TensorFormat", ["LINEAR", *LAYOUTS], start=0)
MODES = ["EXPLICIT_ROUND_DOWN", "EXPLICIT_ROUND_UP", "SAME_UPPER", "SAME_LOWER", "CAFFE_ROUND_DOWN", "CAFFE_ROUND_UP"]
PaddingMode = IntEnum("PaddingMode", MODES)
ActivationType = IntEnum("ActivationType", ["RELU", "CLIP"])
ElementWiseOperation = IntEnum("ElementWiseOperation", ["SUM"])


class Dims(tuple):
    __slots__ = ()


class Logger:
    WARNING = 2

    def __init__(self, severity):
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
        shape = np.shape(self.compute({"input": np.zeros(self.network.source.declared)}))
        return Dims((*shape[:-1], shape[-1] + 1) if FAULT == "shape" else shape)


class Layer:
    def __init__(self, compute):
        self.compute = compute

    def get_output(self, index):
        tensor = Tensor(self.compute)
        tensor.network = self.network
        return tensor

    def set_input(self, index, tensor):
        self.inputs[index] = tensor

    def set_output_type(self, index, dtype):
        pass


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
        rank = len(self.kernel_size_nd)
        channels = x.shape[-rank - 1] // self.num_groups
        kernel = self.inputs[1].compute(feeds) if 1 in self.inputs else self.kernel.array.astype(float)
        kernel = kernel.reshape(self.num_output_maps, channels, *self.kernel_size_nd)
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

    def _layer(self, compute):
        layer = compute if isinstance(compute, Layer) else Layer(compute)
        layer.network = self
        return layer

    def add_input(self, name, dtype, shape):
        self.source = Tensor(lambda feeds: feeds[name].astype(float), dtype, shape)
        return self.source

    def add_constant(self, shape, weights):
        values = weights.array.astype(float).reshape(tuple(shape))
        return self._layer(lambda feeds: values)

    def add_convolution_nd(self, *arguments):
        return self._layer(Convolution(*arguments))

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
        return self._layer(lambda feeds: a.compute(feeds) + b.compute(feeds))

    def add_concatenation(self, tensors):
        layer = self._layer(lambda feeds: np.concatenate([t.compute(feeds) for t in tensors], axis=layer.axis))
        return layer

    def add_activation(self, tensor, kind):
        def compute(feeds):
            y = np.maximum(tensor.compute(feeds), 0 if kind == ActivationType.RELU else layer.alpha)
            return y if kind == ActivationType.RELU else np.minimum(y, layer.beta)

        layer = self._layer(compute)
        return layer

    def mark_output(self, tensor):
        self.output = tensor


class Config:
    def set_flag(self, flag):
        assert flag in BuilderFlag

    clear_flag = set_flag

    def add_optimization_profile(self, profile):
        return 0


class Profile:
    def set_shape(self, name, low, best, high):
        assert name == "input"


BUILT = []


class Builder:
    def __init__(self, logger):
        pass

    def create_network(self, flags):
        return Network(flags)

    def create_builder_config(self):
        return Config()

    def create_optimization_profile(self):
        return Profile()

    def build_serialized_network(self, network, config):
        BUILT.append(network)
        return str(len(BUILT) - 1).encode()


class Runtime:
    def __init__(self, logger):
        pass

    def deserialize_cuda_engine(self, plan):
        return Engine(BUILT[int(plan)])


def layout(tensor):
    return TensorFormat(tensor.allowed_formats.bit_length() - 1).name


class Engine:
    def __init__(self, network):
        self.network = network

    def create_execution_context(self):
        return Context(self.network)


class Context:
    def __init__(self, network):
        self.network, self.addresses = network, {}

    def set_input_shape(self, name, shape):
        self.shape = shape
        return FAULT != "refused" and name == "input"

    def get_tensor_shape(self, name):
        return np.shape(self.network.output.compute({"input": np.zeros(self.shape)}))

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        source, output = self.network.source, self.network.output
        read = self._memory("input", packed_shape(self.shape, layout(source)), NUMPY[source.dtype])
        y = output.compute({"input": unpack(read, layout(source), self.shape)})
        self.first = getattr(self, "first", y)
        y = self.first if FAULT == "stale" else y
        written = NUMPY[self.written_type]
        memory = self._memory("output", packed_shape(y.shape, layout(output)), written)
        memory[...] = pack(y.astype(written), layout(output))
        return True

    @property
    def written_type(self):
        """What a weakly typed network says; else the type of the input, as in all networks that these tests run."""
        return self.network.source.dtype if self.network.output.dtype is None else self.network.output.dtype

    def _memory(self, name, shape, dtype):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = (ctypes.c_uint8 * size).from_address(self.addresses[name])
        return np.frombuffer(memory, dtype).reshape(shape)
