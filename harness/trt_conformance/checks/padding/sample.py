"""A sample of the padding truth table as cases, to be built and run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

from trt_conformance.checks.build import check_build
from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.message import mismatch
from trt_conformance.checks.padding.formulas import DEVIATIONS, spare, stated
from trt_conformance.checks.padding.tiers import MODES, RANKS, TIERS, PaddingAxis, PaddingTier, Rank, table_id
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.case import Case, TensorSpec
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.paths import relative
from trt_conformance.core.tensors import NUMPY_TYPE, OUTPUT
from trt_conformance.core.types import PaddingMode
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.compare import compare, structure_faults
from trt_conformance.numerics.reference.result import Result, reference
from trt_conformance.numerics.reference.shape import extent
from trt_conformance.targets.errors import NotRun, Refused
from trt_conformance.targets.protocols import Configuration

CHANNELS, MAPS = 2, 3


@dataclass(frozen=True)
class Kind:
    """A property that makes a configuration worth building in some modes."""

    name: str
    doc: str
    modes: tuple[PaddingMode, ...]
    holds: Callable[[Configuration], bool]


def _axes(c: Configuration) -> Iterator[PaddingAxis]:
    return zip(*c[:6], strict=True)


def _reaches(c: Configuration) -> bool:
    """Whether, on every axis, the padded input beyond one window is not a multiple of the stride."""
    return all(spare(axis, c.mode) % axis[2] for axis in _axes(c))


def _same_padding(c: Configuration) -> list[int]:
    """For each axis, the total padding of a SAME mode before negative values become 0."""
    return [(i - 1) // s * s + extent(f, d) - i for i, f, s, d, _, _ in _axes(c)]


def _accepted(c: Configuration) -> list[tuple[int, ...]]:
    """The shapes given by the documented formula and by the known deviations."""
    formulas = [stated, *(deviation.shape for deviation in DEVIATIONS if c.mode in deviation.modes)]
    return [shape for shape in (formula(c) for formula in formulas) if shape is not None]


def _is_oversized(c: Configuration) -> bool:
    return 0 not in c.size and stated(c) is None


_SAME: tuple[PaddingMode, ...] = ("SAME_UPPER", "SAME_LOWER")
_UP: tuple[PaddingMode, ...] = ("EXPLICIT_ROUND_UP", "CAFFE_ROUND_UP")
_DOWN: tuple[PaddingMode, ...] = ("EXPLICIT_ROUND_DOWN", "CAFFE_ROUND_DOWN")

KINDS = (
    Kind("plain", "a window that moves by more than one", MODES, lambda c: min(c.stride) > 1 and min(c.window) > 1),
    Kind(
        "asymmetric",
        "padding before and after differs on every axis",
        MODES,
        lambda c: all(before != after for before, after in zip(c.pre, c.post, strict=True)),
    ),
    Kind("dilated", "a dilated window on every axis", MODES, lambda c: min(c.dilation) > 1 and min(c.window) > 1),
    Kind("negative", "SAME padding is below 0 on every axis", _SAME, lambda c: max(_same_padding(c)) < 0),
    Kind("odd", "SAME padding is odd on every axis", _SAME, lambda c: all(p % 2 and p > 0 for p in _same_padding(c))),
    Kind("past_end", "the last window reaches past the end of every axis", _UP, _reaches),
    Kind("dropped", "elements at the end of every axis are dropped", _DOWN, _reaches),
    Kind(
        "narrow",
        "the window is larger than the input, and fits because of the padding",
        MODES,
        lambda c: any(extent(f, d) > i for i, f, _, d, _, _ in _axes(c)),
    ),
)

# Configurations that some target's shape inference accepts although the input is empty or smaller than the window.
EDGES = (
    Kind(
        "oversized",
        "the window is larger than the padded input, and gives an output",
        _UP,
        lambda c: _is_oversized(c) and any(0 not in shape for shape in _accepted(c)),
    ),
    Kind(
        "vanishing",
        "the window is so much larger than the padded input that there is no output",
        _UP,
        lambda c: _is_oversized(c) and bool(_accepted(c)) and all(0 in shape for shape in _accepted(c)),
    ),
    Kind(
        "empty",
        "an axis of the input is empty, and the padding makes it large enough",
        _UP + _DOWN,
        lambda c: 0 in c.size and stated(c) is not None,
    ),
    Kind(
        "empty",
        "an axis of the input and the output is empty",
        _SAME,
        lambda c: 0 in c.size and bool(_accepted(c)),
    ),
)


@cache
def sample(tier: PaddingTier) -> tuple[Case, ...]:
    """The tier's number of valid configurations of each kind, for each mode and rank."""
    found: dict[str, Case] = {}
    for kind, rank, mode in _each(KINDS):
        valid = (c for c in tier.scattered(rank, mode) if 0 not in c.size and stated(c) is not None and kind.holds(c))
        cases = (_case(c, table_id(rank, mode), kind.doc) for c in valid)
        telling = (case for case in cases if case.id not in found and _is_telling(case))
        found |= {case.id: case for case in islice(telling, tier.samples)}
    return tuple(found.values())


@cache
def edges(tier: PaddingTier) -> tuple[Case, ...]:
    """Configurations at the edge of validity; their ids say which edge: ``padding/oversized_2d_…``."""
    found: list[Case] = []
    for kind, rank, mode in _each(EDGES):
        prefix = table_id(rank, mode).replace("/", f"/{kind.name}_")
        cases = (_case(c, prefix, kind.doc) for c in tier.scattered(rank, mode) if kind.holds(c))
        found += islice((case for case in cases if kind.name != "oversized" or _is_telling(case)), tier.samples)
    return tuple(found)


def _is_telling(case: Case) -> bool:
    """Whether the output has a value other than zero; zeros prove little."""
    return bool(reference(with_whole_windows(case)).output.any())


def _each(kinds: tuple[Kind, ...]) -> Iterator[tuple[Kind, Rank, PaddingMode]]:
    return ((kind, rank, mode) for rank in RANKS for mode in MODES for kind in kinds if mode in kind.modes)


def ids(tier: PaddingTier) -> tuple[str, ...]:
    """The ids of all verdicts of the tables, the sample and the edges."""
    tables = [table_id(rank, mode) for rank in RANKS for mode in MODES]
    return (*tables, *(case.id for case in (*sample(tier), *edges(tier))))


def ids_beside(folders: Iterable[CaseFolder]) -> tuple[str, ...]:
    """The ids of all tiers, which the suite's expectations may name; none if the suite is not among the folders."""
    if not any(folder.is_suite for folder in folders):
        return ()
    return tuple(name for tier in TIERS.values() for name in ids(tier))


def _case(c: Configuration, prefix: str, doc: str) -> Case:
    """A case whose id states every value: ``padding/2d_same_upper_i6x7_f3x2_s2x1_d1x1_b1x0_a0x1-fp32``."""
    numbers = (f"{letter}{'x'.join(map(str, values))}" for letter, values in zip("ifsdba", c[:6], strict=True))
    base_id = "_".join((prefix, *numbers))
    return Case(
        id=f"{base_id}-fp32",
        name=base_id.removeprefix("padding/"),
        file=relative(Path(__file__)),
        line=1,
        section="padding_mode",
        doc=doc,
        source="NvInfer.h, PaddingMode",
        input=TensorSpec(shape=(1, CHANNELS, *c.size), fill="exact_integers", seed=1),
        kernel=TensorSpec(shape=(MAPS, CHANNELS, *c.window), fill="exact_integers", seed=2),
        set={
            "stride_nd": c.stride,
            "dilation_nd": c.dilation,
            "pre_padding": c.pre,
            "post_padding": c.post,
            "padding_mode": c.mode,
        },
    )


def golden(case: Case, index: int) -> Result:
    """The reference's result, computed on demand."""
    return reference(case, case.run_shapes[index])


def with_whole_windows(case: Case) -> Case:
    """A valid case with the same outputs: the zeros that an oversized window reads become post padding."""
    c = _configuration(case)
    if stated(c) is not None:
        return case
    steps = ((axis, -(-spare(axis, c.mode) // axis[2])) for axis in _axes(c))
    post = tuple(n * s + extent(f, d) - i - b for (i, f, s, d, b, _), n in steps)
    return case.model_copy(update={"set": case.set | {"post_padding": post, "padding_mode": "EXPLICIT_ROUND_DOWN"}})


@judged("build")
def check_edge(subject: Subject) -> Finding | Verdict:
    """A configuration that shape inference accepts can be built, and its windows read zeros beyond the padded input.

    A target that refuses a configuration which the reference's formula refuses passes as well.
    """
    case = subject.case
    try:
        inferred = subject.target.define(case).output_shape
    except Refused as refusal:
        if stated(_configuration(case)) is None:
            return Finding("pass", figures={"error": refusal.message}, phase="network")
        raise
    built = check_build(subject)
    if built.status != "pass" or 0 in inferred:
        return built
    try:
        outputs = subject.run(case)
    except NotRun:
        return built
    whole = with_whole_windows(case)
    expected = reference(whole)
    faults = structure_faults(outputs, OUTPUT, expected.output.shape, NUMPY_TYPE[case.data_type])
    if not faults:
        found = compare(outputs[OUTPUT], expected.output, bound(whole, expected))
        faults = [] if found.passed else mismatch(found)
    return replace(finding(faults), phase="compare")


def _configuration(case: Case) -> Configuration:
    a = case.attributes
    return Configuration(case.input.shape[2:], case.kernel.shape[2:], a.stride, a.dilation, a.pre, a.post, a.mode)
