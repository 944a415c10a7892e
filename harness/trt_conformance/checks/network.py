"""The network is accepted, its attributes read back as set, and its output has the expected name, shape and type."""

from __future__ import annotations

from typing import Any

from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.reference.epilogue import network_shape
from trt_conformance.numerics.reference.shape import output_shape
from trt_conformance.targets.protocols import offers


@judged("network")
def check_network(subject: Subject) -> Verdict:
    """Shape inference gives the formula's shape, and every attribute reads back as it was set."""
    case, target = subject.case, subject.target
    if not offers(target, "define"):
        return subject.say("network", "unsupported", "the target has no network apart from its engine")
    facts = target.define(case)
    faults = list(facts.errors)
    expected = _network_shape(case)
    if facts.output_shape != expected:
        faults.append(f"the inferred output shape is {facts.output_shape}, but should be {expected}")
    if facts.attributes:
        for name, value in expected_attributes(case).items():
            if facts.attributes.get(name) != value:
                faults.append(f"{name} reads back as {facts.attributes.get(name)}, but should be {value}")
    if faults:
        return subject.say("network", "fail", faults)
    return subject.say("network", "pass", shape=list(facts.output_shape))


def _network_shape(case: Case) -> tuple[int, ...]:
    """The output shape of the declared network: -1 wherever the run shapes may differ."""
    if case.dynamic is None:
        return _output_shape(case, case.input.shape)
    low, high = (_output_shape(case, shape) for shape in (case.dynamic.min, case.dynamic.max))
    rank = case.spatial_rank
    free = [n == -1 for n in case.dynamic.shape]
    dynamic = [*free[: -rank - 1], False, *free[-rank:]]
    assert len(dynamic) == len(low) == len(high)
    return tuple(-1 if is_free else n for is_free, n in zip(dynamic, low, strict=True))


def _output_shape(case: Case, shape: tuple[int, ...]) -> tuple[int, ...]:
    return network_shape(case, output_shape(shape, case.kernel.shape, case.attributes), shape)


def expected_attributes(case: Case) -> dict[str, Any]:
    """What the layer must report: its defaults, each assignment, and what the case states explicitly."""
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
    return values
