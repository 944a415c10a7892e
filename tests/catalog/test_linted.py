"""Case files in which linting found nothing are not linted again, until they or what lints them change."""

import pytest

from tests.support.helpers import SMALL_FILE
from trt_conformance.catalog import case_file, catalog
from trt_conformance.catalog.catalog import CaseFileError, load_catalog
from trt_conformance.cli.selection import read_catalog
from trt_conformance.core import paths
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.disk_cache import DiskCache

CASE = """
[[case]]
id = "values"
doc = "a small convolution"
expect.shape = [1, 1, 4, 7]
"""


@pytest.fixture
def linted(monkeypatch):
    """The ids of the cases that are linted, in order."""
    right, seen = case_file.lint_case, []

    def counted(case):
        seen.append(case.id)
        return right(case)

    monkeypatch.setattr(case_file, "lint_case", counted)
    return seen


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "small.toml").write_text(SMALL_FILE + CASE)
    return folder


@pytest.fixture
def known(tmp_path):
    return DiskCache(tmp_path / "linted", 2**16)


def test_what_was_found_faultless_is_not_linted_again(root, known, linted):
    first = load_catalog(CaseFolder.at(root), linted=known)
    assert linted == ["small/values-fp32"]
    assert load_catalog(CaseFolder.at(root), linted=known).cases == first.cases
    assert linted == ["small/values-fp32"]


def test_files_that_fit_together_are_not_compared_again(root, known, monkeypatch):
    load_catalog(CaseFolder.at(root), linted=known)
    for check in ("check_duplicates", "check_sweep_names", "check_relations", "check_neighbors"):
        monkeypatch.setattr(catalog, check, lambda *_, check=check: pytest.fail(check))
    assert len(load_catalog(CaseFolder.at(root), linted=known).cases) == 1


def test_a_fault_between_two_files_is_found_each_time(root, known):
    load_catalog(CaseFolder.at(root), linted=known)
    (root / "more").mkdir()
    (root / "more" / "small.toml").write_text((root / "small.toml").read_text())
    for _ in range(2):
        with pytest.raises(CaseFileError, match="duplicate id"):
            load_catalog(CaseFolder.at(root), linted=known)


def test_commands_remember_it_as_well(root, linted, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "users_cache", lambda: tmp_path / "caches")
    for _ in range(2):
        assert len(read_catalog([CaseFolder.at(root)]).cases) == 1
    assert linted == ["small/values-fp32"]


def test_where_the_user_has_no_home_commands_lint_each_time(root, linted, monkeypatch):
    monkeypatch.setattr(paths, "users_cache", lambda: None)
    for _ in range(2):
        read_catalog([CaseFolder.at(root)])
    assert linted == ["small/values-fp32"] * 2


def test_without_a_memory_every_load_lints(root, linted):
    load_catalog(CaseFolder.at(root))
    load_catalog(CaseFolder.at(root))
    assert linted == ["small/values-fp32"] * 2


def test_a_changed_file_is_linted_and_its_fault_found(root, known, linted):
    load_catalog(CaseFolder.at(root), linted=known)
    path = root / "small.toml"
    path.write_text(path.read_text().replace("[1, 1, 4, 7]", "[1, 1, 4, 8]"))
    for _ in range(2):  # what is faulty is never remembered
        with pytest.raises(CaseFileError, match=r"expect\.shape"):
            load_catalog(CaseFolder.at(root), linted=known)
    assert linted == ["small/values-fp32"] * 3


def test_other_code_lints_again(root, known, linted, monkeypatch):
    load_catalog(CaseFolder.at(root), linted=known)
    monkeypatch.setattr(catalog.np, "__version__", "0.0")
    load_catalog(CaseFolder.at(root), linted=known)
    assert linted == ["small/values-fp32"] * 2


def test_a_memory_that_cannot_be_kept_costs_time_only(root, tmp_path, linted):
    (tmp_path / "linted").write_text("a file where the folder would be")
    blocked = DiskCache(tmp_path / "linted", 2**16)
    load_catalog(CaseFolder.at(root), linted=blocked)
    load_catalog(CaseFolder.at(root), linted=blocked)
    assert linted == ["small/values-fp32"] * 2
