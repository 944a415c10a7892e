"""Drives a misbehaving target through isolation: ``python -m tests.support.misbehavior --count 460 --seed 1``.

Only faults of the protocol may reach this process, and the case after a misbehaving one must be right.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from tests.doubles.odd import KINDS
from tests.support.helpers import make_case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.core.tensors import feeds_of
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, TargetFault, TargetHung, Unsupported
from trt_conformance.targets.isolation.proxy import TIME_LIMIT, IsolatedTarget

SPEC = f"{ROOT / 'tests' / 'doubles' / 'odd.py'}:Odd"
FAULTS = (ConformanceError, TargetFault, TargetCrashed, TargetHung, Refused, Unsupported, NotRun)
HANGS = ("act: hang", "act: half answer")
MOST_HANGS = 2
LIMIT_S = 2.0


def drawn(count: int, seed: int) -> list[int]:
    """The indices of so many kinds. Only ``MOST_HANGS`` of them take the whole time limit."""
    order = list(range(len(KINDS)))
    random.Random(seed).shuffle(order)
    hangs = [index for index in order if KINDS[index][1] in HANGS]
    return [index for index in order if index not in hangs[MOST_HANGS:]][:count]


def driven(kinds: list[int]) -> Iterator[tuple[int, list[str]]]:
    """The faults of each kind, by the name of their type. Anything that is not a fault of the protocol is raised."""
    target = IsolatedTarget(SPEC)
    try:
        for number in kinds:
            target.time_limit = LIMIT_S if KINDS[number][1] in HANGS else TIME_LIMIT
            yield number, list(_faults(target, make_case(id=f"example/odd_{number}")))
            innocent = make_case(id="example/innocent")
            with suppress(*FAULTS):  # an engine's `close` has no answer: the next call reports what became of it
                target.call("target", "supports", innocent)
            target.time_limit = TIME_LIMIT
            target._supported.clear()
            assert target.supports(innocent) is None, KINDS[number]
            engine, feeds = target.build(innocent), feeds_of(innocent)
            assert np.array_equal(engine.run(feeds)["output"], feeds["input"]), KINDS[number]
            engine.close()
    finally:
        target.close()


def _faults(target: IsolatedTarget, case) -> Iterator[str]:
    for step in (target.supports, target.define, lambda one: _run(target, one)):
        try:
            step(case)
        except FAULTS as fault:
            str(fault).encode()
            yield type(fault).__name__


def _run(target: IsolatedTarget, case) -> None:
    engine = target.build(case)
    outputs = engine.run(feeds_of(case))
    assert all(isinstance(array, np.ndarray) for array in outputs.values())
    engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=len(KINDS))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    count = 0
    for number, faults in driven(drawn(given.count, given.seed)):
        member, act = KINDS[number]
        print(f"{member:10} {act:24} {', '.join(faults) or 'right'}", flush=True)
        count += 1
    print(f"{count} misbehaving targets")


if __name__ == "__main__":
    main()
