"""Does a target refuse what it must refuse, in the stated phase and with the stated error?"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.subject import Subject, judged, origin
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, feeds_of
from trt_conformance.targets.errors import NotRun, Refused, Unsupported
from trt_conformance.targets.protocols import offers

Feeds = dict[str, Array]

# The feeds of each misuse, made from the correct input.
MISFEEDS: dict[str, Callable[[Array], Feeds]] = {
    "other_name": lambda x: {"another": x},
    "other_type": lambda x: {INPUT: x.astype(np.float64)},
    "other_shape": lambda x: {INPUT: np.concatenate([x, x[..., -1:]], axis=-1)},
}

# The run of each misuse that is one of the input's address.
MISADDRESSED = {"misaligned": "run_misaligned", "null_address": "run_with_null_address"}


@judged("network")
def check_reject(subject: Subject) -> Finding:
    """The target refuses the case in the stated phase with the stated error. A crash is never a refusal."""
    case = subject.case
    expected = case.rejection_on(subject.target.name)
    if expected is None:
        return Finding("unsupported", ["the case states no refusal for this target"])
    wanted = f"should be refused in phase {expected.phase} with /{expected.error}/"
    try:
        if expected.phase == "run":
            _run(subject, case)
        else:
            subject.engine(case)
    except Refused as refusal:
        if refusal.phase != expected.phase:
            wrong = f"refused in phase {refusal.phase}, but {wanted}:"
        elif not re.search(expected.error, refusal.message):
            wrong = f"refused with another error, but {wanted}:"
        else:
            return Finding("pass", (), {"error": refusal.message} | origin(refusal), refusal.phase)
        lines = [wrong, *refusal.message.splitlines(), *message.remembered(refusal)]
        return Finding("fail", lines, origin(refusal), refusal.phase)
    except Unsupported as fault:
        if expected.phase == "set" and re.search(expected.error, str(fault)):  # what does not exist cannot be set
            return Finding("pass", (), {"error": str(fault)} | origin(fault), expected.phase)
        return Finding("unsupported", [str(fault)], origin(fault), expected.phase)
    except NotRun as fault:
        return Finding("not run", [str(fault)], phase=expected.phase)
    return Finding("fail", [f"accepted, but {wanted}"], phase=expected.phase)


def _run(subject: Subject, case: Case) -> None:
    """Run every shape of the case, or its first shape with the misuse that the case names."""
    if case.misuse is None:
        for index in range(len(case.run_shapes)):
            subject.run(case, index)
    elif (run := MISADDRESSED.get(case.misuse)) is not None:
        engine = subject.engine(case)
        if not offers(engine, run):
            raise Unsupported("the engine does not take addresses of tensors")
        with subject.running(case):
            getattr(engine, run)(feeds_of(case))
    else:
        subject.feed(case, MISFEEDS[case.misuse](feeds_of(case)[INPUT]))
