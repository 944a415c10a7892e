"""An engine can be built from each accepted case."""

from __future__ import annotations

from trt_conformance.checks.engine_facts import describe
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.subject import Subject, judged


@judged("build")
def check_build(subject: Subject) -> Finding:
    """The target builds an engine of the case, and loads it if this machine can run it."""
    return Finding("pass", figures=describe(subject.case, subject.engine(subject.case))[1])
