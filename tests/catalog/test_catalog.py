"""Folders are read as one catalog; faults between entries and between files name both places."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_text import CASE, CLAIMS, HEADER, case, faults, write
from tests.support.suite import suite_catalog
from tests.support.work import calls_in
from trt_conformance.catalog.catalog import CaseFileError, load_catalog
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError


def test_file_is_named_from_the_root_of_the_checkout() -> None:
    assert {found.file.partition("/")[0] for found in suite_catalog().cases} == {"cases"}


def test_claims_and_expectations_are_no_case_files(tmp_path: Path) -> None:
    write(tmp_path, expectations__known="anything = 1\n", claims=CLAIMS.replace("h2_w2", "other"))
    write(tmp_path, deep__down__two=HEADER + case("a", 'claims = ["stride_nd.other"]'))
    catalog = load_catalog(CaseFolder.at(tmp_path))
    assert [found.id for found in catalog.cases] == ["two/a-fp32"]
    assert catalog.claims["stride_nd.other"].statement == "Stride 2 halves H and W."


def test_select_matches_id_base_id_and_file(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + case("a", 'precision = ["fp32", "fp16"]') + case("b"), two=HEADER + case("c"))
    catalog = load_catalog(CaseFolder.at(tmp_path))

    def ids(*globs: str) -> list[str]:
        return [found.id for found in catalog.select(globs)]

    assert ids("*-fp16") == ["one/a-fp16"]
    assert ids("one/a") == ["one/a-fp32", "one/a-fp16"]
    assert ids("*/two.toml") == ["two/c-fp32"]
    assert ids("two/*", "one/b*") == ["one/b-fp32", "two/c-fp32"]
    assert ids("nothing") == []
    assert len(ids()) == 4


def test_relation_finds_its_case_in_the_same_precision(tmp_path: Path) -> None:
    relation = 'relations = [{ kind = "equal", to = "two/b" }]'
    write(tmp_path, one=HEADER + case("a", 'precision = ["fp32", "fp16"]', relation))
    write(tmp_path, two=HEADER + case("b", 'precision = ["fp16", "fp32"]'))
    assert len(load_catalog(CaseFolder.at(tmp_path)).cases) == 4


def calls_to_load(root: Path, entries: int) -> int:
    """Calls of functions that reading so many entries of four cases each takes."""
    text = "".join(
        case(f"c{i}", 'precision = ["fp32", "tf32", "fp16", "bf16"]', f"input.seed = {i % 50}") for i in range(entries)
    )
    write(root, one=HEADER.replace("tiled_1_to_9", "uniform") + text)
    assert len(load_catalog(CaseFolder.at(root)).cases) == 4 * entries
    return calls_in(lambda: load_catalog(CaseFolder.at(root)))


def test_reading_cases_grows_with_their_number(tmp_path: Path) -> None:
    few, many = (calls_to_load(tmp_path / str(entries), entries) for entries in (50, 400))
    assert many < 9 * few, "eight times the cases take more than nine times the calls"


def test_duplicate_id_names_the_other_place(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE + case("plain", 'precision = "fp16"', doc="another text of it"))
    assert faults(tmp_path) == [
        ("one.toml", 12, f'duplicate id "plain": one/plain is already at {tmp_path}/one.toml:7')
    ]


def test_duplicate_id_across_files_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, a__one=HEADER + CASE, b__one=HEADER + CASE)
    (fault,) = faults(tmp_path)
    assert fault[:2] == ("b/one.toml", 8)
    assert f"already at {tmp_path}/a/one.toml:7" in fault[2]


def test_same_id_in_files_of_other_names_is_fine(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE, two=HEADER + CASE)
    assert len(load_catalog(CaseFolder.at(tmp_path)).cases) == 2


def test_duplicate_doc_names_the_other_place(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE + case("b", doc="Convolves  without any attribute"))
    (fault,) = faults(tmp_path)
    assert fault[:2] == ("one.toml", 13)
    assert f"already at {tmp_path}/one.toml:7" in fault[2]


def test_case_that_names_neither_claim_nor_source(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER.replace('source = "a source"', "") + CASE)
    assert faults(tmp_path) == [
        ("one.toml", 7, "has neither claims nor a source: name the claims that the case checks, or where it comes from")
    ]


def test_relation_to_a_refused_case(tmp_path: Path) -> None:
    reject = 'reject = { phase = "build", error = "some error", neighbor = "one/c" }'
    refused = case("c") + case("b", "set.stride_nd = [2, 2]", reject)
    write(tmp_path, one=HEADER + refused + case("a", 'relations = [{ kind = "equal", to = "one/b" }]'))
    (fault,) = faults(tmp_path)
    assert fault[2] == 'relation to "one/b": that case is refused, so it has no output'


def test_every_fault_of_every_file_is_named(tmp_path: Path) -> None:
    several = case("a", "strides = 1", "set.stride_nd = [1]", 'kernel.fill = "zeroes"') + case("B") + case("a")
    write(tmp_path, one=HEADER + several, two="section = ", three=HEADER + case("c", 'claims = ["no.claim"]'))
    found = faults(tmp_path)
    assert [fault[:2] for fault in found] == [
        ("one.toml", 10),
        ("one.toml", 12),
        ("one.toml", 15),
        ("one.toml", 19),
        ("one.toml", 20),
        ("three.toml", 10),
        ("two.toml", 1),
    ]
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(tmp_path))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f'{tmp_path}/one.toml:10: unknown key "strides"; expected one of id, doc, claims,')
    assert lines[-1] == "7 faults in 3 files"


def test_file_that_cannot_be_read_causes_no_faults_elsewhere(tmp_path: Path) -> None:
    relation = 'relations = [{ kind = "equal", to = "two/a" }]'
    write(tmp_path, one=HEADER + case("a", relation), two="section = ", claims=CLAIMS)
    assert [fault[0] for fault in faults(tmp_path)] == ["two.toml"]


@pytest.mark.parametrize("name", ["missing", "empty", "a_file"])
def test_root_without_case_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a_file").touch()
    with pytest.raises(ConformanceError, match=f"{name}: (no such directory|no case files|is a file)"):
        load_catalog(CaseFolder.at(tmp_path / name))


def test_the_suites_own_cases_have_no_faults() -> None:
    catalog = suite_catalog()  # linted, unless the same code has found the same files faultless before
    assert len(catalog.cases) >= 100
    assert len(catalog.claims) >= 70
