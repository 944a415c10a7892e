"""A sample of the padding truth table as cases, to be built and run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from harness.checks import Subject, check_build, judged
from harness.compare import compare, structure_faults
from harness.data import NUMPY_TYPE, OUTPUT
from harness.message import mismatch
from harness.model import Case, PaddingMode, TensorSpec
from harness.padding_table import DEVIATIONS, MODES, RANKS, Rank, Tier, stated, table_id
from harness.paths import relative
from harness.reference.result import Result, reference
from harness.reference.shape import extent
from harness.targets.base import Configuration, NotRun, Refused
from harness.tolerance import bound
from harness.verdict import Verdict

CHANNELS, MAPS = 2, 3


@dataclass(frozen=True)
class Kind:
    """What makes a configuration worth building, in some modes."""

    name: str
    doc: str
    modes: tuple[PaddingMode, ...]
    holds: Callable[[Configuration], bool]


def _reaches(c: Configuration) -> bool:
    """On every axis, what the padded input holds beyond one window is no multiple of the stride."""
    after = c.pre if c.mode.startswith("CAFFE") else c.post
    axes = zip(c.size, c.window, c.dilation, c.pre, after, c.stride, strict=True)
    return all((i + b + a - extent(f, d)) % s for i, f, d, b, a, s in axes)


def _same_padding(c: Configuration) -> list[int]:
    """For each axis, the padding of a SAME mode, before it is bounded to 0."""
    axes = zip(c.size, c.window, c.dilation, c.stride, strict=True)
    return [(i - 1) // s * s + extent(f, d) - i for i, f, d, s in axes]


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
        "the window is larger than the input, which padding makes up for",
        MODES,
        lambda c: any(extent(f, d) > i for i, f, d in zip(c.size, c.window, c.dilation, strict=True)),
    ),
)

# Configurations that shape inference accepts although nothing, or no whole window, is there to be read.
EDGES = (
    Kind("oversized", "the window is larger than the padded input", _UP, lambda c: min(c.size) > 0 and not stated(c)),
    Kind("empty", "one axis of the input is empty", MODES, lambda c: 0 in c.size),
)


@cache
def sample(tier: Tier) -> tuple[Case, ...]:
    """Of every kind of valid configuration, for each mode and rank, as many as the tier says."""
    found: dict[str, Case] = {}
    for kind, rank, mode in _each(KINDS):
        valid = (c for c in tier.scattered(rank, mode) if 0 not in c.size and stated(c) is not None and kind.holds(c))
        cases = (_case(c, table_id(rank, mode), kind.doc) for c in valid)
        telling = (case for case in cases if case.id not in found and _is_telling(case))
        found |= {case.id: case for case in islice(telling, tier.samples)}
    return tuple(found.values())


@cache
def edges(tier: Tier) -> tuple[Case, ...]:
    """Configurations at the edge of validity that some formula accepts; their ids say which edge."""
    found: list[Case] = []
    for kind, rank, mode in _each(EDGES):
        formulas = [stated, *(deviation.shape for deviation in DEVIATIONS if mode in deviation.modes)]
        accepted = (c for c in tier.scattered(rank, mode) if kind.holds(c) and any(f(c) for f in formulas))
        prefix = table_id(rank, mode).replace("/", f"/{kind.name}_")
        cases = (_case(c, prefix, kind.doc) for c in accepted)
        found += islice((case for case in cases if 0 in case.input.shape or _is_telling(case)), tier.samples)
    return tuple(found)


def _is_telling(case: Case) -> bool:
    """Whether the output is more than zeros: those prove little."""
    return bool(reference(with_whole_windows(case)).output.any())


def _each(kinds: tuple[Kind, ...]) -> Iterator[tuple[Kind, Rank, PaddingMode]]:
    return ((kind, rank, mode) for rank in RANKS for mode in MODES for kind in kinds if mode in kind.modes)


def ids(tier: Tier) -> tuple[str, ...]:
    """Every id that the table, its sample and its edges give to their verdicts."""
    tables = [table_id(rank, mode) for rank in RANKS for mode in MODES]
    return (*tables, *(case.id for case in (*sample(tier), *edges(tier))))


def _case(c: Configuration, prefix: str, doc: str) -> Case:
    """A case whose id says all: ``padding/2d_same_upper_i6x7_f3x2_s2x1_d1x1_b1x0_a0x1-fp32``."""
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
    """The reference's result, computed now."""
    return reference(case, case.run_shapes[index])


def with_whole_windows(case: Case) -> Case:
    """The same outputs from a valid configuration: an oversized window has the zeros it reads as post padding."""
    if stated(_configuration(case)) is not None:
        return case
    c = _configuration(case)
    axes = zip(c.size, c.window, c.stride, c.dilation, c.pre, c.post, strict=True)
    post = tuple(-(-(i + b + a - extent(f, d)) // s) * s + extent(f, d) - i - b for i, f, s, d, b, a in axes)
    return case.model_copy(update={"set": case.set | {"post_padding": post, "padding_mode": "EXPLICIT_ROUND_DOWN"}})


@judged("build")
def check_edge(subject: Subject) -> Verdict:
    """What shape inference accepts can be built, and where it runs gives what reading zeros gives.

    Refusing a configuration that the reference's formula refuses passes as well.
    """
    case = subject.case
    try:
        inferred = subject.target.define(case).output_shape
    except Refused as refusal:
        if stated(_configuration(case)) is None:
            return subject.say("network", "pass", error=refusal.message)
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
    return subject.say("compare", "fail", faults) if faults else subject.say("compare", "pass")


def _configuration(case: Case) -> Configuration:
    a = case.attributes
    return Configuration(case.input.shape[2:], case.kernel.shape[2:], a.stride, a.dilation, a.pre, a.post, a.mode)
