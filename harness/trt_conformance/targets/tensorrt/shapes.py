"""Output shapes as TensorRT infers them: one network per window, changed between reads, without building anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT
from trt_conformance.core.types import PaddingMode
from trt_conformance.targets.protocols import Configuration
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.refusal import made

if TYPE_CHECKING:
    import tensorrt


def infer_shapes(api: Api, configurations: Iterable[Configuration]) -> Iterator[tuple[int, ...] | None]:
    """The spatial output shape of each configuration, None if TensorRT refuses it.

    Every call starts with new networks. Raises Unsupported if a padding mode does not exist, and Refused if TensorRT
    adds no convolution of a window.
    """
    modes: dict[PaddingMode, tensorrt.PaddingMode] = {}
    probes: dict[tuple[int, ...], _Probe] = {}
    for configuration in configurations:
        mode = modes.get(configuration.mode)
        if mode is None:
            mode = modes[configuration.mode] = api.required_member("PaddingMode", configuration.mode)
        # The window decides how many weights there are, and so belongs to the network.
        probe = probes.get(configuration.window)
        if probe is None:
            probe = probes[configuration.window] = _Probe(api, configuration)
        yield probe.shape(configuration, mode)


def further_profile(case: Case) -> int | None:
    """The index of the first further profile that includes the first run shape, if any."""
    if case.dynamic is None or case.dynamic.profile == "none":
        return None
    for index, held in enumerate(case.dynamic.further_profiles, start=1):
        ends = zip(held.min, case.run_shapes[0], held.max, strict=True)
        if all(low <= size <= high for low, size, high in ends):
            return index
    return None


class _Probe:
    """A network of one convolution over ``(1, 1, *spatial)``."""

    def __init__(self, api: Api, first: Configuration) -> None:
        api.take_errors()
        self._api = api
        self._network = api.create_network()
        self._weights = np.zeros(math.prod(first.window), dtype=np.float32)
        x = self._network.add_input(INPUT, api.data_type("float32"), (1, 1, *first.size))
        self._input = made(api, x, "network", "the input was refused")
        layer = self._network.add_convolution_nd(self._input, 1, first.window, api.trt.Weights(self._weights))
        self._layer = made(api, layer, "network", "the layer was refused")
        self._output = self._layer.get_output(0)

    def shape(self, wanted: Configuration, mode: tensorrt.PaddingMode) -> tuple[int, ...] | None:
        layer = self._layer
        self._input.shape = (1, 1, *wanted.size)
        layer.stride_nd = wanted.stride
        layer.dilation_nd = wanted.dilation
        layer.pre_padding = wanted.pre
        layer.post_padding = wanted.post
        layer.padding_mode = mode
        # A setter that refuses a value only logs it, and the layer keeps the value of the read before.
        is_set = (
            tuple(self._input.shape) == (1, 1, *wanted.size)
            and tuple(layer.stride_nd) == wanted.stride
            and tuple(layer.dilation_nd) == wanted.dilation
            and tuple(layer.pre_padding) == wanted.pre
            and tuple(layer.post_padding) == wanted.post
            and layer.padding_mode == mode
        )
        try:
            shape = tuple(self._output.shape)[2:]
        except (ValueError, RuntimeError, OverflowError):  # the bindings raise, or read a rank of -1
            shape = None
        return None if self._api.take_errors() or not is_set else shape
