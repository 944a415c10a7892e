"""Sweeps expand to what they declare: named, valid, in tiers."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.support.sweeps import EDGES, EXCLUDE, HEAD, MATRIX, PAIRWISE, THREEWAY, expanded, ids
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.sweeps.expand import Expanded
from trt_conformance.core.case_folder import CaseFolder


def test_matrix_is_every_combination_that_is_not_excluded(tmp_path: Path) -> None:
    found = ids(expanded(tmp_path, HEAD + EXCLUDE + MATRIX))
    names = [
        "_".join([rank, *([stride] if stride != "s1" else []), bias]) + f"-{precision}"
        for rank, stride, bias, precision in product(
            ("2d", "3d"), ("s1", "s2"), ("nobias", "bias"), ("fp32", "fp16", "int8")
        )
        if (rank, bias) != ("3d", "bias")
    ]
    assert found == [f"tiny/{name}" for name in names]
    assert len(found) == 2 * 2 * 2 * 3 - 2 * 3


def test_generated_case_is_an_ordinary_case(tmp_path: Path) -> None:
    catalog = expanded(tmp_path, HEAD + MATRIX)
    (case,) = catalog.select(["tiny/3d_s2_bias-int8"])
    assert case.input.shape == (1, 2, 4, 7, 9)
    assert case.kernel.shape == (3, 2, 2, 3, 2)
    assert case.set == {"stride_nd": (2, 2, 2)}
    assert case.weights == "set_input"
    assert case.exact and case.tier == "ci"
    assert case.quantize is not None and case.bias != "none"
    assert case.location.endswith("tiny.toml:22")
    assert catalog.by_base("tiny/3d_s2_bias")[2] is case


def test_axis_sets_any_field_of_a_case(tmp_path: Path) -> None:
    text = HEAD.replace("nobias = {}", 'nobias = { empty_weights = "np.array([])", errata = ["e1"] }')
    (case,) = expanded(tmp_path, text + MATRIX).select(["tiny/2d_nobias-fp32"])
    assert case.empty_weights == "np.array([])" and case.errata == ("e1",)


def test_tiers_contain_each_other(tmp_path: Path) -> None:
    text = HEAD + PAIRWISE + THREEWAY + MATRIX.replace("ci", "nightly")
    expanded(tmp_path, text)
    smoke, ci, nightly = (
        set(ids(load_catalog(CaseFolder.at(tmp_path), tier=tier))) for tier in ("smoke", "ci", "nightly")
    )
    assert smoke < ci < nightly
    assert len(nightly) == 24


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("tiny/3d_s2_bias-int8", 1),
        ("tiny/3d_s2_bias", 3),
        ("tiny/3d_*-fp16", 4),
        ("sweeps/tiny.toml", 24),
        ("other/*", 0),
    ],
)
def test_only_the_generated_cases_that_match_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, count: int
) -> None:
    every = expanded(tmp_path, HEAD + MATRIX)
    made = []
    make = Expanded.case
    monkeypatch.setattr(Expanded, "case", lambda self, case_id: made.append(case_id) or make(self, case_id))
    catalog = load_catalog(CaseFolder.at(tmp_path), generated=[pattern])
    assert catalog.cases == (every.select([pattern]) if count else ())
    assert len(made) == count
    assert catalog.ids() == every.ids()


def test_each_covers_every_value_separately(tmp_path: Path) -> None:
    cover = PAIRWISE + 'each = ["precision"]\n'
    found = ids(expanded(tmp_path, HEAD + cover))
    for precision in ("fp32", "fp16", "int8"):
        mine = [name.split("/")[1].removesuffix(f"-{precision}") for name in found if name.endswith(precision)]
        pairs = {(("s2" in name), ("_bias" in name)) for name in mine}
        assert len(pairs) == 4


def test_rows_stay_where_a_value_is_added(tmp_path: Path) -> None:
    before = set(ids(expanded(tmp_path, HEAD + PAIRWISE)))
    more = HEAD.replace("[axis.bias]", "s3.layer.stride = [3, 3, 3]\n[axis.bias]")
    after = set(ids(expanded(tmp_path, more + PAIRWISE)))
    assert before < after
    assert all("s3" in name for name in after - before)


def test_ids_stay_where_an_axis_with_a_usual_value_is_added(tmp_path: Path) -> None:
    before = set(ids(expanded(tmp_path, HEAD + PAIRWISE)))
    more = HEAD.replace("[usual]", '[usual]\ndilation = "d1"').replace(
        "[axis.bias]", "[axis.dilation]\nd1 = {}\nd2.layer.dilation = [2, 2, 2]\n[axis.bias]"
    )
    assert before < set(ids(expanded(tmp_path, more + PAIRWISE)))


def test_same_sweep_gives_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert ids(expanded(tmp_path / "a", HEAD + THREEWAY)) == ids(expanded(tmp_path / "b", HEAD + THREEWAY))


def test_rule_states_the_values_beside_powers_of_two(tmp_path: Path) -> None:
    sweep = expanded(tmp_path, EDGES + MATRIX).sweeps[0].sweep
    assert sweep.domains["channels"] == ("c6", "c8", "c3", "c4", "c5", "c7", "c9")
    (case,) = load_catalog(CaseFolder.at(tmp_path)).select(["tiny/2d_c9_bias-fp32"])
    assert case.input.shape[1] == 9


def test_rules_of_one_axis_add_up(tmp_path: Path) -> None:
    rule = """[[axis.place.edges]]
setting = "W.stride"
prefix = "w"
also = [5]
[[axis.place.edges]]
setting = "D.stride"
prefix = "d"
also = [4]
beside.layer.rank = 3
"""
    catalog = expanded(tmp_path, HEAD.replace("[axis.bias]", rule + "[axis.bias]") + MATRIX)
    assert catalog.select(["tiny/2d_w5_bias-fp32"])[0].attributes.stride == (1, 5)
    assert catalog.select(["tiny/2d_d4_bias-fp32"])[0].attributes.stride == (4, 1, 1)
