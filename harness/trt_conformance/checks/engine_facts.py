"""What an engine says of itself: its kernels, the precision that ran, and the error bound that follows."""

from __future__ import annotations

from typing import Any

from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case
from trt_conformance.numerics.bounds.basis import Basis, basis, bound_on
from trt_conformance.numerics.reference.result import Result
from trt_conformance.targets.protocols import Engine, EngineFacts, offers


def basis_of(case: Case, facts: EngineFacts | None) -> Basis:
    """What the bound for the kernel that ran rests on. An exact case demands exactness of every kernel."""
    if case.exact or facts is None or facts.convolution is None:
        return basis(case)
    return basis(case, facts.convolution.kernel, facts.precision, facts.rounds_sums)


def basis_on(case: Case, engine: Engine) -> Basis:
    """What the bound rests on for the kernel that an engine runs, where it says which."""
    return basis_of(case, _describe(engine)[0])


def limits_of(case: Case, result: Result, engine: Engine) -> Float64:
    """The bound around the layer's result for the kernel that an engine runs, where it says which."""
    return bound_on(case, result, basis_on(case, engine))


def _describe(engine: Any) -> tuple[EngineFacts | None, dict[str, Any]]:
    origin = {k: v for k, v in engine.origin.items() if k != "cache"} if offers(engine, "origin") else {}
    facts = engine.describe() if offers(engine, "describe") else None
    if facts is None:
        return None, origin
    kernel = facts.convolution.kernel if facts.convolution else ""
    layers = [
        {"name": x.name, "type": x.type, "kernel": x.kernel, "reads": list(x.reads), "writes": list(x.writes)}
        for x in facts.layers
    ]
    return facts, {"ran_in": facts.precision, "kernel": kernel, "layers": layers, **origin}
