"""The network is accepted, its attributes read back as they were set, and its output has the expected shape."""

from __future__ import annotations

from typing import Any

from trt_conformance.checks.finding import Finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.case import Case
from trt_conformance.numerics.reference.epilogue import network_shape
from trt_conformance.numerics.reference.shape import layer_output
from trt_conformance.targets.protocols import offers


@judged("network")
def check_network(subject: Subject) -> Finding:
    """The target infers the shape that the formula gives, and every attribute reads back as it was set."""
    case, target = subject.case, subject.target
    if not offers(target, "define"):
        return Finding("unsupported", ["the target does not define networks separately from engines"])
    facts = target.define(case)
    faults = list(facts.errors)
    expected = declared_output_shape(case)
    if facts.output_shape != expected:
        faults.append(f"the inferred output shape is {facts.output_shape}, but should be {expected}")
    if facts.attributes:
        for name, value in expected_attributes(case).items():
            if facts.attributes.get(name) != value:
                faults.append(f"{name} reads back as {facts.attributes.get(name)}, but should be {value}")
    return Finding("fail", faults) if faults else Finding("pass", figures={"shape": list(facts.output_shape)})


def declared_output_shape(case: Case) -> tuple[int, ...]:
    """The output shape of the declared network: -1 in each dimension that may differ between run shapes."""
    if case.dynamic is None:
        return _output_shape(case, case.input.shape)
    low, high = (_output_shape(case, shape) for shape in (case.dynamic.min, case.dynamic.max))
    rank = case.spatial_rank
    free = [n == -1 for n in case.dynamic.shape]
    dynamic = [*free[: -rank - 1], False, *free[-rank:]]
    assert len(dynamic) == len(low) == len(high)
    return tuple(-1 if is_free else n for is_free, n in zip(dynamic, low, strict=True))


def _output_shape(case: Case, shape: tuple[int, ...]) -> tuple[int, ...]:
    return network_shape(case, layer_output(case, shape), shape)


def expected_attributes(case: Case) -> dict[str, Any]:
    """The attribute values that the layer must report, from its defaults, the assignments, and the case's own list."""
    a = case.attributes
    values: dict[str, Any] = {
        "num_output_maps": case.kernel.shape[0],
        "kernel_size_nd": list(case.kernel.shape[2:]),
        "stride_nd": list(a.stride),
        "pre_padding": list(a.pre),
        "post_padding": list(a.post),
        "padding_mode": a.mode,
        "dilation_nd": list(a.dilation),
        "num_groups": a.groups,
    }
    if a.pre == a.post:
        values["padding_nd"] = list(a.pre)
    stated = case.expect.attributes
    if stated is not None:
        values |= {k: list(v) if isinstance(v, tuple) else v for k, v in stated.model_dump(exclude_none=True).items()}
    builder = case.expect.builder
    if builder is not None:
        values |= {f"flags.{flag}": value for flag, value in builder.flags.items()}
        values |= builder.model_dump(exclude_none=True, exclude={"flags"})
    return values
