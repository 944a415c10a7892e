"""Cases whose reference exceeds the memory limit are compared in pieces, with the same verdict, or are not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.helpers import make_case, run_pytest
from tests.support.suite import suite_catalog
from trt_conformance.catalog.golden_kind import golden_kind
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.checks import forward
from trt_conformance.checks.execution_modes import check_execution_modes
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.relations import check_relation
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.subject import Subject
from trt_conformance.core import memory
from trt_conformance.core.case import Case, Relation
from trt_conformance.core.memory import default_limit, machine_memory, parse_size, size_text
from trt_conformance.core.verdict import Verdict
from trt_conformance.golden.computed import computed_reference
from trt_conformance.mutants import Mutant, MutantTarget
from trt_conformance.numerics.reference import blocked, pieces
from trt_conformance.numerics.reference.pieces import Sizes
from trt_conformance.runner.options import RunOptions
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import EngineFacts, LayerFacts

IMAGES = make_case(
    golden="computed",
    input={"shape": [5, 2, 17, 6], "fill": "uniform", "seed": 3},
    kernel={"shape": [3, 2, 3, 3], "fill": "uniform", "seed": 4},
    set={"padding_nd": [1, 1]},
)
VOLUME = make_case(
    golden="computed",
    input={"shape": [1, 1, 40, 6, 5], "fill": "uniform", "seed": 3},
    kernel={"shape": [2, 1, 3, 3, 3], "fill": "uniform", "seed": 4},
    bias={"fill": "uniform", "seed": 5},
    set={"stride_nd": [2, 1, 1], "padding_nd": [1, 1, 1]},
)
EPILOGUES = [
    IMAGES.model_copy(update={"epilogue": make_case(epilogue=steps).epilogue})
    for steps in ([{"op": "relu"}], [{"op": "concat"}, {"op": "clip", "low": -0.5, "high": 0.5}])
]
HALF = IMAGES.model_copy(update={"precision": "fp16"})
FURTHER = {"shape": [2, 3, 3, 3], "fill": "uniform", "seed": 6, "bias": "uniform", "padding_nd": [2, 2]}
WHOLE_IMAGES = [
    make_case(
        golden="computed",
        input={"shape": [5, 2, 17, 6], "fill": "uniform", "seed": 3},
        kernel={"shape": [3, 2, 3, 3], "fill": "uniform", "seed": 4},
        epilogue=steps,
        precision="fp16",
    )
    for steps in (
        [{"op": "max_pool", "window": [2, 2]}],
        [{"op": "relu"}, {"op": "convolution", "layer": FURTHER}, {"op": "add"}],
    )
]
CASES = {
    "images": IMAGES,
    "volume": VOLUME,
    "relu": EPILOGUES[0],
    "concat": EPILOGUES[1],
    "half": HALF,
    "pool": WHOLE_IMAGES[0],
    "two layers": WHOLE_IMAGES[1],
}


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matrix products of few rows, so that small images can be cut."""
    for module in (blocked, pieces):
        monkeypatch.setattr(module, "BLOCK", 400)


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def judged(case: Case, limit: int | None, target: Any = None) -> Verdict:
    return check_forward(Subject(case, Engines(target or NumpyTarget()), computed_reference, memory_limit=limit))


def least(case: Case) -> int:
    """The smallest limit under which a case runs."""
    sizes = Sizes(case, case.run_shapes[0])
    return sizes.tensors + sizes.of_least


def altered(name: str) -> MutantTarget:
    """A target that gets some elements wrong."""

    def output(y, case):
        y = y.copy()
        if name == "last image":
            y[-1] += 1
        elif name == "one element":
            y.flat[y.size // 2] += 1
        else:
            y[..., -1] = np.nan
        return y

    return MutantTarget(Mutant("wrong", "wrong on purpose", output=output))


def figures(verdict: Verdict) -> dict[str, Any]:
    """The figures of a comparison, without what only a whole reference explains."""
    return {k: v for k, v in verdict.figures.items() if k not in ("as_if", "evidence")}


def limits(case: Case) -> list[int]:
    """Limits that cut a case finely, less finely, and so that one piece is computed at a time."""
    sizes = Sizes(case, case.run_shapes[0])
    return [least(case), sizes.tensors + 3 * sizes.of_least, sizes.tensors + sizes.at_once - 1]


def test_pieces_give_the_verdict_of_the_whole(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judged(case, None)
    assert whole.status == "pass", whole.message
    monkeypatch.setattr(forward, "_run_whole", lambda *_: pytest.fail("compared as a whole"))
    for limit in limits(case):
        assert judged(case, limit) == whole


@pytest.mark.parametrize("wrong", ["last image", "one element", "last column"])
def test_pieces_find_what_the_whole_finds(case: Case, wrong: str) -> None:
    whole = judged(case, None, altered(wrong))
    assert whole.status == "fail"
    for limit in limits(case):
        found = judged(case, limit, altered(wrong))
        assert (found.status, figures(found)) == ("fail", figures(whole))
        assert found.message.splitlines()[:4] == whole.message.splitlines()[:4]


class Described(NumpyTarget):
    """Reports two GPU kernels, the second with ``accumulator``."""

    def __init__(self, accumulator: str) -> None:
        self.kernels = [f"sm80_xmma_fprop_implicit_gemm_f16{a}_f16{a}_f16" for a in ("f32", accumulator)]

    def build(self, case: Case) -> Any:
        engine: Any = super().build(case)
        layers = tuple(LayerFacts("", "CaskConvolution", kernel, ("fp16",), ("fp16",)) for kernel in self.kernels)
        engine.describe = lambda: EngineFacts(layers, layers[0], "fp16")
        return engine


def test_a_further_layer_has_the_bound_of_its_kernel_in_pieces_too() -> None:
    case = WHOLE_IMAGES[1]
    used = {}
    for accumulator in ("f32", "f16"):
        whole, cut = (judged(case, limit, Described(accumulator)) for limit in (None, least(case)))
        assert whole == cut
        used[accumulator] = cut.figures["fraction"]
    assert used["f32"] > 3 * used["f16"] > 0


def test_images_are_not_cut_where_an_operation_reads_several_rows() -> None:
    for case in WHOLE_IMAGES:
        found = pieces.pieces(case, case.input.shape, Sizes(case, case.input.shape).of_images(1))
        assert found is not None and [piece.images for piece in found] == [slice(n, n + 1) for n in range(5)]


def test_another_shape_fails_in_pieces_too() -> None:
    cut = MutantTarget(Mutant("cut", "the last image is missing", output=lambda y, case: y[:-1]))
    found = judged(IMAGES, least(IMAGES), cut)
    assert found.status == "fail"
    assert "output.shape is (4, 3, 17, 6)" in found.message


def test_what_does_not_fit_even_in_pieces_is_not_run(case: Case) -> None:
    found = judged(case, least(case) - 1)
    assert found.status == "not run"
    assert "its input and output take " in found.message
    assert "the memory limit is " in found.message and "(--memory-limit)" in found.message


def test_exhausted_memory_is_not_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> None:
        raise MemoryError("Unable to allocate 12 GiB")

    monkeypatch.setattr(forward, "compare", exhausted)
    found = judged(IMAGES, None)
    assert (found.status, found.message) == (
        "not run",
        "out of memory (Unable to allocate 12 GiB); lower --memory-limit",
    )


@pytest.mark.parametrize(
    "check",
    [
        check_inputs,
        check_execution_modes,
        lambda subject: check_relation(subject, Relation(kind="group_slices"), suite_catalog().find),
    ],
)
def test_checks_that_compare_no_pieces_are_not_run(check: Any) -> None:
    def verdict(limit: int | None) -> Verdict:
        found: Verdict = check(Subject(IMAGES, Engines(NumpyTarget()), computed_reference, memory_limit=limit))
        return found

    assert "this check would take " in verdict(least(IMAGES)).message
    assert verdict(least(IMAGES)).status == "not run"
    assert verdict(None).status == verdict(10**9).status != "not run"


def test_estimates_grow_with_what_they_count() -> None:
    small, large = Sizes(IMAGES, (5, 2, 17, 6)), Sizes(IMAGES, (5, 2, 34, 6))
    assert small.tensors == 4 * 5 * (2 + 3) * 17 * 6
    assert small.of_rows(1) < small.of_rows(2) < small.of_images(1) < small.at_once < large.at_once
    assert small.at_once > 16 * 8 * 5 * 3 * 17 * 6


def test_sizes_as_people_write_them() -> None:
    assert parse_size("8GiB") == parse_size("8 gib") == parse_size("8gi") == 8 * 2**30
    assert parse_size("500MB") == parse_size("500m") == 500_000_000
    assert (parse_size("1.5k"), parse_size("4096")) == (1500, 4096)
    for wrong in ("", "GiB", "8 apples", "-1GB", "1e9", "8GiBB"):
        with pytest.raises(ValueError, match="is not a size: expected a number with a unit, such as 8GiB or 500MB"):
            parse_size(wrong)
    assert [size_text(n) for n in (100, 3 * 2**20, 6.04 * 2**30)] == ["100 bytes", "3 MiB", "6.04 GiB"]


def test_the_default_is_a_quarter_of_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert RunOptions().memory_limit == default_limit() == machine_memory() // 4
    group = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_CGROUPS", (group,))
    unlimited = machine_memory()
    group.write_text("max\n", encoding="ascii")
    assert machine_memory() == unlimited
    group.write_text("4000000\n", encoding="ascii")
    assert default_limit() == 1_000_000


def test_the_suite_holds_cases_beyond_2_31_elements_and_stores_none_of_them() -> None:
    large = [case for case in suite_catalog().cases if case.large]
    assert any(np.prod(case.input.shape, dtype=np.int64) > 2**31 for case in large)
    assert any(case.expect.shape and np.prod(case.expect.shape, dtype=np.int64) > 2**31 for case in large)
    assert {golden_kind(case) for case in large} == {"computed"}
    for case in large:  # within the quarter of a machine of 24 GB
        sizes = Sizes(case, case.input.shape)
        assert sizes.tensors + sizes.of_least < 6 * 2**30


@pytest.mark.parametrize("field", [{"exact": True}, {"relations": (Relation(kind="group_slices"),)}])
def test_lint_refuses_what_a_large_case_cannot_have(field: dict[str, Any]) -> None:
    large = IMAGES.model_copy(update={"large": True})
    found = [text for _, text in lint_case(large.model_copy(update=field))]
    assert any(text.startswith("large: a large case cannot have exact, relations") for text in found)


def test_large_cases_run_only_when_asked_for() -> None:
    options = ("cases", "--collect-only", "-q", "--target", "numpy", "--case", "reported/patches_of_14_whole")
    refused = run_pytest(*options)
    assert refused.returncode == 2
    assert "only large cases match; add --large to run them" in refused.stdout
    asked = run_pytest(*options, "--large", "--memory-limit", "1GiB")
    assert "test_forward[reported/patches_of_14_whole-fp32-numpy]" in asked.stdout
    assert "test_execution_modes[reported/patches_of_14_whole" not in asked.stdout
    wrong = run_pytest(*options, "--memory-limit", "much")
    assert "'much' is not a size: expected a number with a unit" in wrong.stdout + wrong.stderr
