"""The checks of a case on a target, phase by phase. Each returns a verdict and raises nothing.

The way of the data: case -> Target.build -> Engine.run -> compare -> verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from harness import message
from harness.compare import Comparison, compare, structure_faults
from harness.data import NUMPY_TYPE, OUTPUT, Array
from harness.evidence import evidence
from harness.message import Named
from harness.model import Case, Precision
from harness.normwise import Basis, basis, bound_on
from harness.printed import Printed, parse
from harness.probes import UNKNOWN, arithmetic
from harness.reference.after import network_result, network_shape
from harness.reference.result import Result
from harness.reference.shape import output_shape
from harness.subject import PhaseFault, Subject, feeds_of, judged
from harness.targets.base import (
    DefinesNetworks,
    Describes,
    Engine,
    EngineFacts,
    HasDeprecatedNames,
    HasOrigin,
    Refused,
    RunsInWays,
    Unsupported,
)
from harness.tolerance import Float64, bound
from harness.verdict import Verdict

# Precisions that a target is told to use, and may silently leave. TF32 is only ever permitted.
NARROW: dict[Precision, str] = {"fp16": "fp16", "bf16": "bf16", "int8": "int8", "fp8": "fp8"}


@judged("network")
def check_network(subject: Subject) -> Verdict:
    """Shape inference gives the formula's shape, and every attribute reads back as it was set."""
    case, target = subject.case, subject.target
    if not isinstance(target, DefinesNetworks):
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


@judged("build")
def check_build(subject: Subject) -> Verdict:
    """An engine is built, and loads where it can run here."""
    return subject.say("build", "pass", **_describe(subject.engine(subject.case))[1])


@judged("compare")
def check_forward(subject: Subject) -> Verdict:
    """Every run shape's output lies within the bound around the golden reference."""
    case = subject.case
    worst: Comparison | None = None
    shown: dict[str, Any] = {}
    probed: str | None = None
    suspects: Sequence[Named] = ()
    bits = hashlib.sha256()
    facts, described = _describe(subject.engine(case))
    rests_on = basis_of(case, facts)
    for index, shape in enumerate(case.run_shapes):
        golden = subject.golden(case, index)
        outputs = subject.run(case, index)
        expected, limits = network_result(case, golden, bound_on(case, golden, rests_on), shape)
        faults = structure_faults(outputs, OUTPUT, expected.shape, NUMPY_TYPE[case.data_type])
        if faults:
            return subject.say("compare", "fail", faults)
        actual = outputs[OUTPUT]
        bits.update(actual.tobytes())
        if not expected.size and len(case.run_shapes) > 1:  # an empty batch has a shape and a type, and no more
            continue
        probed = probed or arithmetic(case, actual)
        found = compare(actual, expected, limits)
        if worst is None or not found.fraction <= worst.fraction:
            worst = found
        if not found.passed:
            if found.elements:
                shown["evidence"] = evidence(
                    case, shape, actual=actual, expected=expected, bound=limits, worst=found.worst
                )
                suspects = subject.diagnose(case, index, actual, golden)
            break
    assert worst is not None
    figures = figures_of(worst) | {"bound_for": rests_on} | described | ({"arithmetic": probed} if probed else {})
    if not worst.passed:
        numbers = [f"these are the numbers of {probed}"] if probed and probed != UNKNOWN else []
        lines = [*message.mismatch(worst), *numbers, *message.as_if(suspects), *message.engine_line(facts)]
        shown["as_if"] = [suspect.name for suspect in suspects]
        return subject.say("compare", "fail", lines, **figures, **shown)
    figures |= {"output_sha256": bits.hexdigest()[:16]}
    demanded = case.runs_in or NARROW.get(case.precision)
    said = (probed, facts.precision if facts is not None else None)
    other = [ran for ran in said if ran in get_args(Precision) and ran != demanded]
    if demanded is None or not other:
        return subject.say("compare", "pass", **figures)
    what = f"the values are right, but it ran in {other[0]}, not in {demanded}"
    if case.runs_in is None:
        return subject.say("compare", "fallback", what, **figures)
    return subject.say("compare", "fail", [what, *message.engine_line(facts)], **figures)


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


@judged("compare")
def check_printed(subject: Subject) -> Verdict:
    """The output agrees with the document's printed values to their last digit, widened by the bound."""
    case = subject.case
    assert case.expect.printed is not None and case.expect.shape is not None
    printed = parse(case.expect.printed, case.expect.shape)
    outputs = subject.run(case)
    faults = structure_faults(outputs, OUTPUT, case.expect.shape, NUMPY_TYPE[case.data_type])
    if faults:
        return subject.say("compare", "fail", faults)
    found = compare(outputs[OUTPUT], printed.values, printed.tolerance + bound(case, subject.golden(case, 0)))
    figures = figures_of(found) | agreement(outputs[OUTPUT].astype(np.float64), printed)
    if not found.passed:
        return subject.say("compare", "fail", message.mismatch(found, "printed values"), **figures)
    return subject.say("compare", "pass", **figures)


def agreement(actual: Array, printed: Printed) -> dict[str, Any]:
    """How far a float64 tensor agrees with a printed one of its shape.

    ``as_printed`` counts the values within half a unit of their last printed digit, ``values`` all of them;
    ``digits`` is the smallest agreement in significant decimal digits, at most as many as are printed.
    """
    error = np.abs(actual - printed.values)
    scale = np.where(printed.values == 0, 1.0, np.abs(printed.values))
    with np.errstate(divide="ignore"):
        digits = np.minimum(np.where(error == 0, np.inf, -np.log10(error / scale)), printed.digits)
    within = error <= printed.tolerance * (1 + 2.0**-40)
    return {
        "as_printed": int(within.sum()),
        "values": int(within.size),
        "digits": round(float(np.maximum(digits, 0.0).min()), 2),
    }


@judged("run")
def check_ways(subject: Subject) -> Verdict:
    """Every other way to run the engine, and a run after another shape, give the bits of the first run."""
    case = subject.case
    engine = subject.engine(case)
    if not isinstance(engine, RunsInWays):
        return subject.say("run", "unsupported", "the engine runs in one way only")
    first = [subject.run(case, index)[OUTPUT] for index in range(len(case.run_shapes))]
    faults, done = [], []
    with subject.running(case):
        for way in engine.ways():
            if same_bits(first[0], engine.run_way(way, feeds_of(case))[OUTPUT]):
                done.append(way)
            else:
                faults.append(f"{way.replace('_', ' ')}: other bits than the first run")
    if faults:
        return subject.say("run", "fail", faults, ways=done)
    return subject.say("run", "pass", ways=done)


def same_bits(a: Array, b: Array) -> bool:
    """Shape, type and every byte equal."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def check_deprecated(subject: Subject) -> Verdict:
    """An old name warns as documented where it exists, and is absent where it was removed."""
    case, target = subject.case, subject.target
    assert case.deprecated is not None
    if not isinstance(target, HasDeprecatedNames) or not isinstance(target, DefinesNetworks):
        return subject.say("network", "unsupported", "the target has no names of TensorRT's API")
    name, text = case.deprecated.name, case.deprecated.warning
    missing = target.missing_name(case)
    if missing is not None:
        return subject.say("network", "pass", absent=missing)
    try:
        given = target.define(case).warnings
    except (Refused, Unsupported) as fault:
        return subject.say("network", "fail", [f"`{name}` was refused: {fault}"])
    except Exception as fault:  # whatever a target raises is an error of this case alone
        return subject.say("network", "error", PhaseFault("network", fault).lines)
    if any(warning.rstrip(".") == text.rstrip(".") for warning in given):
        return subject.say("network", "pass", warning=text)
    shown = ", ".join(repr(warning) for warning in given) or "none"
    return subject.say("network", "fail", [f"`{name}` should warn {text!r}; DeprecationWarnings given: {shown}"])


def _describe(engine: Any) -> tuple[EngineFacts | None, dict[str, Any]]:
    origin = {k: v for k, v in engine.origin.items() if k != "cache"} if isinstance(engine, HasOrigin) else {}
    facts = engine.describe() if isinstance(engine, Describes) else None
    if facts is None:
        return None, origin
    kernel = facts.convolution.kernel if facts.convolution else ""
    layers = [
        {"name": x.name, "type": x.type, "kernel": x.kernel, "reads": list(x.reads), "writes": list(x.writes)}
        for x in facts.layers
    ]
    return facts, {"ran_in": facts.precision, "kernel": kernel, "layers": layers, **origin}


def figures_of(found: Comparison) -> dict[str, Any]:
    """A comparison for a verdict's figures."""
    return {
        "elements": found.elements,
        "beyond": found.beyond,
        "worst": list(found.worst),
        "actual": _json(found.actual),
        "expected": _json(found.expected),
        "error": _json(found.error),
        "bound": _json(found.bound),
        "fraction": _json(found.fraction),
        "ulp": _json(found.ulp),
    }


def _json(value: float) -> float | str:
    """JSON has no infinities and no NaN: they are written as text."""
    return value if np.isfinite(value) else str(value)
