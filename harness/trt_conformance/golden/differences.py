"""Compares a stored golden with the one that its case needs.

Sums of float64 depend on the order in which a machine's BLAS adds. Two computations of the same sum of
n terms each lie within gamma_n(2^-53) * magnitude of the exact one, so they may differ by twice that.
Everything else, inputs above all, must be equal to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.golden.content import Attribute, Content, Kind, Node, describe
from trt_conformance.numerics.bounds.elementwise import gamma
from trt_conformance.numerics.places import place
from trt_conformance.numerics.reference.quantization import dequantize, grid_of, quantize, scales

UNIT_ROUNDOFF = 2.0**-53
SUMS = ("output", "real", "magnitude", "slack")
STALE = "the case's data changed since the golden was written"
# A golden whose content is right is not rewritten for a new version of the software that made it.
MAKERS = ("generator", "numpy", "h5py")
# Nor for another wording of where the case is from, from which nothing is computed. It must have one.
DESCRIBED = ("source",)
VALUES = ("output", "values")


@dataclass(frozen=True)
class GoldenFault:
    """One way in which a stored golden differs from what its case needs."""

    kind: Kind
    message: str


def faults(stored: Content, fresh: Content, case: Case) -> list[GoldenFault]:
    """Every way in which a stored golden differs from the computed one; empty if it is correct.

    A golden for other data than the case's has only that fault, because it explains all others.
    """
    stale = hash_fault(stored, case)
    return [stale] if stale else list(_faults(stored, fresh, case))


def hash_fault(stored: Content, case: Case) -> GoldenFault | None:
    """The fault of a golden that was made for other data than the case has now; None if there is none."""
    root = stored.get("", Node())
    if "case_hash" not in root.attributes:
        return GoldenFault("corrupt", "has no attribute case_hash")
    if root.attributes["case_hash"] != case.data_hash():
        return GoldenFault("stale", STALE)
    return None


def largest_difference(old: Content, new: Content) -> float | None:
    """The largest difference between the values of two goldens; None if they cannot be compared."""
    found = [
        float(np.max(np.abs(old[path].datasets[name] - new[path].datasets[name]), initial=0.0))
        for path in old.keys() & new.keys()
        for name in VALUES
        if name in old[path].datasets and name in new[path].datasets
        if describe(old[path].datasets[name]) == describe(new[path].datasets[name])
    ]
    return max(found, default=None)


def _faults(stored: Content, fresh: Content, case: Case) -> Iterator[GoldenFault]:
    terms = fresh[""].attributes.get("terms", 0)
    assert isinstance(terms, int)
    for path in sorted(stored.keys() | fresh.keys()):
        if path not in fresh:
            yield GoldenFault("extra", f"has a group {path}, which the case does not need")
        elif path not in stored:
            yield GoldenFault("missing", f"has no {path}")
        else:
            yield from _attribute_faults(stored[path], fresh[path])
            yield from _dataset_faults(path, stored[path], fresh[path], terms, case)


def _attribute_faults(stored: Node, fresh: Node) -> Iterator[GoldenFault]:
    for name in sorted(stored.attributes.keys() | fresh.attributes.keys()):
        old, new = stored.attributes.get(name), fresh.attributes.get(name)
        is_described = name in DESCRIBED and old is not None and new is not None
        if name not in MAKERS and not is_described and old != new:
            yield GoldenFault("stale", f"its {name} is {_shown(old)}, but should be {_shown(new)}")


def _dataset_faults(path: str, stored: Node, fresh: Node, terms: int, case: Case) -> Iterator[GoldenFault]:
    for name in sorted(stored.datasets.keys() | fresh.datasets.keys()):
        where = f"{path}/{name}".lstrip("/")
        if name not in fresh.datasets:
            yield GoldenFault("extra", f"has a dataset {where}, which the case does not need")
        elif name not in stored.datasets:
            yield GoldenFault("missing", f"has no dataset {where}")
        else:
            old, new = stored.datasets[name], fresh.datasets[name]
            if describe(old) != describe(new):
                yield GoldenFault("corrupt", f"{where} is {describe(old)}, but should be {describe(new)}")
            elif old.tobytes() != new.tobytes():
                yield from _value_faults(where, old, new, _accepted(name, old, fresh, terms, case))


def _accepted(name: str, old: Array, fresh: Node, terms: int, case: Case) -> NDArray[np.bool_]:
    """The elements of a stored dataset that are as good as the computed ones."""
    new = fresh.datasets[name]
    if name not in SUMS:
        a, b = old.astype(np.float64), new.astype(np.float64)
        return np.asarray((a == b) & (np.signbit(a) == np.signbit(b)))
    magnitude = fresh.datasets["slack" if name == "slack" else "magnitude"]
    spread = 2 * gamma(terms, UNIT_ROUNDOFF) * magnitude
    equal = (old == new) | (np.isnan(old) & np.isnan(new))
    if name == "output" and case.quantize is not None and case.quantize.output is not None:
        real, scale = fresh.datasets["real"], scales(case.quantize.output, new.ndim)
        grid = grid_of(case.precision)
        low, high = (dequantize(quantize(real + shift, scale, grid), scale) for shift in (-spread, spread))
        return np.asarray(equal | ((low <= old) & (old <= high)))
    return np.asarray(equal | (np.isfinite(spread) & (np.abs(old - new) <= spread)))


def _value_faults(where: str, old: Array, new: Array, accepted: NDArray[np.bool_]) -> Iterator[GoldenFault]:
    if accepted.all():
        return
    error = np.nan_to_num(np.abs(old.astype(np.float64) - new.astype(np.float64)), nan=np.inf)
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(np.where(accepted, -1.0, error))), error.shape))
    yield GoldenFault(
        "differs",
        f"{where} differs in {int((~accepted).sum())} of {error.size} elements, most at {place(worst)}: "
        f"stored {float(old[worst])!r}, computed {float(new[worst])!r}",
    )


def _shown(value: Attribute | None) -> str:
    return "missing" if value is None else repr(value)
