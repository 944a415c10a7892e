"""What an engine reports about itself: its GPU kernels, the precision that ran, and the error bound that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case
from trt_conformance.core.engine_cost import PLAN, WEIGHTS
from trt_conformance.core.tensors import weights_bytes
from trt_conformance.numerics.bounds.basis import Basis, basis, bound_on
from trt_conformance.numerics.bounds.epilogue import network_result
from trt_conformance.numerics.reference.result import Result
from trt_conformance.targets.protocols import Engine, EngineFacts, offers


def basis_of(case: Case, facts: EngineFacts | None) -> Basis:
    """The assumptions of the bound for the GPU kernel that ran."""
    if facts is None or facts.convolution is None:
        return basis(case)
    return basis(case, facts.convolution.kernel, facts.precision, facts.rounds_sums)


WIDEST: tuple[Basis, ...] = ("winograd", "fft", "fp16", "fp22", "fp32_rounded", "fp32", "int32")
"""The bases of GPU kernels, the widest first."""
# Types of layers in the inspector's report whose kernels are known by name: convolutions, and those that sum nothing.
_CONVOLUTIONS = frozenset(("CaskConvolution", "CaskGemmConvolution", "CudnnConvolution"))
_OTHERS = frozenset(("Reformat", "NoOp", "PointWise", "PointWiseV2", "ElementWise", "Constant"))


def further_bases(case: Case, facts: EngineFacts | None) -> tuple[Basis, ...] | None:
    """The basis of each further layer by the GPU kernels of an engine; None where one of them is not known.

    An engine lists its layers in the order in which it runs them, and each layer of a case reads what the one before it
    gave. So where there are as many kernels as layers, they are those of the layers in order. Where there are more, the
    widest basis of all applies to each layer. Of a quantized layer only a transform changes the bound.
    """
    further = sum(step.layer is not None for step in case.epilogue)
    if not further:
        return None
    if facts is None:  # a target that reports nothing is judged as its first layer is
        return (basis(case),) * further
    kernels = [layer.kernel for layer in facts.layers if layer.type in _CONVOLUTIONS]
    if len(kernels) <= further or any(layer.type not in _CONVOLUTIONS | _OTHERS for layer in facts.layers):
        return None
    found = [basis(case, kernel, facts.precision, facts.rounds_sums) for kernel in kernels]
    return tuple(found[1:]) if len(found) == further + 1 else (min(found, key=WIDEST.index),) * further


def basis_on(case: Case, engine: Engine) -> Basis:
    """The assumptions of the bound for the GPU kernel that an engine runs, where the engine reports it."""
    return basis_of(case, describe(case, engine)[0])


def limits_of(case: Case, result: Result, engine: Engine) -> Float64:
    """The bound around the layer's result, of its shape, for the GPU kernel that an engine runs."""
    return bound_on(case, result, basis_on(case, engine))


def output_limits(case: Case, result: Result, engine: Engine) -> Float64:
    """The bound around the network's output for the first run shape, of its shape, from the layer's result."""
    return network_result_on_engine(case, result, engine, case.run_shapes[0])[1]


def network_result_on_engine(
    case: Case, result: Result, engine: Engine, run_shape: Sequence[int]
) -> tuple[Float64, Float64]:
    """The network's output and its error bound, from the layer's result, for the GPU kernels that an engine runs."""
    facts = describe(case, engine)[0]
    limits = bound_on(case, result, basis_of(case, facts))
    return network_result(case, result, limits, run_shape, further_bases(case, facts))


def describe(case: Case, engine: Any) -> tuple[EngineFacts | None, dict[str, Any]]:
    """What a case's engine reports (None if nothing), and the figures of a verdict: that report, and the engine's cost.

    If the engine has a plan, the figures also have the bytes of the case's weights.
    """
    origin = {k: v for k, v in engine.origin.items() if k != "cache"} if offers(engine, "origin") else {}
    if PLAN in origin:
        origin[WEIGHTS] = weights_bytes(case)
    facts = engine.describe() if offers(engine, "describe") else None
    if facts is None:
        return None, origin
    kernel = facts.convolution.kernel if facts.convolution else ""
    layers = [
        {"name": x.name, "type": x.type, "kernel": x.kernel, "reads": list(x.reads), "writes": list(x.writes)}
        for x in facts.layers
    ]
    return facts, {"ran_in": facts.precision, "kernel": kernel, "layers": layers, **origin}
