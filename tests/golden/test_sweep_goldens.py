"""Goldens of generated cases: what is hashed is the same everywhere, and what is wrong with one is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from tests.support.sweeps import HEAD, MATRIX, expanded
from trt_conformance.catalog.catalog import Catalog, load_catalog
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import DATA_TYPE
from trt_conformance.golden import GoldenError, diff, expected_result, hashes, update, verify
from trt_conformance.numerics.reference import result as reference_module

NAME = "3d_s2_bias-int8"
CASE = f"tiny/{NAME}"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return expanded(tmp_path / "cases", HEAD + MATRIX)


@pytest.fixture
def root(tmp_path: Path, catalog: Catalog) -> Path:
    path = tmp_path / "golden"
    update(catalog, root=path)
    return path


def edit(root: Path, old: str, new: str) -> None:
    """Change the line of CASE in the golden file."""
    path = root / "sweeps" / "tiny.tsv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    edited = [line.replace(old, new) if line.startswith(NAME) else line for line in lines]
    assert edited != lines
    path.write_text("".join(edited), encoding="utf-8")


def find(catalog: Catalog, name: str = CASE) -> Case:
    found = catalog.find(name)
    assert found is not None
    return found


def entry(root: Path) -> hashes.HashEntry:
    return hashes.read_hashes(root / "sweeps" / "tiny.tsv")[CASE]


def kinds(catalog: Catalog, root: Path, recompute: bool = True) -> list[tuple[str, str]]:
    return [(problem.kind, problem.case) for problem in verify(catalog, root, recompute_hashed=recompute)]


def test_store_that_is_whole(catalog: Catalog, root: Path) -> None:
    assert verify(catalog, root) == []
    assert diff(catalog, root=root) == []
    assert update(catalog, root=root) == []
    assert len(hashes.read_hashes(root / "sweeps" / "tiny.tsv")) == 24


def test_every_generated_case_is_read_and_is_the_reference(catalog: Catalog, root: Path) -> None:
    for case in catalog.cases:
        found = expected_result(case, 0, root)
        assert np.array_equal(found.output, reference_module.reference(case).output)


def test_wrong_hash(catalog: Catalog, root: Path) -> None:
    (digest,) = entry(root).outputs
    edit(root, digest, digest[::-1])
    with pytest.raises(GoldenError, match=r"the reference's output of run 0 does not have the golden's hash"):
        expected_result(find(catalog), 0, root)
    assert kinds(catalog, root) == [("differs", CASE)]
    assert kinds(catalog, root, recompute=False) == []
    assert [(c.action, c.group, c.reason) for c in diff(catalog, root=root)] == [
        ("change", CASE, "the reference gives another output")
    ]
    update(catalog, root=root)
    assert verify(catalog, root) == []


def test_wrong_sample(catalog: Catalog, root: Path) -> None:
    edit(root, "1x3x", "1x4x")
    assert kinds(catalog, root) == [("differs", CASE)]


def test_golden_of_other_data(catalog: Catalog, root: Path) -> None:
    edit(root, entry(root).case_hash, "0" * 10)
    with pytest.raises(GoldenError, match="the case's data changed since the golden was written; run `trt-conf"):
        expected_result(find(catalog), 0, root)
    assert kinds(catalog, root, recompute=False) == [("stale", CASE)]


def test_missing_golden(catalog: Catalog, root: Path) -> None:
    edit(root, NAME, "other-int8")
    with pytest.raises(GoldenError, match="has no golden for this case"):
        expected_result(find(catalog), 0, root)
    assert kinds(catalog, root) == [("missing", CASE), ("extra", "tiny/other-int8")]
    update(catalog, root=root)
    assert verify(catalog, root) == []


def test_missing_golden_of_a_case_that_is_not_loaded(catalog: Catalog, root: Path, tmp_path: Path) -> None:
    edit(root, NAME, "other-int8")
    assert kinds(load_catalog(CaseFolder.at(tmp_path / "cases"), tier=None), root) == [
        ("missing", CASE),
        ("extra", "tiny/other-int8"),
    ]


def test_no_file(catalog: Catalog, root: Path) -> None:
    (root / "sweeps" / "tiny.tsv").unlink()
    assert {kind for kind, _ in kinds(catalog, root)} == {"missing"}


@pytest.mark.parametrize("line", ["too few\tparts\n", f"{NAME}\ta\tb\tc\n", "\n"])
def test_line_that_is_no_golden(catalog: Catalog, root: Path, line: str) -> None:
    path = root / "sweeps" / "tiny.tsv"
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
    with pytest.raises(GoldenError, match=r"tiny\.tsv:26: not a valid golden"):
        expected_result(find(catalog), 0, root)
    assert kinds(catalog, root) == [("corrupt", "")]
    update(catalog, root=root)
    assert verify(catalog, root) == []


def test_update_of_one_case_writes_a_file_anew_that_is_not_readable(root: Path, tmp_path: Path) -> None:
    path = root / "sweeps" / "tiny.tsv"
    before = path.read_text(encoding="utf-8")
    path.write_text("\n", encoding="utf-8")
    catalog = load_catalog(CaseFolder.at(tmp_path / "cases"), generated=[CASE])
    assert [case.id for case in catalog.cases] == [CASE]
    assert len(update(catalog, catalog.cases, root)) == 24
    assert path.read_text(encoding="utf-8") == before


def test_file_of_no_sweep(catalog: Catalog, root: Path) -> None:
    (root / "sweeps" / "gone.tsv").write_text("# nothing\n", encoding="utf-8")
    assert [(problem.kind, problem.file) for problem in verify(catalog, root)] == [("extra", "sweeps/gone.tsv")]
    update(catalog, root=root)
    assert verify(catalog, root) == []


def test_update_of_one_case_leaves_the_others(catalog: Catalog, root: Path) -> None:
    (digest,) = entry(root).outputs
    edit(root, digest, digest[::-1])
    assert update(catalog, catalog.select(["tiny/2d_bias-fp32"]), root) == []
    assert kinds(catalog, root) == [("differs", CASE)]
    assert len(update(catalog, catalog.select([CASE]), root)) == 1
    assert verify(catalog, root) == []


def test_hash_does_not_depend_on_the_order_of_adding(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(
        tier="ci",
        input={"shape": [1, 8, 6, 6], "fill": "uniform_20_bits", "seed": 1},
        kernel={"shape": [4, 8, 3, 3], "fill": "uniform_20_bits", "seed": 2},
    )
    forwards = hashes.compute_entry(case)
    convolve = reference_module.convolve_along

    def backwards(x, kernel, *rest):  # type: ignore[no-untyped-def]
        flipped = np.ascontiguousarray(x[:, ::-1]), np.ascontiguousarray(kernel[:, ::-1])
        return convolve(*flipped, *rest)

    monkeypatch.setattr(reference_module, "convolve_along", backwards)
    assert hashes.compute_entry(case) == forwards


def test_sign_of_zero_does_not_count() -> None:
    positive = make_case(
        tier="ci", kernel={"shape": [1, 1, 1, 1], "values": [1.0]}, input={"shape": [1, 1, 1, 2], "values": [0.0, 3.0]}
    )
    negative = positive.model_copy(update={"input": positive.input.model_copy(update={"values": (-0.0, 3.0)})})
    assert hashes.compute_entry(positive).outputs == hashes.compute_entry(negative).outputs


def test_case_that_proves_nothing_gets_no_golden(tmp_path: Path) -> None:
    text = HEAD.replace("nobias = {}", 'nobias = { input.fill = "zeros" }')
    catalog = expanded(tmp_path / "cases", text + MATRIX)
    with pytest.raises(ConformanceError, match=r"a wrong convolution could pass: each of the .* expected values is 0"):
        update(catalog, root=tmp_path / "golden")
    assert not (tmp_path / "golden" / "sweeps").exists()


def test_case_that_is_not_exact_gets_no_golden(tmp_path: Path) -> None:
    text = HEAD.replace("nobias = {}", 'nobias = { input.fill = "uniform_20_bits" }')
    catalog = expanded(tmp_path / "cases", text + MATRIX)
    with pytest.raises(ConformanceError, match=r"may be off by|are rounded to float16"):
        update(catalog, root=tmp_path / "golden")


STEP = 97
"""A prime, so that the sample does not repeat a pattern of the rows."""


def test_a_sample_of_the_suites_generated_goldens_is_what_the_reference_computes() -> None:
    """`trt-conformance golden verify` computes all of them."""
    suite = suite_catalog()
    names = [name for sweep in suite.sweeps for name in sweep.ids][::STEP]
    cases = [case for name in names if (case := suite.find(name)) is not None]
    assert len(cases) == len(names) > 100
    assert {case.precision for case in cases} == set(DATA_TYPE)
    for case in cases:
        for index in range(len(case.run_shapes)):
            expected_result(case, index)  # raises where the hash is another, as above
