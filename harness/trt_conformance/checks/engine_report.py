"""An engine reports about itself what the case states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.case import Case
from trt_conformance.core.engine_cost import NOT_OBEYED, SPARSE, SPARSE_ELIGIBLE
from trt_conformance.core.engine_fields import EngineReport
from trt_conformance.numerics.reference.epilogue import network_shape
from trt_conformance.numerics.reference.shape import output_shape
from trt_conformance.targets.protocols import Engine, offers


@judged("run")
def check_engine(subject: Subject) -> Finding:
    """The engine reports its tensors, profiles and layer as the case states, its context the shapes of each run."""
    case = subject.case
    engine = subject.runnable(case)
    if not offers(engine, "reports", "origin"):
        return Finding("unsupported", ["the engine reports nothing about itself"])
    with subject.running(case):
        found = engine.reports()
    assert case.expect.engine is not None
    faults = [*_stated(case.expect.engine, found), *_shapes(case, found["context_shapes"])]
    if case.expect.engine.inspector is not None:
        faults += _parameters(case, found["parameters"])
    obeyed, ran_in = not engine.origin.get(NOT_OBEYED), _precision(engine)
    if case.expect.engine.constraints_obeyed is False and obeyed and ran_in == case.precision:
        return Finding(
            "unsupported", [f"this version has a kernel that obeys the constraints: the layer runs in {ran_in}"]
        )
    if case.expect.engine.constraints_obeyed not in (None, obeyed):
        faults.append(f"the builder {'does not warn' if obeyed else 'warns'} that no kernel obeys the constraints")
    wanted, eligible = case.expect.engine.sparse_eligible, engine.origin.get(SPARSE_ELIGIBLE)
    if wanted is not None and eligible is None:
        return Finding("unsupported", ["the builder does not say which layers are eligible for sparse math"])
    if wanted is not None and bool(eligible) != wanted:
        faults.append(f"the builder lists {eligible} layers as eligible for sparse math")
    return finding(faults, **{SPARSE: engine.origin[SPARSE]} if SPARSE in engine.origin else {})


def _precision(engine: Engine) -> str | None:
    """The precision in which the engine runs the layer, if it says."""
    facts = engine.describe() if offers(engine, "describe") else None
    return None if facts is None else facts.precision


def _stated(stated: EngineReport, found: Mapping[str, Any]) -> Iterator[str]:
    """The differences between what a case states and what an engine says."""
    for name in ("num_optimization_profiles", "refittable"):
        value = getattr(stated, name)
        if value is not None and found[name] != value:
            yield f"{name} is {found[name]}, but should be {value}"
    for tensor in ("input", "output"):
        for name, value in getattr(stated, tensor).model_dump(exclude_none=True).items():
            wanted = list(value) if isinstance(value, tuple) else value
            if found[tensor][name] != wanted:
                yield f"{name} of the {tensor} is {found[tensor][name]}, but should be {wanted}"


def _shapes(case: Case, found: list[list[list[int]]]) -> Iterator[str]:
    """The differences of the shapes that a context says for each run shape."""
    for wanted, said in zip(expected_shapes(case), found, strict=True):
        if said != wanted:
            yield f"the context reports the shapes {said[0]} and {said[1]}, expected {wanted[0]} and {wanted[1]}"


def _parameters(case: Case, found: Mapping[str, Any]) -> Iterator[str]:
    """The differences of the inspector's parameters from the layer that the case defines."""
    if not found:
        yield "the inspector has no convolution with parameters"
        return
    for name, value in defined_parameters(case).items():
        if found.get(name) != value:
            yield f"the inspector's {name} is {found.get(name)}, but should be {value}"


def expected_shapes(case: Case) -> list[list[list[int]]]:
    """Return the shapes of the network's input and output that a context has in each run of a case."""
    outputs = [
        network_shape(case, output_shape(shape, case.kernel.shape, case.attributes), shape) for shape in case.run_shapes
    ]
    return [[list(shape), list(output)] for shape, output in zip(case.run_shapes, outputs, strict=True)]


def defined_parameters(case: Case) -> dict[str, Any]:
    """Return the parameters of a case's layer under the names that TensorRT's inspector gives them."""
    attributes = case.attributes
    return {
        "Kernel": list(case.kernel.shape[2:]),
        "PaddingMode": f"k{attributes.mode}",
        "PrePadding": list(attributes.pre),
        "PostPadding": list(attributes.post),
        "Stride": list(attributes.stride),
        "Dilation": list(attributes.dilation),
        "OutMaps": case.kernel.shape[0],
        "Groups": attributes.groups,
        "Activation": "RELU" if [step.op for step in case.epilogue] == ["relu"] else "NONE",
    }
