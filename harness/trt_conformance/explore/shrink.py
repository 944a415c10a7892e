"""Makes a layer that fails smaller, for as long as it fails in the same way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from trt_conformance.catalog.edges import SPATIAL
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import Verdict
from trt_conformance.explore.layer import DrawnLayer, differing, fitted
from trt_conformance.results.causes import way

Try = Callable[[Case], Verdict | None]
"""Runs the check that failed on another case; None if it does not apply."""

TRIES, SECONDS = 400, 60.0
"""The budget for one fault: how many layers are tried, and for how long."""
SEEDS = 4
"""Seeds of the data that are tried where a smaller case would prove little."""
COUNTS = ("batch", "groups", "channels", "maps", "leading")
SEVERAL = ("prologue", "epilogue", "free")
"""The choices of which there may be several at once."""
CHOICES = (
    "free",
    "prologue",
    "epilogue",
    "joined",
    "typing",
    "precision",
    "weights",
    "bias",
    "mode",
    "content",
    "input_format",
    "output_format",
    "pairs",
    "io_quantization",
    "quantize_output",
    "scales",
    "bias_by_set_input",
)
"""The choices that are not numbers, in the order in which the simplest of each is tried."""
REDRAWN = "explore/smaller"
"""The id of a layer that is tried, which no record has."""


@dataclass
class Shrinking:
    """One fault on its way to the smallest layer that has it.

    ``tries`` counts the layers that were tried. ``lints`` is whether the layer's case has no fault of its own.
    """

    layer: DrawnLayer
    verdict: Verdict
    attempt: Try
    deadline: float
    tries: int = 0
    lints: bool = False

    def run(self) -> None:
        """Try simpler layers until none of them fails in the same way, or the budget is spent."""
        self.lints = is_clean(self.layer)
        while self._step():
            pass
        if self.layer.seed and not self._is_spent:
            self._accepts(replace(self.layer, seed=0))

    @property
    def _is_spent(self) -> bool:
        return self.tries >= TRIES or time.monotonic() >= self.deadline

    def _step(self) -> bool:
        """Accept the first simpler layer that fails in the same way; False if there is none."""
        for candidate in simpler(self.layer):
            if self._is_spent:
                return False
            if self._accepts(candidate):
                return True
        return False

    def _accepts(self, candidate: DrawnLayer) -> bool:
        """Whether a layer fails in the same way; it becomes the present one if so."""
        for seed in dict.fromkeys((candidate.seed, *range(SEEDS))):
            layer = replace(candidate, seed=seed)
            self.tries += 1
            verdict = self.attempt(layer.case(REDRAWN))
            if verdict is None or not verdict.is_fault or verdict.known or way(verdict) != way(self.verdict):
                return False
            clean = is_clean(layer)
            if clean or not self.lints:
                self.layer, self.verdict, self.lints = layer, verdict, clean
                return True
        return False


def shrunk(layer: DrawnLayer, verdict: Verdict, attempt: Try, seconds: float = SECONDS) -> Shrinking:
    """The smallest layer that fails in the same way as a layer does, as far as the budget suffices.

    Args:
        layer: the layer that fails.
        verdict: how it fails.
        attempt: runs the same check on another case.
        seconds: the time that may be spent.
    """
    shrinking = Shrinking(layer, verdict, attempt, time.monotonic() + seconds)
    shrinking.run()
    return shrinking


def is_clean(layer: DrawnLayer) -> bool:
    """Whether a case file may state the layer: linting finds no fault."""
    try:
        return next(lint_case(layer.case(REDRAWN)), None) is None
    except ConformanceError:
        return False


def simpler(layer: DrawnLayer) -> Iterator[DrawnLayer]:
    """Simpler layers, those that differ most first. Each has less `weight`, so that no layer comes up twice."""
    own = weight(layer)
    for candidate in _candidates(layer):
        found = fitted(candidate)
        if weight(found) < own:
            yield found


def weight(layer: DrawnLayer) -> tuple[float, int]:
    """How far a layer is from the simplest: by its choices and the logarithms of its numbers; then by its elements."""
    found = 0.0
    for name, value in differing(layer).items():
        if name == "seed":
            continue
        if name in COUNTS:
            found += math.log2(1 + value)
        elif name in SPATIAL:
            found += sum(math.log2(1 + abs(number)) for number in value)
        else:
            found += len(value) if isinstance(value, tuple) else 1
    return found + layer.rank, math.prod(layer.input_shape) + math.prod(layer.kernel_shape)


def _candidates(layer: DrawnLayer) -> Iterator[DrawnLayer]:
    yield from _fewer_choices(layer)
    if layer.rank == 3:
        yield layer.of_rank(2)
    plain = DrawnLayer().of_rank(layer.rank)
    for name in COUNTS:
        for number in _numbers(getattr(layer, name), getattr(plain, name)):
            yield _with(layer, name, number)
    for name in ("stride", "dilation", "pre", "post", "window", "size"):
        for axis in range(layer.rank):
            for number in _numbers(getattr(layer, name)[axis], getattr(plain, name)[axis]):
                yield layer.on_axis(name, axis, number)
    yield from _smaller_together(layer)


def _fewer_choices(layer: DrawnLayer) -> Iterator[DrawnLayer]:
    """Layers with one choice less that is not a number."""
    plain = DrawnLayer().of_rank(layer.rank)
    for name in CHOICES:
        yield _with(layer, name, getattr(plain, name))
    for name in SEVERAL:
        given = getattr(layer, name)
        for index in range(len(given)):
            yield _with(layer, name, (*given[:index], *given[index + 1 :]))


def _smaller_together(layer: DrawnLayer) -> Iterator[DrawnLayer]:
    """Layers with several smaller numbers, which make sense together alone."""
    for axis in range(layer.rank):  # a window, and the padding that fits it
        if layer.window[axis] > 1:
            yield layer.on_axis("pre", axis, 0).on_axis("post", axis, 0).on_axis("window", axis, 1)
    if layer.groups > 1:
        yield replace(layer, groups=1, maps=layer.groups * layer.maps)
    if layer.channels == layer.maps > 1:  # what adds its input needs both
        for number in _numbers(layer.channels, 1):
            yield replace(layer, channels=number, maps=number)


def _with(layer: DrawnLayer, name: str, value: Any) -> DrawnLayer:
    changes: dict[str, Any] = {name: value}
    return replace(layer, **changes)


def _numbers(given: int, plain: int) -> Iterator[int]:
    """Smaller numbers: the simplest one, those at powers of two, then ever closer to the given one."""
    found = dict.fromkeys([plain, *(2**n + offset for n in range(1, given.bit_length()) for offset in (-1, 0, 1))])
    distance = (given - plain) // 2
    while distance:
        found[given - distance] = None
        distance //= 2
    yield from (number for number in found if plain <= number < given)
