"""What a cache stores for a case: what TensorRT reported about its network, the engine and its cost, or the refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.protocols import NetworkFacts

# What may go otherwise the next time: somebody else had the memory, or the GPU failed.
_PASSING = re.compile(r"memory|cuda|alloc", re.IGNORECASE)


class BuildCache:
    """Answers of TensorRT by the key of all that they depend on; none without a cache."""

    def __init__(self, cache: DiskCache | None) -> None:
        self._cache = cache

    def has_build(self, key: str) -> bool:
        """Whether a build's result is stored, its engine or its refusal."""
        return self._cache is not None and (self._cache.has(key) or self._cache.has(_refusal(key)))

    def plan(self, key: str) -> tuple[bytes | None, str]:
        """The serialized engine, None if there is none; and what was wrong with it, if anything."""
        return self._get(key)

    def store_plan(self, key: str, content: bytes, cost: Mapping[str, Any]) -> str:
        """Store an engine with the figures of its build. Returns why it could not be stored, if so."""
        return self._put(key, content) or self._say(_cost(key), cost)

    def cost(self, key: str) -> dict[str, Any]:
        """The figures of the build whose engine is stored; empty if the cache has dropped them."""
        return self._said(_cost(key)) or {}

    def network(self, key: str) -> NetworkFacts | None:
        """What TensorRT said as the network was defined."""
        said = self._said(_network(key))
        if said is None:
            return None
        return NetworkFacts(
            tuple(said["output_shape"]), said["attributes"], tuple(said["errors"]), tuple(said["warnings"])
        )

    def store_network(self, key: str, facts: NetworkFacts) -> None:
        self._say(_network(key), asdict(facts))

    def refusal(self, key: str) -> Refused | Unsupported | None:
        """What TensorRT answered in place of an engine."""
        said = self._said(_refusal(key))
        if said is None:
            return None
        refusal = Refused(said["phase"], said["message"]) if said["phase"] else Unsupported(said["message"])
        refusal.remembered = True
        return refusal

    def store_refusal(self, key: str, refusal: Refused | Unsupported) -> None:
        """Store it, unless its cause may be temporary."""
        phase = refusal.phase if isinstance(refusal, Refused) else None
        if phase != "run" and not _PASSING.search(str(refusal)):
            self._say(_refusal(key), {"phase": phase, "message": str(refusal)})

    def _said(self, name: str) -> dict[str, Any] | None:
        raw, _ = self._get(name)
        return None if raw is None else dict(json.loads(raw))

    def _say(self, name: str, said: Mapping[str, Any]) -> str:
        return self._put(name, json.dumps(said).encode())

    def _get(self, name: str) -> tuple[bytes | None, str]:
        return self._cache.get(name) if self._cache is not None else (None, "")

    def _put(self, name: str, content: bytes) -> str:
        return self._cache.put(name, content) if self._cache is not None else ""


def _network(key: str) -> str:
    return f"{key}.network"


def _cost(key: str) -> str:
    return f"{key}.cost"


def _refusal(key: str) -> str:
    return f"{key}.refusal"
