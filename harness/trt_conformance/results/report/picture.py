"""Lays out the pictures of a failure: the error over the output, actual and expected values, and one element's sum.

Colors come from the page's style sheet, by class: ``h0`` to ``h8`` for the fraction of its bound that an element uses,
``v0`` to ``v7`` for the size of a value.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from trt_conformance.numerics.places import axis_names, place
from trt_conformance.results.bound_use import share

LEVELS = (0.0, 0.01, 0.1, 0.5, 1.0, 10.0, 1000.0, 1e308)
"""Upper limits of the classes h0 to h7; h8 has none."""

LABELLED_COLUMNS = 9
LABELLED_CELLS = 72
WIDTH = 540
GAP = 14
MARGIN = 20
HEADER = 15
LINE = 16


class Text(NamedTuple):
    """A text with its style class and its position."""

    kind: str
    x: float
    y: float
    text: str


@dataclass
class GridDrawing:
    """The contents of an SVG: filled areas by class, texts, and the marked cell as (x, y, width, height)."""

    width: float = 0.0
    height: float = 0.0
    areas: dict[str, list[str]] = field(default_factory=dict)
    texts: list[Text] = field(default_factory=list)
    marked: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Cells:
    """The elements of a tensor crop in C order: classes and labels, and the names and first indices of the axes."""

    shape: tuple[int, ...]
    offset: tuple[int, ...]
    names: tuple[str, ...]
    classes: Sequence[str]
    labels: Sequence[str]
    marked: tuple[int, ...] | None = None

    @property
    def labeled(self) -> bool:
        """Whether the cells are few enough to show their labels."""
        return self.shape[-1] <= LABELLED_COLUMNS and len(self.classes) <= LABELLED_CELLS

    def in_one_row(self) -> Cells:
        """The same cells, in one row if each plane of the last two axes has a single cell."""
        if len(self.shape) < 3 or self.shape[-1] * self.shape[-2] > 1:
            return self
        marked = self.marked and (*self.marked[:-3], 0, self.marked[-3])
        shape, offset = (*self.shape[:-3], 1, self.shape[-3]), (*self.offset[:-3], 0, self.offset[-3])
        return Cells(shape, offset, self.names, self.classes, self.labels, marked)


@dataclass(frozen=True)
class Picture:
    """A drawing with its title and a description in words."""

    title: str
    words: str
    drawing: GridDrawing


def pictures(evidence: dict[str, Any]) -> list[Picture]:
    """The panels of a failure, drawn from its evidence."""
    actual, expected, used = ([float(x) for x in evidence[key]] for key in ("actual", "expected", "fraction"))
    shape, offset, worst = (tuple(evidence[key]) for key in ("shape", "offset", "worst"))
    marked = tuple(i - start for i, start in zip(worst, offset, strict=True))
    names = axis_names(len(shape))
    part = "the output" if list(shape) == evidence["output_shape"] else "this part of the output"
    beyond = sum(not fraction <= 1 for fraction in used)
    finite = [x for x in (*actual, *expected) if math.isfinite(x)] or [0.0]
    low, high = min(finite), max(finite)

    def panel(title: str, words: str, classes: list[str], labels: list[str]) -> Picture:
        return Picture(title, words, draw(Cells(shape, offset, names, classes, labels, marked)))

    def values(title: str, words: str, numbers: list[float]) -> Picture:
        return panel(title, words, [_tone(x, low, high) for x in numbers], [short(x) for x in numbers])

    return [
        panel(
            "|error| / bound",
            f"{beyond} of the {len(used)} elements of {part} exceed their bound; the worst is at {place(worst)}",
            [f"h{bisect_left(LEVELS, fraction)}" for fraction in used],
            ["<0.01 %" if 0 < fraction < 1e-4 else share(fraction) for fraction in used],
        ),
        values("actual", f"values of {part}", actual),
        values("expected", f"expected values of {part}", expected),
    ]


def sum_picture(evidence: dict[str, Any]) -> Picture | None:
    """The products of the worst element's sum, laid out like the kernel; None if there are too many to draw."""
    terms = evidence["terms"]
    if not terms or len(terms) < evidence["terms_total"]:
        return None
    shape = tuple(1 + max(axis) for axis in zip(*(term["w_at"] for term in terms), strict=True))
    if math.prod(shape) != len(terms):
        return None
    products = [float(term["product"]) for term in terms]
    largest = max((abs(product) for product in products if math.isfinite(product)), default=0.0)
    classes, labels = [], []
    for term in terms:
        x, w, value = (float(term[key]) for key in ("x", "w", "product"))
        classes.append("pad" if is_padding(term, evidence) else _share_tone(value, largest))
        labels.append(f"{short(x, 5)} × {short(w, 5)}\n{short(value, 5)}")
    names = ("c", *axis_names(len(shape) + 1)[2:])
    cells = Cells(shape, (0,) * len(shape), names, classes, labels)
    if not cells.in_one_row().labeled:
        return None
    total, bias = _sum(products), float(evidence["bias"])
    title = f"sum of x × w = {short(total)}" + (f", and bias {short(bias)}" if bias else "")
    words = f"the {len(terms)} products of input and kernel that sum to the expected value"
    return Picture(title, words, draw(cells))


def is_padding(term: dict[str, Any], evidence: dict[str, Any]) -> bool:
    """Whether a term reads padding: its position is outside the input."""
    sizes = evidence["input_shape"][-len(term["x_at"]) :]
    return not all(0 <= i < size for i, size in zip(term["x_at"], sizes, strict=True))


def draw(cells: Cells) -> GridDrawing:
    """Lay out cells with the last two axes as rows and columns, and the planes side by side."""
    cells = cells.in_one_row()
    rows, columns = cells.shape[-2:]
    shown = cells.labeled
    wide, tall = _cell_size(cells.labels) if shown else (14.0, 14.0)
    planes = list(product(*map(range, cells.shape[:-2])))
    title = HEADER if len(planes) > 1 else 0
    step_x, step_y = MARGIN + columns * wide + GAP, HEADER + title + rows * tall + GAP
    across = max(1, min(len(planes), int((WIDTH + GAP) // step_x)))

    found = GridDrawing(across * step_x - GAP + 2, -(-len(planes) // across) * step_y - GAP + 2)
    for number, plane in enumerate(planes):
        left, top = number % across * step_x + MARGIN, number // across * step_y + HEADER + title
        if title:
            where = " ".join(f"{n}={i + o}" for n, i, o in zip(cells.names, plane, cells.offset, strict=False))
            found.texts.append(Text("a", left, top - HEADER - 4, where))
        for c in range(0, columns, 1 if shown else 4):
            found.texts.append(Text("a m", left + (c + 0.5) * wide, top - 4, str(c + cells.offset[-1])))
        for r in range(rows):
            found.texts.append(Text("a e", left - 4, top + (r + 0.5) * tall + 4, str(r + cells.offset[-2])))
        for r, c in product(range(rows), range(columns)):
            index = (number * rows + r) * columns + c
            x, y, kind = left + c * wide, top + r * tall, cells.classes[index]
            found.areas.setdefault(kind, []).append(f"M{x:g} {y:g}h{wide:g}v{tall:g}h-{wide:g}z")
            for line, text in enumerate(cells.labels[index].split("\n") if shown else ()):
                found.texts.append(Text(f"m {kind}", x + wide / 2, y + LINE * (line + 1), text))
            if (*plane, r, c) == cells.marked:
                found.marked = (x, y, wide, tall)
    return found


def _cell_size(labels: Sequence[str]) -> tuple[float, float]:
    longest = max(len(line) for label in labels for line in label.split("\n"))
    return max(30.0, 6.6 * longest + 8), LINE * (1 + max(label.count("\n") for label in labels)) + 8.0


def _tone(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return "h8"
    if max(abs(low), abs(high)) > 1e300:  # 7 * (high - low) may overflow
        value, low, high = value / 32, low / 32, high / 32
    return f"v{round(7 * (value - low) / (high - low))}" if high > low else "v0"


def _share_tone(value: float, largest: float) -> str:
    """The class of a product, by its order of magnitude below the largest one."""
    if not math.isfinite(value):
        return "h8"
    size = abs(value) / largest if largest else 0.0
    return f"v{max(0, 7 + round(2 * math.log10(size)))}" if size else "v0"


def _sum(products: Sequence[float]) -> float:
    try:
        return math.fsum(products)
    except (OverflowError, ValueError):  # beyond float64, or of opposite infinities
        return sum(products)


def short(value: float, digits: int = 6) -> str:
    """A number with ``digits`` digits, or with three if it would need more than nine characters."""
    text = f"{value:.{digits}g}"
    return text if len(text) <= 9 else f"{value:.3g}"
