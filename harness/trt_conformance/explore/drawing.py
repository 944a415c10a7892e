"""A layer while it is drawn, and the budget that it stays within."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.explore.layer import DrawnLayer, fitted


@dataclass(frozen=True)
class Budget:
    """The largest layers that are drawn: products, elements of a tensor, and images, each of which has a cost."""

    products: int
    elements: int
    images: int


SMALL = Budget(600_000, 100_000, 300)
MEDIUM = Budget(3_000_000, 400_000, 600)
LARGE = Budget(40_000_000, 6_000_000, 70_000)


class Drawing:
    """A layer while it is drawn. A change that exceeds the budget is not made."""

    def __init__(self, rng: random.Random, budget: Budget, layer: DrawnLayer) -> None:
        self.rng, self.budget, self.layer = rng, budget, layer

    def change(self, **changes: Any) -> bool:
        """Make changes together, if the layer stays within the budget; return whether it did."""
        candidate = fitted(replace(self.layer, **changes))
        # Q or DQ on one side only has no bound where its sums are too many to be verified as exact.
        if not within(candidate, self.budget if candidate.pairs == "both" else SMALL):
            return False
        self.layer = candidate
        return True

    def axis(self, name: str, values: Sequence[int], axis: int | None = None) -> None:
        """Give one axis, or the stated one, the first of the shuffled values that the budget allows."""
        place = self.rng.randrange(self.layer.rank) if axis is None else axis
        for value in self.rng.sample(values, len(values)):
            given = list(getattr(self.layer, name))
            given[place] = value
            if self.change(**{name: tuple(given)}):
                return

    def number(self, name: str, values: Sequence[int], **others: Any) -> None:
        """Give a choice the first of the shuffled values that the budget allows, together with other changes."""
        for value in self.rng.sample(values, len(values)):
            if self.change(**{name: value}, **others):
                return


def within(layer: DrawnLayer, budget: Budget) -> bool:
    """Whether a layer, in its largest run, is within a budget."""
    try:
        output = math.prod(layer.output_shape())
    except InvalidConvolution:
        return False
    more = 2 ** len(layer.free)
    images = more * math.prod(layer.input_shape[: -layer.rank - 1])
    channels = layer.groups * layer.channels
    padded = images * channels * math.prod(n + pre + post for n, _, _, _, pre, post in layer.axes())
    elements = max(more * output, math.prod(layer.kernel_shape), padded, more * math.prod(layer.given_shape))
    fits = images <= budget.images and elements <= budget.elements
    return bool(fits) and more * output * layer.terms <= budget.products
