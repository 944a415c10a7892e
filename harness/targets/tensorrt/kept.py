"""What a cache keeps of a case: what TensorRT said of its network, and the engine or the refusal that it gave."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

from harness.disk_cache import DiskCache
from harness.targets.base import NetworkFacts, Refused, Unsupported

# What may go otherwise the next time: somebody else had the memory, or the GPU failed.
_PASSING = re.compile(r"memory|cuda|alloc", re.IGNORECASE)


class Kept:
    """Answers of TensorRT by the key of all that they depend on; none without a cache."""

    def __init__(self, cache: DiskCache | None) -> None:
        self._cache = cache

    def has_build(self, key: str) -> bool:
        """Whether a build's result is kept, its engine or its refusal."""
        return self._cache is not None and (self._cache.has(key) or self._cache.has(_refusal(key)))

    def plan(self, key: str) -> tuple[bytes | None, str]:
        """The serialised engine, None where there is none; and what was wrong with it, if anything."""
        return self._cache.get(key) if self._cache is not None else (None, "")

    def keep_plan(self, key: str, content: bytes) -> str:
        """Returns why it could not be kept, if so."""
        return self._cache.put(key, content) if self._cache is not None else ""

    def network(self, key: str) -> NetworkFacts | None:
        """What TensorRT said as the network was defined."""
        raw = self._cache.get(_network(key))[0] if self._cache is not None else None
        if raw is None:
            return None
        said = json.loads(raw)
        return NetworkFacts(
            tuple(said["output_shape"]), said["attributes"], tuple(said["errors"]), tuple(said["warnings"])
        )

    def keep_network(self, key: str, facts: NetworkFacts) -> None:
        if self._cache is not None:
            self._cache.put(_network(key), json.dumps(asdict(facts)).encode())

    def refusal(self, key: str) -> Refused | Unsupported | None:
        """What TensorRT answered in place of an engine."""
        raw = self._cache.get(_refusal(key))[0] if self._cache is not None else None
        if raw is None:
            return None
        said = json.loads(raw)
        refusal = Refused(said["phase"], said["message"]) if said["phase"] else Unsupported(said["message"])
        refusal.remembered = True
        return refusal

    def keep_refusal(self, key: str, refusal: Refused | Unsupported) -> None:
        """Keep it, unless it may have had a cause that passes."""
        phase = refusal.phase if isinstance(refusal, Refused) else None
        if self._cache is not None and phase != "run" and not _PASSING.search(str(refusal)):
            self._cache.put(_refusal(key), json.dumps({"phase": phase, "message": str(refusal)}).encode())


def _network(key: str) -> str:
    return f"{key}.network"


def _refusal(key: str) -> str:
    return f"{key}.refusal"
