"""An engine is built of each accepted case."""

from __future__ import annotations

from trt_conformance.checks.engine_facts import _describe
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.verdict import Verdict


@judged("build")
def check_build(subject: Subject) -> Verdict:
    """An engine is built, and loads where it can run here."""
    return subject.say("build", "pass", **_describe(subject.engine(subject.case))[1])
