"""Draws layers whose numbers are at the edges where GPU kernels branch.

A small layer is drawn, and then one to four themes push some of its choices to an edge, as far as the budget of
products and elements allows. A draw depends on the seed and its number alone, so that a search can be resumed and
shared out. Each turn of as many draws as there are themes begins once with each theme.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from trt_conformance.core.epilogue_fields import EpilogueName
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import choice
from trt_conformance.explore.data import Content
from trt_conformance.explore.drawing import LARGE, MEDIUM, SMALL, Drawing, within
from trt_conformance.explore.layer import FREE, DrawnLayer, fitted
from trt_conformance.explore.themes import OPERATIONS, PRECISIONS, THEMES

FOCUSES = (*PRECISIONS, *THEMES)
BUDGETS, SHARES = (SMALL, MEDIUM, LARGE), (75, 23, 2)
"""The percentage of draws with each budget; those of the theme ``limits`` may be large."""

_CONTENTS: tuple[Content, ...] = (*("exact",) * 9, *("wide", "uniform") * 2, "bits", "range", "sparse", "special")
_EPILOGUES: tuple[tuple[EpilogueName, ...], ...] = (*((),) * 7, *(("relu",),) * 2)


@dataclass(frozen=True)
class Draws:
    """The draws of a search.

    Attributes:
        seed: with the number of a draw, it determines the draw.
        focus: a precision that every draw has, or a theme that every draw begins with; empty for none.
        near: the layer that every draw changes; None to draw it, too.
    """

    seed: int
    focus: str = ""
    near: DrawnLayer | None = None

    def __post_init__(self) -> None:
        """Raises ConformanceError for a focus that does not exist, and for a layer that is too large to be varied."""
        if self.near is not None and not within(self.near, LARGE):
            raise ConformanceError(f"--near: the case is too large: at most {LARGE.products} products are drawn")
        if self.focus and self.focus not in FOCUSES:
            raise ConformanceError(choice("--focus: no precision or theme", self.focus, FOCUSES))

    def layer(self, number: int) -> DrawnLayer:
        """The layer of a draw, by its number from 0."""
        rng = random.Random(f"{self.seed}:{number}")  # noqa: S311 - a reproducible search, and no secret
        (budget,) = rng.choices(BUDGETS, SHARES)
        start = self.near or _small(rng)
        if not within(start, LARGE):
            start = replace(start, batch=1)
        enough = next(other for other in (budget, MEDIUM, LARGE) if within(start, other))
        drawing = Drawing(rng, enough, start)
        first = self._first(number)
        THEMES[first](drawing)
        if first != "limits":  # a layer of 2^16 images or groups is left as it is
            more = rng.choices((0, 1, 2, 3), (80, 20, 0, 0) if self.near else (30, 40, 20, 10))[0]
            for name in rng.sample([name for name in THEMES if name != "limits"], more):
                THEMES[name](drawing)
        if self.focus in PRECISIONS:
            drawing.change(precision=self.focus)
        drawing.change(seed=number % 1000)
        return drawing.layer

    def _first(self, number: int) -> str:
        """The theme that a draw begins with: each once in a turn, in an order that differs from turn to turn."""
        if self.focus in THEMES:
            return self.focus
        turn, place = divmod(number, len(THEMES))
        return random.Random(f"{self.seed}:turn {turn}").sample(list(THEMES), len(THEMES))[place]  # noqa: S311


def _small(rng: random.Random) -> DrawnLayer:
    """A small layer: what the themes change."""
    rank = 3 if rng.random() < 0.2 else 2
    window = tuple(rng.choice((1, 3, 3, 3, 2, 5)) for _ in range(rank))
    half = rng.random() < 0.3
    pre = tuple(f // 2 if half else rng.choice((0, 0, 0, 1, 2)) for f in window)
    return fitted(
        DrawnLayer(
            precision=rng.choice(("fp32", "fp32", *PRECISIONS)),
            batch=rng.choice((1, 1, 1, 2, 2, 3, 5)),
            groups=rng.choice((1, 1, 1, 1, 2, 3)),
            channels=rng.choice((1, 2, 3, 4, 5, 8, 16)),
            maps=rng.choice((1, 2, 3, 4, 5, 7, 8, 16)),
            size=tuple(rng.randrange(4, 12 if rank == 3 else 20) for _ in range(rank)),
            window=window,
            stride=tuple(rng.choice((1, 1, 1, 2)) for _ in range(rank)),
            dilation=(1,) * rank,
            pre=pre,
            post=pre if rng.random() < 0.7 else tuple(rng.choice((0, 1, 2)) for _ in range(rank)),
            content=rng.choice(_CONTENTS),
            bias=rng.random() < 0.6,
            scales=rng.choice(("one", "each")),
            quantize_output=rng.random() < 0.3,
            free=(rng.choice(FREE),) if rng.random() < 0.1 else (),
            order=rng.choice(("up", "down")),
            epilogue=rng.choice((*_EPILOGUES, (rng.choice(OPERATIONS),))),
            weights=rng.choice(("constructor", "constructor", "constructor", "setters", "set_input")),
        )
    )
