"""What git says about the checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from trt_conformance.core import git


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean git checkout with two files in a folder, taken for the suite's own."""
    folder = tmp_path / "golden"
    folder.mkdir()
    for name in ("a.h5", "b.h5"):
        (folder / name).write_bytes(name.encode())
    command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*command, *arguments], check=True)
    monkeypatch.setattr(git, "ROOT", tmp_path)
    return tmp_path


def test_a_clean_checkout_has_no_uncommitted_files(checkout: Path) -> None:
    assert git.uncommitted(checkout / "golden") == []
    found = git.commit()
    assert found["clean"] is True
    assert len(found["commit"]) == 40


def test_changed_and_new_files_are_listed_by_their_whole_names(checkout: Path) -> None:
    golden = checkout / "golden"
    (golden / "a.h5").write_bytes(b"changed")
    (golden / "new").mkdir()
    for name in ("two words.h5", "größer.h5", "new/c.h5", "new/d.h5"):
        (golden / name).write_bytes(b"new")
    listed = git.uncommitted(golden)
    assert listed is not None
    names = ("a.h5", "größer.h5", "new/c.h5", "new/d.h5", "two words.h5")
    assert sorted(listed) == [f"golden/{name}" for name in names]
    assert git.commit()["clean"] is False


def test_a_moved_file_is_listed_under_both_names(checkout: Path) -> None:
    subprocess.run(["git", "-C", str(checkout), "mv", "golden/a.h5", "golden/c.h5"], check=True)
    listed = git.uncommitted(checkout / "golden")
    assert listed is not None
    assert sorted(listed) == ["golden/a.h5", "golden/c.h5"]


def test_a_file_of_another_folder_is_not_listed(checkout: Path) -> None:
    (checkout / "other").write_bytes(b"new")
    assert git.uncommitted(checkout / "golden") == []


def test_a_repository_around_the_suite_is_not_its_own(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "ROOT", checkout / "golden")
    monkeypatch.delenv("TRT_CONFORMANCE_COMMIT", raising=False)
    assert git.uncommitted(checkout / "golden") is None
    assert git.commit() == {}


def commit_of(checkout: Path) -> str:
    found: str = git.commit()["commit"]
    return found


def test_a_commit_of_the_repository_is_known(checkout: Path) -> None:
    assert git.has_commit(commit_of(checkout)) is True
    for name in ("f" * 40, "HEAD", "", "--help", commit_of(checkout)[:12]):
        assert git.has_commit(name) is False


def test_files_and_changes_of_an_older_commit_are_found(checkout: Path) -> None:
    older = commit_of(checkout)
    (checkout / "golden" / "a.h5").write_bytes(b"changed")
    (checkout / "other").write_bytes(b"other")
    command = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*command, "add", "-A"], check=True)
    assert git.is_same_at(older, "golden") is True  # not committed yet
    subprocess.run([*command, "commit", "-q", "-m", "second"], check=True)
    assert git.files_at(older, "golden") == {"a.h5": b"a.h5", "b.h5": b"b.h5"}
    assert git.is_same_at(older, "golden") is False
    assert git.is_same_at(commit_of(checkout), "golden") is True


def test_git_says_nothing_of_unknown_commits_and_outside_a_checkout(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = commit_of(checkout)
    assert git.files_at("f" * 40, "golden") is None
    assert git.is_same_at("f" * 40, "golden") is None
    assert git.files_at(known, "none") is None
    monkeypatch.setattr(git, "ROOT", checkout / "golden")
    assert git.has_commit(known) is None
    assert git.files_at(known, "golden") is None
    assert git.is_same_at(known, "golden") is None
