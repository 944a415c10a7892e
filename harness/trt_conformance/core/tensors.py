"""The tensors of a case: its fills, rounded to the type that the network reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import BiasSpec, Case, TensorSpec
from trt_conformance.core.epilogue_fields import FurtherLayer
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.fills import MEDIUM_ELEMENTS, PART, content, parts
from trt_conformance.core.prologue import layer_input
from trt_conformance.core.refit_fields import Filled
from trt_conformance.core.stored import read_stored
from trt_conformance.core.types import DataType, Fill

INPUT, ADDEND, OUTPUT = "input", "addend", "output"

NUMPY_TYPE: dict[DataType, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "int8": np.dtype(np.int8),
    "float8": np.dtype(ml_dtypes.float8_e4m3fn),
    "uint8": np.dtype(np.uint8),
}


def representable(values: Float64, case: Case) -> NDArray[np.bool_]:
    """Whether the case's type represents each value exactly."""
    with np.errstate(over="ignore"):
        return np.asarray(values.astype(NUMPY_TYPE[case.data_type]).astype(np.float64) == values)


@dataclass(frozen=True)
class Parameters:
    """Kernel ``(K, C/groups, *window)`` and bias ``(K,)`` in the type of the case: all that a build needs."""

    kernel: Array
    bias: Array | None


@dataclass(frozen=True)
class CaseData(Parameters):
    """The parameters, and the input ``(N, C, *spatial)``."""

    input: Array


def content_of(spec: TensorSpec | BiasSpec, shape: Sequence[int]) -> Float64:
    """Return the content of a kernel or bias in float64, before it is rounded to its type.

    Raises:
        ConformanceError: a file with the content cannot be used.
    """
    if spec.stored is not None:
        return read_stored(spec.stored, shape)
    return content(shape, spec.fill, spec.values, spec.seed, exponents_of(spec))


def exponents_of(spec: TensorSpec | BiasSpec) -> tuple[int, int]:
    """Return the exponents of a fill of octaves; those of 1 if it has none."""
    return (spec.exponents if isinstance(spec, TensorSpec) else None) or (0, 0)


def parameters(case: Case) -> Parameters:
    """Return the kernel and the bias of a case. Raises ConformanceError if a value overflows its type."""
    bias = None
    if case.bias != "none":
        maps = case.kernel.shape[:1]
        bias = _rounded(case, "bias", content_of(case.bias, maps))
    kernel = content_of(case.kernel, case.kernel.shape)
    return Parameters(_rounded(case, "kernel", kernel), bias)


def built_with(case: Case) -> Parameters:
    """Return the kernel and the bias that an engine is built with: those of the case, except where it is refitted."""
    return parameters(as_built(case))


def as_built(case: Case) -> Case:
    """Return the case with the kernel and the bias that its engine is built with."""
    changed: dict[str, TensorSpec | BiasSpec] = {}
    for name in ("kernel", "bias"):
        given = None if case.refit is None else getattr(case.refit, name)
        if isinstance(given, Filled):
            changed[name] = getattr(case, name).model_copy(
                update={"fill": given.fill, "seed": given.seed, "values": None, "stored": None}
            )
    return case.model_copy(update=changed) if changed else case


def case_data(case: Case, run_shape: Sequence[int] | None = None) -> CaseData:
    """Return the tensors of a case's layer, the input after the prologue, by default in the first run shape.

    Raises:
        ConformanceError: a finite value overflows the type of the case.
    """
    given = parameters(case)
    return CaseData(given.kernel, given.bias, layer_input_of(case, network_input(case, run_shape)))


def network_input(case: Case, run_shape: Sequence[int] | None = None) -> Array:
    """Return the network's input in ``run_shape``, by default in the first. Raises ConformanceError as `case_data`."""
    shape = case.run_shapes[0] if run_shape is None else run_shape
    values = case.input.values if tuple(shape) == case.input.shape else None
    if values is None and case.input.fill is not None and math.prod(shape) > MEDIUM_ELEMENTS:
        return _rounded_by_parts(case, shape, case.input.fill)
    given = content(shape, case.input.fill, values, case.input.seed, exponents_of(case.input))
    return _rounded(case, "input", given)


def layer_input_of(case: Case, x: Array) -> Array:
    """Return the layer's input, from the network's input ``x``: ``x`` itself where nothing is before the layer."""
    return layer_input(case.prologue, case.spatial_rank, x, addend_of(case)) if case.prologue else x


def feeds_of(case: Case, index: int = 0) -> dict[str, Array]:
    """Return the inputs of the run ``index`` of a case, by tensor name; the activation first."""
    return {INPUT: network_input(case, case.run_shapes[index])} | runtime_feeds(case)


def runtime_feeds(case: Case) -> dict[str, Array]:
    """Return the kernel, the bias and the addend where the network reads them as inputs of its own, by tensor name."""
    feeds: dict[str, Array] = {}
    if case.network.runtime:
        given = parameters(case)
        tensors = {"kernel": given.kernel, "bias": given.bias}
        feeds |= {name: tensor for name in case.network.runtime if (tensor := tensors[name]) is not None}
    addend = addend_of(case)
    return feeds if addend is None else feeds | {ADDEND: addend}


def addend_of(case: Case) -> Array | None:
    """Return the second input of the network, None if it has none. Raises ConformanceError as `parameters` does."""
    spec = case.addend
    return None if spec is None else _rounded(case, ADDEND, content_of(spec, spec.shape))


def further_weights(data_type: DataType, layer: FurtherLayer) -> Parameters:
    """Return the kernel and the bias of a layer after the case's, rounded to a type; a fill has no value beyond it."""
    dtype = NUMPY_TYPE[data_type]
    kernel = content(layer.shape, layer.fill, None, layer.seed).astype(dtype)
    bias = None if layer.bias is None else content(layer.shape[:1], layer.bias, None, layer.seed + 1).astype(dtype)
    return Parameters(kernel, bias)


def weights_bytes(case: Case) -> int:
    """Return the bytes of all kernels and biases in the types of the case; a quantized kernel has one byte a value."""
    itemsize = NUMPY_TYPE[case.data_type].itemsize
    layers = [(case.kernel.shape, case.bias != "none", case.quantize is not None)]
    further = [step.layer for step in case.epilogue if step.layer is not None]
    layers += [(layer.shape, layer.bias is not None, layer.scale is not None) for layer in further]
    return sum(
        math.prod(shape) * (1 if is_quantized else itemsize) + itemsize * shape[0] * has_bias
        for shape, has_bias, is_quantized in layers
    )


def _rounded_by_parts(case: Case, shape: Sequence[int], fill: Fill) -> Array:
    """A large input, filled and rounded part by part: in float64 it might not fit the memory."""
    x = np.empty(shape, NUMPY_TYPE[case.data_type])
    for part, values in parts(shape, fill, case.input.seed, PART, exponents_of(case.input)):
        x.reshape(-1)[part] = _rounded(case, "input", values)
    return x


def _rounded(case: Case, name: str, values: Float64) -> Array:
    dtype = NUMPY_TYPE[case.data_type]
    with np.errstate(over="ignore"):
        rounded = values.astype(dtype)
    is_infinite = np.isinf(rounded)
    if is_infinite.any() and (overflowed := is_infinite & np.isfinite(values)).any():
        value = values[overflowed][0]
        raise ConformanceError(f"{case.location}: {case.id}: {value:g} in the {name} overflows {case.data_type}")
    return rounded
