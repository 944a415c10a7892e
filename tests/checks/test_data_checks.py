"""The checks of the suite's own data say no to what is wrong with it."""

import subprocess

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.checks import own_data as data_checks
from trt_conformance.core import git
from trt_conformance.golden import verify
from trt_conformance.numerics.reference.result import reference


@pytest.fixture(scope="module")
def catalog():
    return suite_catalog()


@pytest.fixture
def example(catalog):
    return next(case for case in catalog.cases if case.id == "example/values-fp32")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout with one golden, taken for the suite's own."""
    golden = tmp_path / "golden"
    golden.mkdir()
    (golden / "a.h5").write_bytes(b"1")
    command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*command, *arguments], check=True)
    monkeypatch.setattr(git, "ROOT", tmp_path)
    monkeypatch.setattr(data_checks, "GOLDEN", golden)
    monkeypatch.setenv("CI", "true")
    return golden


def test_committed_goldens_pass(checkout):
    assert data_checks.check_committed().status == "pass"


@pytest.mark.parametrize("name", ["a.h5", "b.h5"], ids=["changed", "new"])
def test_a_written_golden_fails_until_it_is_committed(checkout, name):
    (checkout / name).write_bytes(b"2")
    found = data_checks.check_committed()
    assert found.status == "fail"
    assert f"golden/{name}: not committed" in found.message


@pytest.mark.parametrize("value", [None, "", "0", "false"])
def test_outside_ci_the_check_of_commits_is_not_run_and_says_why(checkout, monkeypatch, value):
    (checkout / "b.h5").write_bytes(b"2")
    monkeypatch.delenv("CI")
    if value is not None:
        monkeypatch.setenv("CI", value)
    found = data_checks.check_committed()
    assert found.status == "not run"
    assert "environment variable CI" in found.message
    assert "lint --committed" in found.message


def test_a_copy_without_git_is_not_run(checkout, monkeypatch, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy")
    monkeypatch.setattr(git, "ROOT", copy)
    monkeypatch.setattr(data_checks, "GOLDEN", copy / "golden")
    assert data_checks.check_committed().status == "not run"


def test_missing_goldens_fail(catalog, example, monkeypatch, tmp_path):
    monkeypatch.setattr(data_checks, "verify", lambda catalog, **_: verify(catalog, tmp_path))
    found = data_checks.check_store(Catalog((example,), {}))
    assert found.status == "fail"
    assert "example/values" in found.message


def test_of_many_faults_of_a_store_the_first_are_told_and_the_others_counted(monkeypatch):
    found = [f"fault {number}" for number in range(100)]
    monkeypatch.setattr(data_checks, "verify", lambda catalog, **_: found)
    lines = data_checks.check_store(Catalog((), {})).message.splitlines()
    assert lines == [*found[:19], "and 81 more: `trt-conformance golden verify` lists them all"]
    monkeypatch.setattr(data_checks, "verify", lambda catalog, **_: found[:20])
    assert data_checks.check_store(Catalog((), {})).message.splitlines() == found[:20]


def test_a_wrong_digit_of_the_ideal_values_fails(example):
    assert data_checks.check_ideal_values(example).status == "pass"
    ideal = example.expect.ideal.replace("12345.6789", "12345.6788", 1)
    wrong = example.model_copy(update={"expect": example.expect.model_copy(update={"ideal": ideal})})
    found = data_checks.check_ideal_values(wrong)
    assert found.status == "fail"
    assert "[0, 0, 0, 0]: 12345.6788 is printed, but the exact value is 123456789/10000" in found.message


def test_a_wrong_reference_fails_against_prints_and_goldens(catalog, monkeypatch):
    case = next(case for case in catalog.cases if case.id == "stride_nd/h2_w2-fp32")
    assert data_checks.check_printed_values(case).status == data_checks.check_golden(case).status == "pass"

    def wrong(case, shape=None):
        right = reference(case, shape)
        output = right.output + np.where(np.arange(right.output.size) == 3, 1.0, 0.0).reshape(right.output.shape)
        return type(right)(**{**vars(right), "output": output, "real": output})

    monkeypatch.setattr(data_checks, "reference", wrong)
    for found in (data_checks.check_printed_values(case), data_checks.check_golden(case)):
        assert found.status == "fail"
        assert "1/8 elements beyond the bound; worst at (n=0, k=0, h=0, w=3)" in found.message


def test_a_case_without_golden_fails_by_name():
    found = data_checks.check_golden(make_case(id="example/unheard_of-fp32"))
    assert found.status == "fail"
    assert "golden update" in found.message
