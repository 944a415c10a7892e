"""Checks what a case says about refitting its engine."""

from __future__ import annotations

from collections.abc import Iterator

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.builder_fields import Flag
from trt_conformance.core.case import Case
from trt_conformance.core.refit_fields import Filled, Misrefit

ANY_WEIGHTS: tuple[Flag, ...] = ("REFIT", "REFIT_INDIVIDUAL")
SAME_WEIGHTS: tuple[Flag, ...] = ("REFIT_IDENTICAL", "STRIP_PLAN")
"""Flags of engines that can be refitted with any weights, or with those that they were built with."""


def lint_refit(case: Case) -> Iterator[Problem]:
    """Yield the problems of ``refit``: what is refitted, how the engine is built for it, and what is wrong with it."""
    refit = case.refit
    if refit is None:
        return
    flags = case.builder.flags
    if refit.kernel is None and refit.bias is None:
        yield ("refit",), "refit: expected kernel, bias, or both: the weights that the engine is built with"
    if not any(flag in flags for flag in (*ANY_WEIGHTS, *SAME_WEIGHTS)) and case.reject is None:
        yield ("refit",), 'refit: needs builder.flags = ["REFIT"], or reject, because other engines refuse it'
    if case.latency or case.large:
        yield ("refit",), "refit: a timed or large case is built with its own weights"
    for name, own in (("kernel", case.kernel), ("bias", case.bias)):
        given = getattr(refit, name)
        if given is None:
            continue
        if own == "none":
            yield ("refit", name), f"refit.{name}: the case has no bias"
        elif name in case.network.runtime:
            yield ("refit", name), f"refit.{name}: the {name} is an input of the network"
        elif isinstance(given, Filled):
            if (own.fill, own.seed) == (given.fill, given.seed):
                yield ("refit", name), f"refit.{name}: these are the case's own weights, so refitting changes nothing"
            if not any(flag in flags for flag in ANY_WEIGHTS) and any(flag in flags for flag in SAME_WEIGHTS):
                yield ("refit", name), f'refit.{name}: an engine with these flags takes "the same" weights only'
        elif not any(flag in flags for flag in SAME_WEIGHTS) and case.reject is None:
            yield ("refit", name), f'refit.{name}: "the same" weights are useful only for a stripped plan'
    yield from _wrong(case, refit.wrong)


def _wrong(case: Case, wrong: Misrefit | None) -> Iterator[Problem]:
    if wrong is None:
        return
    if case.reject is None:
        yield ("refit", "wrong"), "refit.wrong: it must be refused, so the case needs reject with the error"
    if wrong == Misrefit():
        yield ("refit", "wrong"), "refit.wrong: expected layer, role, type or count"
    if wrong.layer == "input_scale" and case.quantize is None:
        yield ("refit", "wrong", "layer"), "refit.wrong.layer: the case has no scale: it needs quantize"
    if wrong.role is not None and case.refit is not None and case.refit.by == "set_named_weights":
        yield ("refit", "wrong", "role"), "refit.wrong.role: set_named_weights takes no role"
