"""Which values of the layer's attributes were tested on which target, and with what results."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from trt_conformance.core.case import Case
from trt_conformance.core.types import Format, PaddingMode, Precision
from trt_conformance.core.verdict import FAULTS
from trt_conformance.results.report.view import Column, View

ASSIGNED = ("stride_nd", "padding_nd", "pre_padding", "post_padding", "padding_mode", "dilation_nd", "num_groups")
WEIGHTS = get_args(Case.model_fields["weights"].annotation)
# Attributes with few values: all are listed, even those that no case has.
DOMAINS: dict[str, tuple[str, ...]] = {
    "precision": get_args(Precision),
    "padding_mode": ("default", *get_args(PaddingMode)),
    "weights": WEIGHTS,
    "dimensions": ("2D", "3D"),
    "input format": get_args(Format),
    "output format": get_args(Format),
}
MOST_VALUES = 24


@dataclass(frozen=True)
class CoverageCell:
    """The results of the cases with one value on one target."""

    counts: Counter[str]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def passed(self) -> int:
        return self.counts["pass"]

    @property
    def status(self) -> str:
        """The worst result: a fault, a known difference, nothing run, or a pass."""
        if any(self.counts[status] for status in FAULTS):
            return "fail"
        if self.counts["known"]:
            return "known"
        if not self.passed:
            return "not run"
        return "pass"

    @property
    def words(self) -> str:
        return ", ".join(f"{n} {status}" for status, n in self.counts.most_common()) or "no case"


@dataclass(frozen=True)
class Value:
    """One value of an attribute, how many cases of the case files have it, and their results on each target."""

    text: str
    cases: int
    cells: tuple[CoverageCell, ...]


@dataclass(frozen=True)
class Attribute:
    """An attribute and its values; ``left_out`` counts those beyond the first MOST_VALUES."""

    name: str
    values: tuple[Value, ...]
    left_out: int


def coverage(view: View, columns: tuple[Column, ...]) -> tuple[Attribute, ...]:
    """Every attribute value that the case files or TensorRT's API name, on each target; empty without case files."""
    if not view.cases:
        return ()
    counts: defaultdict[tuple[str, str], defaultdict[Column, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    stated = Counter[tuple[str, str]]()
    found: dict[str, list[str]] = {name: list(values) for name, values in DOMAINS.items()}
    found |= {name: ["default"] for name in ASSIGNED if name not in found}
    settings = {name: tuple(_settings(case)) for name, case in view.cases.items()}
    for pairs in settings.values():
        stated.update(pairs)
        for name, value in pairs:
            if value not in found.setdefault(name, []):
                found[name].append(value)
    for row in view.rows:
        status = row.status
        for pair in settings.get(row.case, ()):
            counts[pair][row.column][status] += 1
    return tuple(
        Attribute(
            name,
            tuple(
                Value(value, stated[name, value], _cells(counts.get((name, value), {}), columns))
                for value in values[:MOST_VALUES]
            ),
            max(0, len(values) - MOST_VALUES),
        )
        for name, values in found.items()
    )


def _cells(counts: dict[Column, Counter[str]], columns: tuple[Column, ...]) -> tuple[CoverageCell, ...]:
    return tuple(CoverageCell(counts.get(column, Counter())) for column in columns)


def _settings(case: Case) -> Iterator[tuple[str, str]]:
    yield "precision", case.precision
    for name in ASSIGNED:
        yield name, _text(case.set.get(name, "default"))
    for name in case.set:
        if name not in ASSIGNED:
            yield f"{name} (old name)", _text(case.set[name])
    yield "dimensions", f"{case.spatial_rank}D"
    yield "kernel_size_nd", _text(case.kernel.shape[2:])
    yield "num_output_maps", str(case.kernel.shape[0])
    yield "bias", "none" if case.bias == "none" else "a tensor" if case.bias_by_set_input else "weights"
    yield "weights", case.weights
    yield "typing", case.typing or "default"
    yield "dynamic dimensions", _dynamic(case)
    yield "quantization", _quantization(case)
    yield "input format", case.formats.input
    yield "output format", case.formats.output
    yield "epilogue", ", ".join(step.op for step in case.epilogue) or "nothing"


def _dynamic(case: Case) -> str:
    """The names of the dynamic dimensions; dimensions before N are *."""
    if case.dynamic is None:
        return "none"
    names = ("*",) * (len(case.network_shape) - case.spatial_rank - 2) + ("N", "C", *"DHW"[-case.spatial_rank :])
    return " ".join(name for name, n in zip(names, case.network_shape, strict=False) if n == -1) or "none"


def _quantization(case: Case) -> str:
    if case.quantize is None:
        return "none"
    kernel = "one scale per tensor" if len(case.quantize.kernel) == 1 else "one scale per output map"
    output = "float output" if case.quantize.output is None else "quantized output"
    return f"{kernel}, {output}{', I/O quantization' if case.quantize.io_quantization else ''}"


def _text(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)
