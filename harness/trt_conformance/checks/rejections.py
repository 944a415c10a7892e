"""Does a target refuse what it must, in the stated phase, with the stated error, and in no other way?"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.subject import PhaseFault, Subject, origin
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, feeds_of
from trt_conformance.core.verdict import Verdict
from trt_conformance.targets.errors import NotRun, Refused, Unsupported
from trt_conformance.targets.protocols import offers

Feeds = dict[str, Array]

# What each misuse feeds to the engine, made of what is right.
MISFEEDS: dict[str, Callable[[Array], Feeds]] = {
    "other_name": lambda x: {"another": x},
    "other_type": lambda x: {INPUT: x.astype(np.float64)},
    "other_shape": lambda x: {INPUT: np.concatenate([x, x[..., -1:]], axis=-1)},
}


def check_reject(subject: Subject) -> Verdict:
    """The target refuses the case in the stated phase with the stated error, and in no other way."""
    case, target = subject.case, subject.target
    expected = case.rejection_on(target.name)
    reason = target.supports(case)
    if reason is not None or expected is None:
        return subject.say("network", "unsupported", reason or "the case states no refusal for this target")
    wanted = f"refuses in phase {expected.phase} with /{expected.error}/"
    try:
        if expected.phase == "run":
            _run(subject, case)
        else:
            subject.engine(case)
    except Refused as refusal:
        if refusal.phase != expected.phase:
            wrong = f"refused in phase {refusal.phase}, but the case {wanted}:"
        elif not re.search(expected.error, refusal.message):
            wrong = f"another error than stated; the case {wanted}:"
        else:
            return subject.say(refusal.phase, "pass", error=refusal.message, **origin(refusal))
        lines = [wrong, *refusal.message.splitlines(), *message.remembered(refusal)]
        return subject.say(refusal.phase, "fail", lines, **origin(refusal))
    except Unsupported as fault:
        return subject.say(expected.phase, "unsupported", str(fault), **origin(fault))
    except NotRun as fault:
        return subject.say(expected.phase, "not run", str(fault))
    except PhaseFault as fault:  # a crash is never a rejection
        return subject.say(fault.phase, "error", fault.lines)
    return subject.say(expected.phase, "fail", [f"accepted, but the case {wanted}"])


def _run(subject: Subject, case: Case) -> None:
    """Run every shape of the case, or the first in the wrong way that the case names."""
    if case.misuse is None:
        for index in range(len(case.run_shapes)):
            subject.run(case, index)
    elif case.misuse == "misaligned":
        engine = subject.engine(case)
        if not offers(engine, "run_misaligned"):
            raise Unsupported("the engine is given no addresses")
        with subject.running(case):
            engine.run_misaligned(feeds_of(case))
    else:
        subject.feed(case, MISFEEDS[case.misuse](feeds_of(case)[INPUT]))
