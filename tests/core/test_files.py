"""Files are replaced completely or not at all, and a writer that cannot write says which file and why."""

from __future__ import annotations

import errno
import os
import time

import pytest

from trt_conformance.core.errors import ConformanceError, WriteError
from trt_conformance.core.files import is_temporary, replacing


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    with replacing(path, parents=True) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert is_temporary(temporary)
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["file"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_is_a_clear_error(tmp_path):
    path = tmp_path / "file"

    def write():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ConformanceError, match=r"file: cannot be written: No space left on device") as caught:
        write()
    assert isinstance(caught.value, OSError)
    assert caught.value.strerror == "No space left on device"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "parents"), [("file/other", True), ("missing/other", False)])
def test_a_missing_folder_is_a_clear_error(tmp_path, name, parents):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"), replacing(tmp_path / name, parents):
        pass


def test_an_error_meant_for_people_passes_unchanged(tmp_path):
    with pytest.raises(ConformanceError, match=r"^as it was$") as caught, replacing(tmp_path / "file"):
        raise ConformanceError("as it was")
    assert not isinstance(caught.value, WriteError)


def test_what_a_killed_writer_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path):
    old, new, other = (tmp_path / name for name in (".file.123-4.tmp", ".file.124-4.tmp", ".another.123-4.tmp"))
    for path in (old, new, other):
        path.write_text("half")
        assert is_temporary(path)
    for path in (old, other):
        os.utime(path, (time.time() - 1e5,) * 2)
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    assert not old.exists()
    assert new.exists()
    assert other.exists()
    assert not is_temporary(tmp_path / "file")
