"""A folder of content by key, bounded in size, checked when read, and safe for many processes at once."""

from __future__ import annotations

import hashlib
import zlib
from contextlib import suppress
from pathlib import Path

from trt_conformance.core.files import replacing

_MAGIC = b"trt-conformance cache 1\n"
_DIGEST = hashlib.sha256().digest_size
# How far a folder may grow between two looks at its size, as a part of its limit.
_SLACK = 16


class Damaged(ValueError):
    """What a file holds is not what was written there."""


def pack(key: str, content: bytes) -> bytes:
    """The bytes of a file: compressed content under a hash of it and of its key."""
    packed = zlib.compress(content, 1)
    return _MAGIC + _digest(key, packed) + packed


def unpack(key: str, raw: bytes) -> bytes:
    """The content that `pack` made a file of.

    Raises:
        Damaged: the file is cut short, was changed, or belongs to another key.
    """
    start = len(_MAGIC) + _DIGEST
    packed = raw[start:]
    if raw[: len(_MAGIC)] != _MAGIC or raw[len(_MAGIC) : start] != _digest(key, packed):
        raise Damaged("its content does not have the hash that it was written with")
    return zlib.decompress(packed)


def _digest(key: str, packed: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + packed).digest()


class DiskCache:
    """Entries of a folder, least recently used removed first once they take more than ``limit`` bytes.

    Each file is written whole or not at all, so that writers need no lock. A cache fails nothing: what
    cannot be read is absent, what cannot be written is not kept, and the caller is told why.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self._limit = folder, limit
        self._written = limit  # so that the first entry written looks at what is there

    def has(self, key: str) -> bool:
        """Whether there is an entry of a key; it may be damaged."""
        return self._path(key).exists()

    def get(self, key: str) -> tuple[bytes | None, str]:
        """The content of a key, None where there is none; and what was wrong with it, if anything."""
        path = self._path(key)
        try:
            content = unpack(key, path.read_bytes())
        except FileNotFoundError:
            return None, ""
        except OSError as fault:
            return None, f"the cache's entry could not be read: {fault.strerror}"
        except Damaged as fault:
            with suppress(OSError):
                path.unlink()
            return None, f"the cache's entry was damaged and is made anew: {fault}"
        with suppress(OSError):
            path.touch()
        return content, ""

    def put(self, key: str, content: bytes) -> str:
        """Keep the content of a key. Returns why it could not be kept, if so."""
        raw, path = pack(key, content), self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
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
            with suppress(OSError):  # another process may remove it first
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
