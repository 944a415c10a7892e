"""A cache on disk: a folder of entries by key, limited in size, verified when read, safe for concurrent processes."""

from __future__ import annotations

import hashlib
import zlib
from contextlib import suppress
from pathlib import Path

from trt_conformance.core.errors import CorruptEntry
from trt_conformance.core.files import replacing

_MAGIC = b"trt-conformance cache 1\n"
_DIGEST = hashlib.sha256().digest_size
# The size of the folder is measured each time this fraction of its limit has been written.
_SLACK = 16


def pack(key: str, content: bytes) -> bytes:
    """Return the bytes of an entry: the compressed content, preceded by a hash of it and of its key."""
    packed = zlib.compress(content, 1)
    return _MAGIC + _digest(key, packed) + packed


def unpack(key: str, raw: bytes) -> bytes:
    """Return the content that was given to `pack`.

    Raises:
        CorruptEntry: the entry is truncated, was modified, or belongs to another key.
    """
    start = len(_MAGIC) + _DIGEST
    packed = raw[start:]
    if raw[: len(_MAGIC)] != _MAGIC or raw[len(_MAGIC) : start] != _digest(key, packed):
        raise CorruptEntry("its content does not match its hash")
    return zlib.decompress(packed)


def _digest(key: str, packed: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + packed).digest()


class DiskCache:
    """Entries in a folder. When they exceed ``limit`` bytes, the least recently used are removed first.

    Each entry is written completely or not at all, so writers need no lock. No method raises an error for the state
    of the disk: an entry that cannot be read is missing, one that cannot be written is not stored, and the reason is
    returned.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self._limit = folder, limit
        self._written = limit  # the first entry written measures the folder

    def has(self, key: str) -> bool:
        """Whether the key has an entry, which may be corrupt."""
        try:
            return self._path(key).exists()
        except OSError:
            return False

    def get(self, key: str) -> tuple[bytes | None, str]:
        """Return the content of a key, None if it is missing; and why it could not be used, else an empty text."""
        path = self._path(key)
        try:
            content = unpack(key, path.read_bytes())
        except FileNotFoundError:
            return None, ""
        except OSError as fault:
            return None, f"the cache entry could not be read: {fault.strerror}"
        except CorruptEntry as fault:
            with suppress(OSError):
                path.unlink()
            return None, f"the cache entry was corrupt; rebuilding it: {fault}"
        with suppress(OSError):
            path.touch()
        return content, ""

    def put(self, key: str, content: bytes) -> str:
        """Store the content of a key. Return why it could not be stored, else an empty text."""
        raw, path = pack(key, content), self._path(key)
        try:
            with replacing(path, parents=True) as temporary:
                temporary.write_bytes(raw)
        except OSError as fault:
            return f"the cache could not be written: {fault.strerror}"
        self._written += len(raw)
        if self._written > self._limit // _SLACK:
            self._written = 0
            self._evict()
        return ""

    def _evict(self) -> None:
        found = []
        for path in self.folder.glob("??/*"):
            with suppress(OSError):  # another process may have removed it
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, path))
        used = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if used <= self._limit - self._limit // _SLACK:
                return
            with suppress(OSError):
                path.unlink()
            used -= size

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key
