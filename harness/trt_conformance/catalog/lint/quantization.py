"""Checks the scales of a quantized case."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.case import Case
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.core.tensors import NUMPY_TYPE, content_of
from trt_conformance.core.types import QUANTIZED_PRECISIONS
from trt_conformance.core.words import counted
from trt_conformance.numerics.reference.quantization import INT8


def scale_fault(scale: float) -> str | None:
    """Why a number is no scale of Q and DQ, which engines store in float32; None if it is one."""
    return None if 2.0**-126 <= scale < 2.0**128 else f"a scale must be a positive float32, got {scale:g}"


def lint_quantization(case: Case) -> Iterator[Problem]:
    """Yield the problems of ``quantize``: its scales, and what it may be combined with."""
    quantize = case.quantize
    if quantize is None:
        if case.precision in QUANTIZED_PRECISIONS:
            yield ("precision",), f"precision {case.precision} needs quantize with the scales"
        return
    if case.precision not in QUANTIZED_PRECISIONS:
        yield ("quantize",), f"quantize is only for precision int8 and fp8, but the case also runs in {case.precision}"
    elif case.weights != "set_input" and not quantize.is_implicit:
        yield ("weights",), 'quantize needs weights = "set_input": Q/DQ applies only to a kernel that is a tensor'
    maps = case.kernel.shape[0]
    if len(quantize.kernel) not in (1, maps):
        given = counted(len(quantize.kernel), "scale")
        yield (
            ("quantize", "kernel"),
            f"quantize.kernel has {given}, expected 1, or one for each output map ({maps})",
        )
    for name, scales in (("input", (quantize.input,)), ("kernel", quantize.kernel), ("output", (quantize.output,))):
        for scale in scales:
            if scale is not None and (fault := scale_fault(scale)):
                yield ("quantize", name), f"quantize.{name}: {fault}"
    yield from _variants(case, quantize)
    if quantize.io_quantization and case.epilogue:
        yield (
            ("epilogue",),
            "epilogue: with quantize.io_quantization the network must end with the layer or its Q",
        )


def _variants(case: Case, quantize: Quantize) -> Iterator[Problem]:
    """The problems of what departs from a Q and a DQ of one scale on both operands."""
    path = ("quantize",)
    if quantize.wrong is not None and case.reject is None:
        yield (*path, "wrong"), "quantize.wrong: the network must be refused, so the case needs reject with the error"
    block = None if quantize.wrong is None else quantize.wrong.block_shape
    if block is not None and (
        len(block) != len(case.kernel.shape)
        or any(each < 1 or size % each for size, each in zip(case.kernel.shape, block, strict=True))
    ):
        text = f"blocks of {list(block)} do not fill {list(case.kernel.shape)}"
        yield (
            (*path, "wrong", "block_shape"),
            f"quantize.wrong.block_shape: {text}",
        )
    if quantize.dynamic_range is not None:
        yield from _implicit(case, quantize, quantize.dynamic_range)
    if quantize.between is not None:
        yield from _between(quantize)
    if quantize.is_plain:
        return
    if quantize.output is not None or quantize.io_quantization:
        yield path, "quantize: only and dequantize are for a layer with a float output and a float input"
    if not case.exact and case.reject is None:
        yield path, "quantize: only and dequantize have no bound of their own, so the case must be exact"
    restored = quantize.dequantize.kernel
    if restored is not None and len(restored) != len(quantize.kernel):
        given, expected = counted(len(restored), "scale"), len(quantize.kernel)
        yield (*path, "dequantize", "kernel"), f"quantize.dequantize.kernel has {given}, expected {expected} as Q has"
    if quantize.only == "input" and (quantize.stored or restored is not None):
        yield (*path, "only"), "quantize.only: the kernel has no DQ, so it is neither stored quantized nor scaled"
    if quantize.only == "kernel" and quantize.dequantize.input is not None:
        yield (*path, "only"), "quantize.only: the input has no DQ to scale"


def _between(quantize: Quantize) -> Iterator[Problem]:
    """The problems of Q and DQ between half tensors: their scales are of the same type."""
    if quantize.io_quantization:
        yield (
            ("quantize", "io_quantization"),
            "quantize.between: cannot be combined with io_quantization, whose Q and DQ have float32 tensors",
        )
    for name, scales in (("input", (quantize.input,)), ("kernel", quantize.kernel), ("output", (quantize.output,))):
        for scale in scales:
            if scale is not None and float(np.asarray(scale).astype(NUMPY_TYPE[quantize.float_type])) != scale:
                path = ("quantize", name)
                yield path, f"quantize.{name}: {scale:g} is not exactly representable in {quantize.float_type}"


def _implicit(case: Case, quantize: Quantize, ends: tuple[float, float]) -> Iterator[Problem]:
    """The problems of a network that is quantized by dynamic ranges: its scales are those that TensorRT derives."""
    path = ("quantize", "dynamic_range")
    if case.precision != "int8" or case.typing == "strong" or not quantize.has_no_extras or quantize.only is not None:
        yield (
            path,
            "quantize.dynamic_range: needs precision int8, a weakly typed network, and no other settings of Q and DQ",
        )
    if not ends[0] < 0 < ends[1]:
        yield path, f"quantize.dynamic_range: expected a range around 0, got {list(ends)}"
        return
    scale = max(-ends[0], ends[1]) / INT8.high
    if quantize.input != scale:
        yield ("quantize", "input"), f"quantize.input: the range gives the scale {scale:g}, not {quantize.input:g}"
    weights = np.abs(content_of(case.kernel, case.kernel.shape)).reshape(case.kernel.shape[0], -1)
    wanted = [float(largest) / INT8.high for largest in weights.max(axis=1)]
    if list(quantize.kernel) != wanted:
        stated = ", ".join(f"{each:g}" for each in wanted)
        yield ("quantize", "kernel"), f"quantize.kernel: the largest weight of each map gives the scales {stated}"
