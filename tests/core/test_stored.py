"""Tensors in files: only the file that the case names is used, and only numbers of the right shape in it."""

import hashlib
import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from trt_conformance.core import stored as module
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.stored import Stored, npy_bytes, read_stored

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def stored(folder, content=None, file="data/w.npy", sha256=None):
    content = npy_bytes(VALUES) if content is None else content
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return Stored(file=file, sha256=sha256 or hashlib.sha256(content).hexdigest(), folder=str(folder))


def npy(values, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, values, **options)
    return file.getvalue()


def header(text):
    """A file whose header says something else than its data."""
    line = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line + VALUES.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_tensor_is_read_in_float64_and_cannot_be_changed(tmp_path, dtype):
    found = read_stored(stored(tmp_path, npy_bytes(VALUES.astype(dtype))), (2, 3))
    assert found.dtype == np.float64
    assert (found == VALUES).all()
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


def test_columns_first_is_the_same_tensor(tmp_path):
    content = npy(np.asfortranarray(VALUES))
    assert b"'fortran_order': True" in content
    assert (read_stored(stored(tmp_path, content), (2, 3)) == VALUES).all()


class Evil:
    def __reduce__(self):
        return os.system, ("false",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not in NumPy's format"),
        (b"PK\x03\x04 a zip", "is not in NumPy's format"),
        (pickle.dumps(Evil()), "is not in NumPy's format"),
        (npy(np.asarray([Evil(), 1], dtype=object), allow_pickle=True), "has object, expected one of float16"),
        (npy(np.asarray([1, 2])), "has int64, expected one of"),
        (npy(np.zeros(2, dtype=[("a", "f4")])), "expected one of float16"),
        (npy_bytes(VALUES.T), r"has the shape \[3, 2\], expected \[2, 3\]"),
        (npy_bytes(VALUES)[:-1], "is not in NumPy's format"),
        (npy_bytes(np.where(VALUES == 4, np.nan, VALUES)), "has 1 values that are not finite"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}"), "has the shape"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os').system('false')}"), "format"),
        (header("{'descr': '<f4'}"), "is not in NumPy's format"),
    ],
)
def test_what_is_no_tensor_of_the_case_is_refused(tmp_path, content, message):
    with pytest.raises(ConformanceError, match=message):
        read_stored(stored(tmp_path, content), (2, 3))


def test_another_file_is_refused(tmp_path):
    with pytest.raises(ConformanceError, match=r"data/w\.npy: is not the file that the case names: its SHA-256 is"):
        read_stored(stored(tmp_path, sha256="0" * 64), (2, 3))
    changed = stored(tmp_path)
    (tmp_path / "data" / "w.npy").write_bytes(npy_bytes(VALUES + 1))
    with pytest.raises(ConformanceError, match="is not the file that the case names"):
        read_stored(changed, (2, 3))


def test_files_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    absent = stored(tmp_path)
    (tmp_path / "data" / "w.npy").unlink()
    with pytest.raises(ConformanceError, match=r"data/w\.npy: cannot be read: No such file"):
        read_stored(absent, (2, 3))
    os.mkfifo(tmp_path / "data" / "w.npy")
    with pytest.raises(ConformanceError, match="it is not a regular file"):
        read_stored(absent, (2, 3))
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    with pytest.raises(ConformanceError, match="the limit is 100"):
        read_stored(stored(tmp_path, file="w2.npy"), (2, 3))


@pytest.mark.parametrize(
    "file", ["../w.npy", "/w.npy", "a/../w.npy", "w.npz", "a\\w.npy", "", ".w.npy", "a//w.npy", "w.npy\n"]
)
def test_paths_outside_of_the_folder_are_refused(file):
    with pytest.raises(ValueError, match="file"):
        Stored(file=file, sha256="0" * 64)


def test_a_link_that_leads_outside_is_refused(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    found = stored(inside)
    (tmp_path / "other.npy").write_bytes(npy_bytes(VALUES))
    (inside / "data" / "w.npy").unlink()
    (inside / "data" / "w.npy").symlink_to(tmp_path / "other.npy")
    with pytest.raises(ConformanceError, match="leads out of the folder of its case file"):
        read_stored(found, (2, 3))


def test_an_archive_is_no_tensor(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("w.npy", npy_bytes(VALUES))
    with pytest.raises(ConformanceError, match="is not in NumPy's format"):
        read_stored(stored(tmp_path, file.getvalue()), (2, 3))
