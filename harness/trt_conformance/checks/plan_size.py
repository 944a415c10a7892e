"""An engine's plan is not much larger than the weights of its case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from trt_conformance.checks.engine_facts import basis_of, describe
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.message import engine_line
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.engine_cost import PLAN, STORED_WEIGHTS, WEIGHTS
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.types import Precision
from trt_conformance.numerics.plan_size import Padding, code_limit, paddings, weights_limit

AS_IF = "channels_padded"
"""The name of the known cause: zeros that pad the channels of whole tensors are stored as weights."""


@judged("build")
def check_plan_size(subject: Subject) -> Finding:
    """The plan holds at most twice the case's weights, in addition to code and metadata.

    If the engine does not report how many bytes are weights, plan and limits are compared as a whole.
    """
    case = subject.case
    facts, figures = describe(case, subject.engine(case))
    if PLAN not in figures:
        return Finding("unsupported", ["the engine has no plan"], figures)
    ran_in = facts.precision if facts is not None and facts.precision in get_args(Precision) else None
    limit = weights_limit(case, ran_in, basis_of(case, facts))  # type: ignore[arg-type]
    plan, stored, code = figures[PLAN], figures.get(STORED_WEIGHTS), code_limit(case)
    figures["weights_limit_bytes"] = limit
    if stored is None and code is None:
        return Finding("unsupported", ["the plan contains a runtime; the engine does not report its weights"], figures)
    lines, held = [], plan if stored is None else stored
    if stored is None:
        assert code is not None
        limit += code
        if plan > limit:
            lines.append(f"the plan has {plan:,} bytes; at most {limit:,} are expected")
    else:
        if stored > limit:
            lines.append(f"the plan holds {stored:,} bytes of weights; at most {limit:,} are expected")
        if code is not None and plan - stored > code:
            lines.append(f"the plan has {plan - stored:,} bytes in addition to weights; at most {code:,} are expected")
    if not lines:
        return Finding("pass", figures=figures)
    lines.append(f"the case has {figures[WEIGHTS]:,} bytes of weights")
    lines += engine_line(facts)
    lines += _cause(paddings(case, _is_for_turing(subject)), figures, held, limit)
    return Finding("fail", lines, figures)


def _is_for_turing(subject: Subject) -> bool:
    """Whether the engine is for compute capability 7.5, that of this GPU or of those that it is built for."""
    built_for = subject.case.builder.compute_capabilities or ()
    return "SM75" in built_for or TargetName.parse(subject.target.name).gpu == "sm75"


def _cause(found: Sequence[Padding], figures: dict[str, Any], held: int, limit: int) -> list[str]:
    """The known cause, where it explains what is held beyond the limit, and does not explain more than is held."""
    zeros = sum(padding.bytes for padding in found)
    if not max(0, held - limit) <= zeros <= held or held <= limit:
        return []
    figures |= {"as_if": [AS_IF], "padding_bytes": zeros}
    return [
        f"as if: zeros that pad channels were weights ({AS_IF}): {'; '.join(padding.text() for padding in found)}",
    ]
