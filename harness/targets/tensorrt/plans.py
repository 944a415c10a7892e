"""Where engines come from: a cache on disk, builders that work ahead, or a build on the spot. They come loaded."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.disk_cache import DiskCache
from harness.files import content_hash
from harness.model import Case
from harness.targets.tensorrt.build import PlanBuilder
from harness.targets.tensorrt.loading import Loaded

# What a case says that no network depends on. Whatever else a case says now or later tells engines apart.
_NOT_OF_THE_NETWORK = {
    "id", "name", "file", "line", "section", "doc", "claims", "source", "errata", "batch", "latency", "runs_in",
    "exact", "distinguishes", "expect", "relations", "reject",
}  # fmt: skip
# The code that makes a network of a case. An engine made by other code is another engine.
_SOURCES = ("targets/tensorrt", "model.py", "data.py", "tensors.py")


@dataclass(frozen=True)
class Plan:
    """A serialised engine and where it came from: ``engine`` is built or cached, ``build_s`` the seconds it took.

    ``loaded`` is None where this machine has not the GPU that it was built for.
    """

    content: bytes
    origin: dict[str, Any] = field(default_factory=dict)
    loaded: Loaded | None = None


class Plans:
    """Plans of one target. Each builder belongs to one thread; the first to the thread that asks."""

    def __init__(
        self, builder: Callable[[], PlanBuilder], builders: int, cached: DiskCache | None, identity: dict[str, Any]
    ) -> None:
        """``builder`` makes one for the calling thread; ``identity`` is all, but the case, that engines depend on."""
        self._builder = builder
        self._cached, self._identity = cached, identity
        self._own = threading.local()
        self._every: list[PlanBuilder] = []
        self._ahead: dict[str, Future[Plan]] = {}
        self._pool = ThreadPoolExecutor(builders, "builder") if builders else None
        self._gate = Gate()

    def expect(self, cases: Sequence[Case]) -> None:
        """Build or load these ahead, in this order, and drop what was expected before and is not among them."""
        if self._pool is None:
            return
        wanted = {self.key(case): case for case in cases}
        for key in self._ahead.keys() - wanted.keys():
            self._ahead.pop(key).cancel()
        for key, case in wanted.items():
            if key not in self._ahead:
                self._ahead[key] = self._pool.submit(self._make, case, key, self._gate.open)

    def get(self, case: Case) -> Plan:
        """A case's plan. Raises what `PlanBuilder.build` and `PlanBuilder.load` raise."""
        key = self.key(case)
        ahead = self._ahead.pop(key, None)
        if ahead is not None and not ahead.cancel():
            return ahead.result()
        return self._make(case, key, _at_once)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing is built meanwhile: for what is timed."""
        with self._gate.closed():
            yield

    def close(self) -> None:
        """End the builders, and let them save what they learnt."""
        for future in self._ahead.values():
            future.cancel()
        self._ahead.clear()
        if self._pool is not None:
            self._pool.shutdown()
        for builder in self._every:
            builder.close()

    def key(self, case: Case) -> str:
        """The hash of all that a case's engine depends on. The order of ``set`` counts."""
        said = case.model_dump(mode="json", exclude=_NOT_OF_THE_NETWORK, exclude_defaults=True)
        said["input"] = said["input"]["shape"]  # its values are fed, not built in
        said.get("dynamic", {}).pop("run", None)
        return hashlib.sha256(json.dumps([said, self._identity, _code()]).encode()).hexdigest()

    def _make(self, case: Case, key: str, gate: Callable[[], Any]) -> Plan:
        content, note = self._cached.get(key) if self._cached is not None else (None, "")
        if content is not None:
            with gate():
                return Plan(content, {"engine": "cached"}, self._mine.load(content))
        with gate():
            started = time.perf_counter()
            content = self._mine.build(case)
            took = time.perf_counter() - started
            loaded = self._mine.load(content)
        if self._cached is not None:
            note = self._cached.put(key, content) or note
        return Plan(
            content, {"engine": "built", "build_s": round(took, 4), **({"cache": note} if note else {})}, loaded
        )

    @property
    def _mine(self) -> PlanBuilder:
        """The builder of the calling thread."""
        if not hasattr(self._own, "builder"):
            self._own.builder = self._builder()
            self._every.append(self._own.builder)
        builder: PlanBuilder = self._own.builder
        return builder


@contextmanager
def _at_once() -> Iterator[None]:
    yield


class Gate:
    """Lets many build at once, or one have quiet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Wait while the gate is closed, then count as inside."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let nobody in, and wait until all who are inside have left."""
        with self._changed:
            self._closed += 1
            self._changed.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._changed:
                self._closed -= 1
                self._changed.notify_all()


@cache
def _code() -> str:
    """A hash of the harness's own code that makes a network of a case."""
    paths = [Path(__file__).parents[2] / source for source in _SOURCES]
    return content_hash(file for path in paths for file in (sorted(path.glob("*.py")) if path.is_dir() else [path]))


def timing_file(folder: Path, identity: dict[str, Any]) -> Path:
    """Where the timings of a target's tactics lie: one file for each TensorRT on each kind of GPU."""
    return folder / "timings" / f"{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]}.cache"
