"""Checks what a case says about the error that refuses it."""

from __future__ import annotations

from collections.abc import Iterator

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.patterns import pattern_fault
from trt_conformance.core.case import Case
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.toml import KeyPath
from trt_conformance.core.words import dotted, shown
from trt_conformance.numerics.reference.shape import check


def lint_rejection(case: Case) -> Iterator[Problem]:
    """Yield the problems of ``reject``: its phases and the patterns of its errors."""
    if case.reject is None:
        return
    if (case.reject.phase is None) != (case.reject.error is None):
        present, absent = ("phase", "error") if case.reject.phase else ("error", "phase")
        yield ("reject",), f'reject has "{present}" but not "{absent}": give both or neither'
    elif case.reject.phase is None and not case.reject.on:
        yield ("reject",), "reject is empty: expected phase and error, or on"
    phases = {case.reject.phase, *(rejection.phase for rejection in case.reject.on.values())}
    if case.misuse is not None and phases - {None} != {"run"}:
        yield ("misuse",), "misuse: a misused engine is refused in phase run, so every phase of reject must be run"
    patterns: dict[KeyPath, str | None] = {("reject", "error"): case.reject.error}
    for target, rejection in case.reject.on.items():
        patterns["reject", "on", target, "error"] = rejection.error
    for path, pattern in patterns.items():
        if fault := pattern_fault(pattern or ""):
            yield path, f"{dotted(path)}: {shown(pattern)} {fault}"


def lint_constraint(case: Case) -> Iterator[Problem]:
    """Yield a problem if ``reject.constraint`` is not the constraint that the case violates."""
    if case.reject is None or case.reject.constraint is None:
        return
    try:
        check(case)
        violated = "no constraint"
    except InvalidConvolution as error:
        violated = error.constraint
    if violated != case.reject.constraint:
        yield ("reject", "constraint"), f"reject.constraint: the case violates {violated}, not {case.reject.constraint}"
