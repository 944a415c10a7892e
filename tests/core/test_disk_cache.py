"""The cache on disk: damaged entries are reported, the oldest are removed, and writers do not disturb each other."""

import multiprocessing
import os

import pytest

from trt_conformance.core.disk_cache import DiskCache, pack, unpack
from trt_conformance.core.errors import CorruptEntry

KEY = "ab" * 32


def key(number):
    return f"{number:064x}"[::-1]


def entry(folder):
    (path,) = (p for p in folder.rglob("*") if p.is_file())
    return path


def test_gives_back_what_was_put(tmp_path):
    cache = DiskCache(tmp_path, 2**20)
    assert cache.get(KEY) == (None, "")
    assert cache.put(KEY, b"plan" * 1000) == ""
    assert DiskCache(tmp_path, 2**20).get(KEY) == (b"plan" * 1000, "")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
        lambda raw: raw[:40] + b"\xff" + raw[41:],
        lambda raw: b"",
        lambda raw: b"something else" * 20,
        lambda raw: pack("cd" * 32, b"plan of another case"),
    ],
    ids=["cut short", "last bit", "hash", "empty", "foreign", "entry of another key"],
)
def test_a_corrupt_entry_is_missing_and_reported(tmp_path, spoil):
    cache = DiskCache(tmp_path, 2**20)
    cache.put(KEY, b"plan")
    path = entry(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    content, note = cache.get(KEY)
    assert content is None
    assert "corrupt" in note
    assert not path.exists()
    cache.put(KEY, b"plan")
    assert cache.get(KEY) == (b"plan", "")


def test_unpack_says_no():
    with pytest.raises(CorruptEntry):
        unpack("another", pack(KEY, b"plan"))


def test_least_recently_used_goes_first(tmp_path):
    content = os.urandom(1000)
    cache = DiskCache(tmp_path, 16_000)
    for number in range(12):
        cache.put(key(number), content)
        path = tmp_path / key(number)[:2] / key(number)
        os.utime(path, (number, number))
    assert cache.get(key(0))[0] == content  # used again, so it is the newest
    for number in range(12, 20):
        cache.put(key(number), content)
    sizes = [p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()]
    assert sum(sizes) <= 16_000
    assert cache.get(key(0))[0] == content
    assert cache.get(key(1))[0] is None
    assert cache.get(key(19))[0] == content


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_cache(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = DiskCache(tmp_path / "file", 2**20)
    assert "could not be written" in cache.put(KEY, b"plan")
    assert cache.get(KEY)[0] is None


def _write(folder, content):
    cache = DiskCache(folder, 200_000)
    for turn in range(60):
        cache.put(key(turn % 7), content)
        found, note = cache.get(key(turn % 7))
        assert note == ""
        assert found is None or len(set(found)) == 1


def test_writers_at_once_never_leave_a_damaged_entry(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path, bytes([n]) * 30_000)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    cache = DiskCache(tmp_path, 200_000)
    for number in range(7):
        content, note = cache.get(key(number))
        assert note == ""
        assert content in {bytes([n]) * 30_000 for n in range(3)}
    assert not list(tmp_path.rglob("*.tmp"))
