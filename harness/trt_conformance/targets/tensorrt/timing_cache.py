"""TensorRT's timing cache, stored between runs and shared between processes."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from trt_conformance.core.disk_cache import pack, unpack
from trt_conformance.core.errors import CorruptEntry
from trt_conformance.core.files import replacing
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.refusal import made

if TYPE_CHECKING:
    import tensorrt

SAVE_EVERY_S = 20.0
LOCK_S = 10.0


class TimingCache:
    """The timing cache of one builder's thread, loaded from a file and merged back into it.

    Each thread has its own, because it is not documented that two builds may write one cache at the same time.
    """

    def __init__(self, api: Api, path: Path | None) -> None:
        """``path`` names the file to share; None to keep the cache in memory."""
        self._api, self._path = api, path
        self._cache: tensorrt.ITimingCache | None = None
        self._config: tensorrt.IBuilderConfig | None = None
        self._saved = time.monotonic()

    def attach(self, config: tensorrt.IBuilderConfig) -> None:
        """Let a build read and extend the cache; from time to time save what earlier builds have added.

        What is logged meanwhile concerns no build: 8.6 logs an error of Myelin's for a cache without graphs of its.
        """
        if self._cache is None:
            self._cache = self._made(config, self._stored())
        elif time.monotonic() - self._saved > SAVE_EVERY_S:
            self.save()
        self._config = config
        config.set_timing_cache(self._cache, ignore_mismatch=False)
        self._api.take_errors()

    def save(self) -> None:
        """Merge the cache into the file, and the entries of others into the cache. A failure only costs time."""
        self._saved = time.monotonic()
        if self._path is None or self._cache is None or self._config is None:
            return
        with suppress(OSError, Timeout):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path.with_suffix(".lock"), timeout=LOCK_S):
                stored = self._stored()
                if stored:
                    self._cache.combine(self._made(self._config, stored), ignore_mismatch=False)
                merged = bytes(self._cache.serialize())
                with replacing(self._path) as temporary:
                    temporary.write_bytes(pack(self._path.name, merged))

    def _stored(self) -> bytes:
        """The file's content; nothing if there is none, or where it is damaged; it is then replaced."""
        if self._path is None:
            return b""
        try:
            return unpack(self._path.name, self._path.read_bytes())
        except (OSError, CorruptEntry):
            return b""

    def _made(self, config: tensorrt.IBuilderConfig, content: bytes) -> tensorrt.ITimingCache:
        """A timing cache of some content; an empty one where TensorRT does not take it (another version's)."""
        found = config.create_timing_cache(content)
        if found is None or not config.set_timing_cache(found, ignore_mismatch=False):
            return made(self._api, config.create_timing_cache(b""), "build", "an empty timing cache was refused")
        return found
