"""The truth tables of docs/statements.md are complete: every cell has a case, which is accepted or must be refused."""

from collections.abc import Iterable
from itertools import product
from typing import get_args

import pytest

from tests.support.suite import suite_catalog
from trt_conformance.core.builder_fields import ComputeCapability
from trt_conformance.core.case import Case
from trt_conformance.core.paths import ROOT
from trt_conformance.core.refit_fields import RefitRole, RefitType
from trt_conformance.core.types import Format, Precision

LAYOUT_FILES = tuple(
    f"cases/{name}.toml"
    for name in ("statements/format_table", "statements/formats_stated", "routes/formats", "routes/quantised_io")
)
LAYOUT_CELLS = set(product(get_args(Format), ("float32", "float16", "bfloat16", "int8", "float8"), ("input", "output")))
CAPABILITY_CELLS = set(product(get_args(ComputeCapability), get_args(Precision)))
REFIT_CELLS = set(product(get_args(RefitRole), get_args(RefitType), ("few", "right", "many")))
ACCEPTED_WEIGHTS = ("refit/kernel-fp32", "refit/bias-fp32")


def layout_cells(cases: Iterable[Case]) -> dict[tuple[str, str, str], set[bool]]:
    """Whether cases of each layout, type and side must be refused."""
    found: dict[tuple[str, str, str], set[bool]] = {}
    for case in cases:
        if case.file not in LAYOUT_FILES or case.formats.also:
            continue
        sides = {"input": (case.formats.input, case.input_type), "output": (case.formats.output, case.output_type)}
        for side, (layout, type_) in sides.items():
            # A refusal is that of the layout that is not linear; a linear tensor beside it is no cell.
            if layout != "LINEAR" or case.formats == type(case.formats)():
                found.setdefault((layout, type_, side), set()).add(case.reject is not None)
    return found


def capability_cells(cases: Iterable[Case]) -> set[tuple[str, str]]:
    """The capabilities and precisions of the cases that build for one capability."""
    return {
        (case.builder.compute_capabilities[0], case.precision)
        for case in cases
        if case.file == "cases/statements/compute_capabilities.toml"
        and case.builder.compute_capabilities is not None
        and len(case.builder.compute_capabilities) == 1
    }


def refit_cells(cases: Iterable[Case]) -> set[tuple[str, str, str]]:
    """The roles, types and counts of the weights that the cases refit with."""
    found = set()
    for case in cases:
        if case.refit is None or not (case.base_id.startswith("refit_table/") or case.id in ACCEPTED_WEIGHTS):
            continue
        wrong, of_kernel = case.refit.wrong, case.refit.kernel is not None
        right = case.kernel.shape[0]
        if of_kernel:
            for size in case.kernel.shape[1:]:
                right *= size
        role = (wrong and wrong.role) or ("KERNEL" if of_kernel else "BIAS")
        count = right if wrong is None or wrong.count is None else wrong.count
        found.add((role, (wrong and wrong.type) or "FLOAT", {-1: "few", 0: "right", 1: "many"}[count - right]))
    return found


def test_every_layout_has_a_case_in_every_type_on_both_sides() -> None:
    assert set(layout_cells(suite_catalog().cases)) == LAYOUT_CELLS
    assert len(LAYOUT_CELLS) == 130


def test_the_page_counts_the_combinations_of_layouts_that_must_be_refused() -> None:
    # CHW4 of halves, which TensorRT 8's header lists, must be refused by later versions alone.
    refused = sum(True in found for found in layout_cells(suite_catalog().cases).values())
    page = (ROOT / "docs" / "statements.md").read_text(encoding="utf-8")
    assert f"; {refused} combinations that the header does not list must be refused | {len(LAYOUT_CELLS)} |" in page


def test_every_compute_capability_has_a_case_in_every_precision() -> None:
    assert capability_cells(suite_catalog().cases) == CAPABILITY_CELLS
    assert len(CAPABILITY_CELLS) == 36


def test_every_role_has_a_case_in_every_type_and_count() -> None:
    assert refit_cells(suite_catalog().cases) == REFIT_CELLS
    assert len(REFIT_CELLS) == 72


@pytest.mark.parametrize(
    ("lost", "cell"),
    [
        ("format_table/hwc16_output-fp32", ("HWC16", "float32", "output")),
        ("compute_capabilities/sm86_fp8-fp8", ("SM86", "fp8")),
        ("refit_table/any_int8_few-fp32", ("ANY", "INT8", "few")),
    ],
)
def test_a_cell_without_a_case_is_noticed(lost: str, cell: tuple[str, ...]) -> None:
    assert suite_catalog().find(lost) is not None
    cases = [case for case in suite_catalog().cases if case.id != lost]
    wanted: set[tuple[str, ...]] = {*LAYOUT_CELLS, *CAPABILITY_CELLS, *REFIT_CELLS}
    assert wanted - {*layout_cells(cases), *capability_cells(cases), *refit_cells(cases)} == {cell}
