"""Checks what a kind of case needs and excludes: related, deprecated, timed and large cases."""

from __future__ import annotations

from collections.abc import Iterator

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.golden_kind import MOST_HASHED, elements
from trt_conformance.core.case import Case
from trt_conformance.core.words import shown

# Random and dense fills: the only ones allowed in a timed case.
_DENSE_FILLS = ("uniform", "int8_full_range")


def lint_relations(case: Case) -> Iterator[Problem]:
    """Yield the problems of the relations to other cases."""
    for index, relation in enumerate(case.relations):
        if relation.kind in ("equal", "channel_sum") and relation.to is None:
            yield ("relations", index), f'relation {relation.kind} needs "to": the id of the other case'
        if relation.to == case.base_id:
            yield ("relations", index), f'relation {relation.kind} names the case itself: "{relation.to}"'


def lint_deprecated(case: Case) -> Iterator[Problem]:
    """Yield the problems of a case that uses a deprecated name."""
    if case.deprecated is None:
        return
    old, new = case.deprecated.name, case.deprecated.new
    if new != f"{old}_nd":
        yield ("deprecated", "new"), f"deprecated.new: {old} is replaced by {old}_nd, not {new}"
    if old == "kernel_size":
        if case.weights != "setters":
            yield ("deprecated", "name"), 'deprecated.name kernel_size needs weights = "setters"'
    elif old != "add_convolution" and old not in case.set:
        yield ("deprecated", "name"), f"deprecated.name {old} is not used: set.{old} is missing"


def lint_timed(case: Case) -> Iterator[Problem]:
    """Yield the problems of a timed case."""
    if case.batch is not None and case.dynamic is not None:
        yield ("batch",), "batch: a dynamic case lists its shapes in dynamic.run instead"
    if not case.latency:
        return
    if case.reject is not None or case.relations or case.expect.printed is not None:
        yield ("latency",), "latency: a timed case cannot have reject, relations or printed values: use a separate case"
    for name, tensor in (("input", case.input), ("kernel", case.kernel)):
        if tensor.fill not in _DENSE_FILLS and tensor.stored is None:
            known = " or ".join(_DENSE_FILLS)
            yield (
                (name, "fill"),
                f"{name}.fill: a timed case needs {known}, because the data affect power and clocks",
            )


def lint_golden(case: Case) -> Iterator[Problem]:
    """Yield the problems of ``golden``, which states how the golden of a valid convolution is stored."""
    if case.golden in ("tensors", "hash") and sum(elements(case)) > MOST_HASHED:
        yield (
            ("golden",),
            f"golden: {sum(elements(case)):,} elements of inputs and outputs are too many for {shown(case.golden)}, "
            f'which is computed as a whole: at most {MOST_HASHED:,}; set golden = "computed", or reduce them',
        )


def lint_large(case: Case) -> Iterator[Problem]:
    """Yield the problems of a case with more elements than others may have."""
    if case.large and (case.exact or case.relations or case.reject or case.latency or case.expect.printed):
        yield ("large",), "large: a large case cannot have exact, relations, reject, latency or printed values"
    if case.large and case.dynamic is not None:
        yield ("large",), "large: a large case has one shape and cannot be dynamic"
