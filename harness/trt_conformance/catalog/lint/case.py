"""Checks a case as a whole: its parts fit together, and a wrong implementation would fail it."""

from __future__ import annotations

from collections.abc import Iterator

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.lint.data import lint_data
from trt_conformance.catalog.lint.engine_report import lint_engine_report
from trt_conformance.catalog.lint.epilogue import lint_epilogue, lint_joined
from trt_conformance.catalog.lint.expectation import (
    lint_distinguishes,
    lint_exact,
    lint_expectation,
    lint_rounding,
)
from trt_conformance.catalog.lint.kinds import lint_deprecated, lint_golden, lint_large, lint_relations, lint_timed
from trt_conformance.catalog.lint.network import lint_network
from trt_conformance.catalog.lint.prologue import lint_prologue
from trt_conformance.catalog.lint.quantization import lint_quantization
from trt_conformance.catalog.lint.refit import lint_refit
from trt_conformance.catalog.lint.rejection import lint_constraint, lint_rejection
from trt_conformance.catalog.lint.shapes import (
    lint_convolutions,
    lint_dynamic,
    lint_output_sizes,
    lint_ranks,
    lint_sizes,
)
from trt_conformance.catalog.lint.vacuous import vacuous
from trt_conformance.core.case import Case
from trt_conformance.numerics.reference.epilogue import network_shape
from trt_conformance.numerics.reference.shape import layer_output


def lint_case(case: Case) -> Iterator[Problem]:
    """Yield every problem of one valid case, as (keys within the entry, message)."""
    # A case that every target refuses need not be a valid convolution.
    refused = case.reject is not None and case.reject.phase is not None
    if not case.claims and not case.source:
        yield (), "has neither claims nor a source: name the claims that the case checks, or where it comes from"
    parts = [
        *lint_data(case, refused),
        *lint_quantization(case),
        *lint_rejection(case),
        *lint_relations(case),
        *lint_deprecated(case),
    ]
    parts += [*lint_timed(case), *lint_large(case), *lint_constraint(case)]
    if not refused:
        parts += [*lint_network(case), *lint_epilogue(case), *lint_refit(case), *lint_engine_report(case)]
    shapes = [*lint_sizes(case, refused), *lint_ranks(case, refused), *lint_dynamic(case)]
    if not shapes and not refused:
        shapes += lint_prologue(case)
    yield from (*parts, *shapes)
    if refused and case.golden is not None:
        yield ("golden",), "golden: a case that every target refuses has no golden"
    if refused or shapes:
        return

    invalid = [*lint_convolutions(case)]
    yield from invalid
    if invalid:
        return
    layer = [layer_output(case, shape) for shape in case.run_shapes]
    yield from lint_golden(case)
    joined = [*lint_joined(case, layer)]
    yield from joined
    if joined:
        return
    outputs = [network_shape(case, output, shape) for output, shape in zip(layer, case.run_shapes, strict=True)]
    yield from lint_expectation(case, outputs)
    yield from lint_output_sizes(case, outputs)
    if not parts and not case.latency and not case.large:
        yield from vacuous(case, layer)
        yield from lint_exact(case, layer)
        yield from lint_distinguishes(case, layer)
        yield from lint_rounding(case, layer)
