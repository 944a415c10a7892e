"""An engine's plan is not much larger than the weights of its case."""

from __future__ import annotations

from typing import Any, get_args

from trt_conformance.checks.engine_facts import basis_of, describe
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.case import Case
from trt_conformance.core.engine_cost import PLAN, STORED_WEIGHTS, WEIGHTS
from trt_conformance.core.types import Precision
from trt_conformance.numerics.plan_size import CODE_BYTES, paddings, weights_limit

AS_IF = "channels_padded"
"""The name of the known cause: zeros that complete the channels of whole tensors are stored as weights."""


@judged("build")
def check_plan_size(subject: Subject) -> Finding:
    """The plan holds at most twice the case's weights, and code and metadata beside them.

    Where the engine does not tell how many bytes are weights, plan and limits are compared as a whole.
    """
    case = subject.case
    facts, figures = describe(case, subject.engine(case))
    if PLAN not in figures:
        return Finding("unsupported", ["the engine has no plan"], figures)
    ran_in = facts.precision if facts is not None and facts.precision in get_args(Precision) else None
    limit = weights_limit(case, ran_in, basis_of(case, facts))  # type: ignore[arg-type]
    plan, stored = figures[PLAN], figures.get(STORED_WEIGHTS)
    figures["weights_limit_bytes"] = limit
    if stored is None:
        too_large = plan > limit + CODE_BYTES
        lines = [f"the plan has {plan:,} bytes; at most {limit + CODE_BYTES:,} are expected"] if too_large else []
    else:
        lines = []
        if stored > limit:
            lines.append(f"the plan holds {stored:,} bytes of weights; at most {limit:,} are expected")
        if plan - stored > CODE_BYTES:
            lines.append(f"the plan has {plan - stored:,} bytes beside weights; at most {CODE_BYTES:,} are expected")
    if not lines:
        return Finding("pass", figures=figures)
    lines.append(f"the case has {figures[WEIGHTS]:,} bytes of weights")
    lines += _cause(case, figures, *((plan, limit + CODE_BYTES) if stored is None else (stored, limit)))
    return Finding("fail", lines, figures)


def _cause(case: Case, figures: dict[str, Any], held: int, limit: int) -> list[str]:
    """The known cause, where it explains what is held beyond the limit, and does not explain more than is held."""
    found = paddings(case)
    zeros = sum(padding.bytes for padding in found)
    if not max(0, held - limit) <= zeros <= held or held <= limit:
        return []
    figures |= {"as_if": [AS_IF], "padding_bytes": zeros}
    return [
        f"as if: zeros that pad channels were weights ({AS_IF}): {'; '.join(padding.text() for padding in found)}",
    ]
