"""Checks what a case expects its engine to report against what the case itself states."""

from __future__ import annotations

from collections.abc import Iterator

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.lint.refit import ANY_WEIGHTS, SAME_WEIGHTS
from trt_conformance.core.builder_fields import OBEY, PREFER
from trt_conformance.core.case import Case
from trt_conformance.core.engine_fields import TensorReport
from trt_conformance.core.types import TYPE_NAME, DataType, Format


def lint_engine_report(case: Case) -> Iterator[Problem]:
    """Yield what an engine of the case cannot report, because the case states another thing."""
    stated, flags = case.expect.engine, case.builder.flags
    if stated is None:
        return
    if stated.sparse_eligible is not None and "SPARSE_WEIGHTS" not in flags:
        yield _problem("sparse_eligible", 'the builder says it only with flags = ["SPARSE_WEIGHTS"]')
    if stated.constraints_obeyed is not None and not {OBEY, PREFER} & set(flags):
        yield _problem("constraints_obeyed", f"needs builder.flags with {OBEY} or {PREFER}")
    is_refittable = any(flag in flags for flag in (*ANY_WEIGHTS, *SAME_WEIGHTS))
    if stated.refittable not in (None, is_refittable):
        yield _problem("refittable", f"with these builder.flags it is {str(is_refittable).lower()}")
    profiles = 1 if case.dynamic is None else 1 + len(case.dynamic.further_profiles)
    if stated.num_optimization_profiles not in (None, profiles):
        yield _problem("num_optimization_profiles", f"the case has {profiles}")
    yield from _tensor(case, "input", stated.input, case.formats.input, case.input_type)
    yield from _tensor(case, "output", stated.output, case.formats.output, case.output_type)
    if stated.input.shape not in (None, case.network_shape):
        yield _problem("input.shape", f"the network declares {list(case.network_shape)}")


def _tensor(case: Case, side: str, stated: TensorReport, layout: Format, type_: DataType) -> Iterator[Problem]:
    if stated.format not in (None, layout, *case.formats.also):
        yield _problem(f"{side}.format", f"formats.{side} is {layout}")
    if stated.dtype not in (None, TYPE_NAME[type_]):
        yield _problem(f"{side}.dtype", f"the network's {side} is {TYPE_NAME[type_]}")


def _problem(field: str, reason: str) -> Problem:
    return ("expect", "engine", *field.split(".")), f"expect.engine.{field}: {reason}"
