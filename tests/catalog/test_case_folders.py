"""Folders of cases beside the suite's own: their files, claims, goldens and expectations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.helpers import EXPECTATION, SMALL_FILE
from tests.support.runs import TARGET, verdict
from trt_conformance.catalog.catalog import CaseFileError, load_catalog
from trt_conformance.catalog.expectations import Expectation, load_expectations
from trt_conformance.catalog.linting import lint_folders
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import CASES, GOLDEN
from trt_conformance.golden import read_reference, update, verify
from trt_conformance.results.claims import lines

PLAIN = '[[case]]\nid = "plain"\ndoc = "convolves without any attribute"\n'
CLAIM = '[[claim]]\nid = "own.first"\nsection = "my network"\nstatement = "The first layer is right."\n'


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def folder(path: Path, *cases: str, file: str = "one.toml") -> CaseFolder:
    """A folder with one case file; every case is an entry, by default a plain one."""
    write(path / file, SMALL_FILE + "\n".join(cases or (PLAIN,)))
    return CaseFolder.at(path)


def refusal(*folders: CaseFolder) -> str:
    with pytest.raises(ConformanceError) as caught:
        lint_folders(*folders)
    return str(caught.value)


# Which folder.


def test_the_suites_own_folder_is_known_however_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(CASES)
    monkeypatch.chdir(CASES.parent)
    for path in (CASES, Path("cases"), Path("cases/../cases"), tmp_path / "link"):
        assert CaseFolder.at(path) == SUITE
    other = CaseFolder.at(CASES / "convolution")
    assert not other.is_suite
    assert other.golden == CASES / "convolution" / "golden"


def test_options_name_the_folder_as_it_was_given():
    assert SUITE.options == SUITE.options_of_cases == ""
    assert CaseFolder.at(Path("my cases")).options == " --cases 'my cases'"
    assert CaseFolder.at(Path("mine"), Path("stored")).options == " --cases mine --golden stored"
    assert CaseFolder.at(Path("mine"), Path("stored")).options_of_cases == " --cases mine"


def test_a_relative_folder_is_named_as_it_was_given(tmp_path, monkeypatch):
    folder(tmp_path / "mine" / "deep")
    monkeypatch.chdir(tmp_path)
    (case,) = load_catalog(CaseFolder.at(Path("mine"))).cases
    assert (case.file, case.file_in_folder) == ("mine/deep/one.toml", "deep/one.toml")
    monkeypatch.chdir(tmp_path / "mine" / "deep")
    (case,) = load_catalog(CaseFolder.at(Path("../../mine"))).cases
    assert (case.file, case.file_in_folder) == ("../../mine/deep/one.toml", "deep/one.toml")
    (case,) = load_catalog(CaseFolder.at(Path())).cases
    assert (case.file, case.file_in_folder) == ("one.toml", "one.toml")


# Which files.


def test_what_is_no_case_file(tmp_path):
    mine = folder(tmp_path)
    for file in ("gate.toml", ".venv/pyproject.toml", "expectations/empty.toml"):
        write(tmp_path / file, "[latency]\ntolerance = 0.1\n" if file == "gate.toml" else "")
    assert [case.id for case in load_catalog(mine).cases] == ["one/plain-fp32"]
    write(tmp_path / "pyproject.toml", '[project]\nname = "mine"\n')
    assert "pyproject.toml:1: unknown key" in refusal(mine)


def test_folders_that_cannot_be_used_are_refused_in_words(tmp_path):
    write(tmp_path / "one.toml", SMALL_FILE + PLAIN)
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "back").symlink_to(tmp_path / "loop")
    for name, message in (
        ("missing", "no such directory"),
        ("dangling", "no such directory"),
        ("itself", "cannot be read: Too many levels of symbolic links"),
        ("nul\0", "no such directory"),
        ("x" * 300, "cannot be read: File name too long"),
        ("empty", "no case files (*.toml) below it"),
        ("one.toml", "is a file; name the folder that it is in"),
        ("loop", "is a link to a folder that contains it"),
    ):
        said = refusal(CaseFolder.at(tmp_path / name))
        assert message in said, (name, said)
        assert "Traceback" not in said


def test_links_to_folders_are_followed_and_keep_their_names(tmp_path):
    folder(tmp_path / "elsewhere", file="sub/one.toml")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    mine = CaseFolder.at(tmp_path / "link")
    (case,) = load_catalog(mine).cases
    assert case.file == f"{tmp_path}/link/sub/one.toml"
    update(load_catalog(mine))
    assert (tmp_path / "elsewhere" / "golden" / "reference" / "sub" / "one.h5").is_file()
    inner = tmp_path / "outer"
    inner.mkdir()
    (inner / "linked").symlink_to(tmp_path / "elsewhere" / "sub")
    (case,) = load_catalog(CaseFolder.at(inner)).cases
    assert case.file_in_folder == "linked/one.toml"


# Several folders.


def test_ids_are_unique_across_folders(tmp_path):
    first, second = folder(tmp_path / "a"), folder(tmp_path / "b")
    said = refusal(first, second)
    assert f'{tmp_path}/b/one.toml:7: duplicate id "plain": one/plain is already at {tmp_path}/a/one.toml:6' in said


def test_no_folder_is_read_twice(tmp_path):
    outer, inner = folder(tmp_path / "a"), folder(tmp_path / "a" / "b", file="two.toml")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert "is named twice" in refusal(outer, CaseFolder.at(tmp_path / "link"))
    for folders in ((outer, inner), (inner, outer)):
        assert refusal(*folders) == f"{inner.name} is inside {outer.name}: name only the outer folder"


def test_each_folder_has_its_own_goldens(tmp_path):
    first, second = folder(tmp_path / "a"), folder(tmp_path / "b", file="two.toml")
    catalog = load_catalog(first, second)
    for part in catalog.parts():
        update(part)
    assert (tmp_path / "a/golden/reference/one.h5").is_file() and (tmp_path / "b/golden/reference/two.h5").is_file()
    assert [verify(part) for part in catalog.parts()] == [[], []]
    assert all(read_reference(case).output.shape == (1, 1, 4, 7) for case in catalog.cases)


def test_a_missing_golden_says_which_folder_to_update(tmp_path):
    mine = folder(tmp_path / "my cases")
    (case,) = load_catalog(mine).cases
    with pytest.raises(ConformanceError, match=f"golden update {case.id} --cases '{tmp_path}/my cases'`"):
        read_reference(case)
    messages = [str(problem) for problem in verify(load_catalog(mine))]
    assert any(f"--cases '{tmp_path}/my cases'`" in message for message in messages)


# Claims.


def test_cases_cite_the_suites_claims_and_claims_of_their_own(tmp_path):
    cited = PLAIN + 'claims = ["stride_nd.h2_w2", "own.first"]\n'
    mine = folder(tmp_path, cited)
    assert 'claim "own.first" is not in claims.toml' in refusal(mine)
    write(tmp_path / "claims.toml", CLAIM)
    catalog = load_catalog(mine)
    assert sorted(catalog.claims) == ["own.first", "stride_nd.h2_w2"]
    told = lines([verdict("one/plain-fp32", claims=("own.first",))], catalog.claims)
    assert told == [f"{TARGET}: own: 1 of 1 claims holds, 0 differ, 0 not checked"]
    write(tmp_path / "claims.toml", CLAIM + CLAIM.replace("first", "second"))
    assert 'no case checks the claim "own.second"' in refusal(mine)


def test_a_claim_of_two_folders_is_refused(tmp_path):
    first = folder(tmp_path / "a", PLAIN + 'claims = ["own.first"]\n')
    second = folder(tmp_path / "b", PLAIN + 'claims = ["own.first"]\n', file="two.toml")
    for path in ("a", "b"):
        write(tmp_path / path / "claims.toml", CLAIM)
    assert f'{tmp_path}/b/claims.toml:1: claim "own.first" is also in {tmp_path}/a' in refusal(first, second)


def test_a_case_with_a_claim_of_its_own_keeps_its_source(tmp_path):
    write(tmp_path / "claims.toml", CLAIM)
    (case,) = load_catalog(folder(tmp_path, PLAIN + 'claims = ["own.first"]\n')).cases
    assert case.source == "a source"


# Expectations.

INT8 = """\
[[case]]
id = "{id}"
doc = "an int8 convolution of few channels: {id}"
precision = "int8"
quantize = {{ input = 1.0, kernel = [1.0] }}
"""


def failing(case: str, **fields):
    return verdict(case, status="fail", message="as if: a flipped kernel", location="", claims=(), **fields)


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """A folder taken for the suite's own. Returns a function that writes its expectation."""
    path = tmp_path / "suite"
    folder(path, INT8.format(id="plain"))
    here = CaseFolder(path, GOLDEN)
    monkeypatch.setattr("trt_conformance.catalog.expectations.SUITE", here)

    def expect(text: str) -> None:
        write(path / "expectations" / "known.toml", EXPECTATION.format(id="of_the_suite") + text)

    return expect


@pytest.mark.parametrize(
    ("patterns", "is_met"),
    [
        ('cases = ["one/plain-int8"]', False),
        ('cases = ["*"]', False),
        ('where = { precision = "int8" }', True),
        ('where = { precision = "fp16" }', False),
        ('cases = ["one/plain-int8"]\nwhere = { precision = "int8" }', False),
        ('also = ["one/plain-int8"]\nwhere = { precision = "int8" }', False),
        ('cases = ["one/other-int8"]\nalso = ["*"]\nwhere = { precision = "int8" }', True),
    ],
)
def test_the_suites_expectations_apply_by_condition_never_by_id(tmp_path, suite, patterns, is_met):
    suite(patterns)
    mine = folder(tmp_path / "mine", INT8.format(id="plain"))
    expectations = load_expectations(load_catalog(mine))
    assert expectations.apply(failing("one/plain-int8")).known == ("of_the_suite" if is_met else "")
    assert expectations.may_differ("tensorrt-8.6.1-sm90", "one/plain-int8", "forward") == is_met


def test_own_cases_that_pass_where_the_suite_expects_a_difference_pass(tmp_path, suite):
    suite('where = { precision = "int8" }')
    mine = folder(tmp_path / "mine", INT8.format(id="plain"))
    expectations = load_expectations(load_catalog(mine))
    passed = verdict("one/plain-int8")
    assert expectations.apply(passed) == passed
    assert expectations.unused([passed]) == []


def test_a_folders_own_expectations_are_strict_and_its_alone(tmp_path, suite):
    suite('where = { precision = "fp16" }')
    mine = folder(tmp_path / "mine", INT8.format(id="plain"))
    other = folder(tmp_path / "other", INT8.format(id="plain"), file="two.toml")
    write(tmp_path / "mine" / "expectations" / "known.toml", EXPECTATION.format(id="mine") + 'cases = ["*"]')
    expectations = load_expectations(load_catalog(mine, other))
    assert expectations.apply(failing("one/plain-int8")).known == "mine"
    assert expectations.apply(failing("two/plain-int8")).known == ""
    passed = verdict("one/plain-int8")
    assert expectations.apply(passed).status == "fail"
    assert [entry.id for entry in expectations.unused([passed])] == ["mine"]
    assert expectations.unused([verdict("two/plain-int8")]) == []
    assert [entry.id for entry in expectations.entries] == ["mine", "of_the_suite"]


def test_faults_of_own_expectations_are_reported(tmp_path):
    mine = folder(tmp_path)
    path = write(tmp_path / "expectations" / "known.toml", EXPECTATION.format(id="mine") + 'cases = ["two/*"]')
    with pytest.raises(CaseFileError, match=f'{path}:9: cases: "two/\\*" matches no case'):
        load_expectations(load_catalog(mine))


def test_what_an_expectation_says_of_other_folders():
    fields = {
        "id": "some", "cause": "deviation", "doc": "some difference", "targets": ("numpy",), "checks": ("forward",),
        "phase": "compare", "difference": "as if", "where": {"precision": "int8"},
    }  # fmt: skip
    found = Expectation.model_validate(fields).by_condition
    assert found is not None
    assert (found.cases, found.also, found.always) == ((), ("*",), ())
