"""Where engines come from: a cache on disk, builders that work ahead, or a build on the spot. They come loaded."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from trt_conformance.core.case import Case
from trt_conformance.core.engine_cost import BUILD, PLAN
from trt_conformance.core.files import content_hash
from trt_conformance.targets.errors import NotRun, Refused, Unsupported
from trt_conformance.targets.protocols import NetworkFacts, Tactic, TacticChoices
from trt_conformance.targets.slow_builds import is_slow_to_build
from trt_conformance.targets.tensorrt.ahead import Ahead
from trt_conformance.targets.tensorrt.build import LOW_LEVEL, Built, PlanBuilder
from trt_conformance.targets.tensorrt.build_cache import BuildCache
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.facts import asked_of
from trt_conformance.targets.tensorrt.loading import Loaded
from trt_conformance.targets.tensorrt.network import Definition
from trt_conformance.targets.tensorrt.processes import BuildProcesses
from trt_conformance.targets.tensorrt.tactics import Forcing

# What a case says that no network depends on. All else that a case says, now or later, is part of an engine's key.
_NOT_OF_THE_NETWORK = {
    "id", "name", "file", "line", "section", "doc", "claims", "source", "errata", "batch", "latency", "runs_in",
    "exact", "distinguishes", "expect", "relations", "reject",
}  # fmt: skip
# The code that makes a network of a case. An engine made by other code is another engine.
_SOURCES = (
    "targets/tensorrt",
    "core/builder_fields.py",
    "core/case.py",
    "core/engine_fields.py",
    "core/epilogue_fields.py",
    "core/network_fields.py",
    "core/prologue_fields.py",
    "core/quantization_fields.py",
    "core/refit_fields.py",
    "core/attributes.py",
    "core/types.py",
    "core/layouts.py",
    "core/tensors.py",
    "core/fills.py",
)


THREAD_NAME = "builder"
LEVEL = "optimization_level"
"""The name of the figure that states the level of a build with one tactic, where it is not the default."""
Entered = Callable[[], AbstractContextManager[None]]
"""What a build is done in: of the thread that asks, or of a builder's."""


@dataclass(frozen=True)
class Plan:
    """A serialized engine, where it came from, and what it costs.

    ``origin``: ``engine`` is built or cached; the other figures are those of `core.engine_cost`, and of a cached engine
    those of its build. ``loaded`` is None if this machine does not have the GPU that it was built for.
    """

    content: bytes
    origin: dict[str, Any] = field(default_factory=dict)
    loaded: Loaded | None = None


class Plans:
    """Plans of one target.

    TensorRT 8.6 holds Python's lock in its constructors. One of them that waits for a thread inside TensorRT, which
    waits for Python's lock to log something, waits for ever: so all are called in one place, while no thread is inside.
    """

    def __init__(
        self,
        builders: Sequence[PlanBuilder],
        build_cache: BuildCache,
        identity: dict[str, Any],
        exclusion: Exclusion,
        slow: int = 0,
        processes: BuildProcesses | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            builders: of the thread that asks, then of each that works ahead.
            build_cache: where engines are stored.
            identity: all, but the case, that engines depend on.
            exclusion: what a build waits for.
            slow: how many of the threads build the cases that are slow to build, and no others.
            processes: where these threads have such cases built; None if they build themselves.
        """
        self._builders, self._build_cache, self._identity = builders, build_cache, identity
        self._can_load = self._can_build = False
        self._own = threading.local()
        self._own.builder, *others = builders
        self._keys: dict[int, tuple[Case, str]] = {}
        spare = iter(others)

        def begin() -> None:
            self._own.builder = next(spare)

        self._ahead = Ahead(THREAD_NAME, len(others) - slow, begin)
        self._slow = Ahead(f"slow {THREAD_NAME}", slow, begin) if slow else self._ahead
        self._processes, self._one_slow = processes, threading.Lock()
        self._at_low_level: dict[str, frozenset[Tactic]] = {}
        self._exclusion = exclusion

    def prepare(self, to_build: bool = True) -> None:
        """Make what engines are loaded with and, if need be, built with. The latter takes TensorRT 8.6 seconds."""
        if self._can_build or (self._can_load and not to_build):
            return
        with self._exclusion.unbuilt(), self._exclusion.running():
            for builder in self._builders:
                builder.prepare(to_build)
        self._can_load, self._can_build = True, to_build

    def expect(self, cases: Sequence[Case]) -> None:
        """Build or load these ahead, in this order, and drop what was expected before and is not among them."""
        if not self._ahead:
            return
        self._keys = {id(case): (case, self._key(case)) for case in cases}
        wanted: dict[Ahead, dict[Hashable, Case]] = {self._ahead: {}, self._slow: {}}
        for case, key in self._keys.values():
            wanted[self._slow if is_slow_to_build(case) else self._ahead][key] = case
        if self._processes is not None:  # they load TensorRT while this process does
            self._processes.want(sum(not self._build_cache.has_build(str(key)) for key in wanted[self._slow]))
        unknown = [str(key) for threads, named in wanted.items() for key in threads.unknown(named)]
        with suppress(Exception):  # the first case that needs a builder reports why it could not be created
            self.prepare(to_build=not all(map(self._build_cache.has_build, unknown)))
        for threads, named in wanted.items():
            made = self._made_ahead if threads is self._ahead else self._made_slowly
            threads.expect({key: partial(made, case, str(key)) for key, case in named.items()})

    def expect_tactics(self, asked: Sequence[tuple[Case, Tactic | None]]) -> None:
        """List tactics (None) or build with them ahead, as `expect` does."""
        if not self._ahead:
            return
        with suppress(Exception):
            self.prepare()
        self._ahead.expect({(self._key(case), tactic): partial(self._asked, case, tactic) for case, tactic in asked})

    def get(self, case: Case) -> Plan:
        """A case's plan. Raises what `PlanBuilder.build` and `PlanBuilder.load` raise."""
        key = self._key(case)
        threads = self._slow if is_slow_to_build(case) else self._ahead
        found, note = threads.take(key, lambda: self._remembered_here(case, key))
        if found is None:
            self.prepare()
            with self._exclusion.running():
                found = self._built(case, key, note)
        return found

    def tactics(self, case: Case) -> TacticChoices:
        """What the builder can choose from for a case's convolution. Raises what `PlanBuilder.tactics` raises."""
        self.prepare()
        return self._ahead.take((self._key(case), None), lambda: self._listed(case, self._exclusion.running))

    def get_with(self, case: Case, tactic: Tactic) -> Plan:
        """A case's plan with one tactic, not cached. Raises what `PlanBuilder.build_with` and `load` raise."""
        self.prepare()
        return self._ahead.take((self._key(case), tactic), lambda: self._forced(case, tactic, self._exclusion.running))

    def define(self, case: Case) -> NetworkFacts:
        """What TensorRT says of a case's network. Raises what `PlanBuilder.define` raises."""
        key = self._key(case)
        facts = self._build_cache.network(key)
        if facts is None:
            refusal = self._build_cache.refusal(key)
            if refusal is not None and getattr(refusal, "phase", "") != "build":  # which says nothing of the network
                raise refusal
            self.prepare()
            facts = self._defined(case, key).facts
        return facts

    def close(self) -> None:
        """End the builders, and let them save what they learned."""
        if self._processes is not None:
            self._processes.close()
        for threads in {self._ahead, self._slow}:
            threads.close()
        for builder in self._builders:
            builder.close()

    def key(self, case: Case) -> str:
        """The hash of all that a case's engine depends on. The order of ``set`` counts."""
        said = case.model_dump(mode="json", exclude=_NOT_OF_THE_NETWORK, exclude_defaults=True)
        said["input"] = said["input"]["shape"]  # its values are fed, not built in
        said.get("dynamic", {}).pop("run", None)
        if asked := asked_of(case):  # the facts that are read from the layer are cached beside the engine
            said["asked"] = asked
        said["is_refused"] = case.reject is not None  # else a type that a layout does not hold is unsupported
        return hashlib.sha256(json.dumps([said, self._identity, _code()]).encode()).hexdigest()

    def _key(self, case: Case) -> str:
        known, key = self._keys.get(id(case), (None, ""))
        return key if known is case else self.key(case)

    def _made_ahead(self, case: Case, key: str) -> tuple[Plan | None, str]:
        """A plan made in a builder's thread; None if it cannot build yet, which only the asking thread changes."""
        with self._exclusion.building():
            found, note = self._remembered(case, key)
            if found is None and self._can_build:
                found = self._built(case, key, note)
            return found, note

    def _made_slowly(self, case: Case, key: str) -> tuple[Plan | None, str]:
        """As `_made_ahead`, by another process where there is one; else by one thread at a time."""
        if self._processes is None:
            return self._made_ahead(case, key)
        origin = None
        if not self._build_cache.has_build(key):
            with self._exclusion.waiting():
                origin = self._processes.build(case)
            if self._processes.is_closed:
                return None, ""
        with nullcontext() if self._build_cache.has_build(key) else self._one_slow:
            try:
                found, note = self._made_ahead(case, key)
            except (Refused, Unsupported) as refusal:
                refusal.remembered = refusal.remembered and (origin is None or origin["engine"] == "cached")
                raise
        if found is not None and origin is not None:  # "cached" in this process alone
            found = replace(found, origin={**origin, **found.origin, "engine": origin.get("engine", "built")})
        return found, note

    def _remembered_here(self, case: Case, key: str) -> tuple[Plan | None, str]:
        with self._exclusion.running():
            return self._remembered(case, key)

    def _asked(self, case: Case, tactic: Tactic | None) -> TacticChoices | Plan:
        """What `tactics` or `get_with` gives, made in a builder's thread."""
        if tactic is None:
            return self._listed(case, self._exclusion.building)
        return self._forced(case, tactic, self._exclusion.building)

    def _listed(self, case: Case, entered: Entered) -> TacticChoices:
        with entered():
            return self._mine.tactics(self._mine.define(case), case)

    def _forced(self, case: Case, tactic: Tactic, entered: Entered) -> Plan:
        """A plan with one tactic: at a low level of optimization where the builder offers the tactic there, too.

        At such a level, a build does not search for other tactics first. What it offers for a case is remembered.
        """
        key = self._key(case)
        with entered():
            started = time.perf_counter()
            offered = self._at_low_level.get(key)
            if self._mine.has_low_level and (offered is None or tactic in offered):
                forcing = Forcing(tactic)
                with suppress(NotRun, Refused):
                    built = self._mine.build_with(self._mine.define(case), case, forcing, low_level=True)
                    return self._plan(case, "built", built.content, _cost(started, built) | {LEVEL: LOW_LEVEL})
                self._at_low_level[key] = forcing.offered - {tactic}
                started = time.perf_counter()
            built = self._mine.build_with(self._mine.define(case), case, Forcing(tactic))
            return self._plan(case, "built", built.content, _cost(started, built))

    def _remembered(self, case: Case, key: str) -> tuple[Plan | None, str]:
        """A cached plan, loaded, or None; and what was wrong with it. Raises a remembered refusal.

        That it does not load may be the cache's fault: another library than the one that the key names built it.
        """
        content, note = self._build_cache.plan(key)
        if content is not None:
            try:
                return self._plan(case, "cached", content, self._build_cache.cost(key)), ""
            except Refused as fault:
                return None, f"the cached engine does not load; rebuilding it: {fault}"
        refusal = self._build_cache.refusal(key)
        if refusal is not None:
            raise refusal
        return None, note

    def _built(self, case: Case, key: str, note: str) -> Plan:
        started = time.perf_counter()
        definition = self._defined(case, key)
        with self._refusals_cached(key):
            built = self._mine.build(definition, case)
        cost = _cost(started, built)
        note = self._build_cache.store_plan(key, built.content, cost) or note
        return self._plan(case, "built", built.content, cost | ({"cache": note} if note else {}))

    def _plan(self, case: Case, engine: str, content: bytes, known: Mapping[str, Any]) -> Plan:
        """A loaded plan. Raises Refused if it does not load.

        Of the memory, what the loaded engine says goes before what was logged as it was built.
        """
        loaded = self._mine.load(content, case)
        memory = {} if loaded is None else loaded.memory
        return Plan(content, {"engine": engine, PLAN: len(content), **known, **memory}, loaded)

    def _defined(self, case: Case, key: str) -> Definition:
        with self._refusals_cached(key):
            definition = self._mine.define(case)
        self._build_cache.store_network(key, definition.facts)
        return definition

    @contextmanager
    def _refusals_cached(self, key: str) -> Iterator[None]:
        try:
            yield
        except (Refused, Unsupported) as refusal:
            self._build_cache.store_refusal(key, refusal)
            raise

    @property
    def _mine(self) -> PlanBuilder:
        """The builder of the calling thread."""
        builder: PlanBuilder = self._own.builder
        return builder


def _cost(started: float, built: Built) -> dict[str, Any]:
    """The figures of a build that began at ``started``, in the seconds of `time.perf_counter`."""
    return {BUILD: round(time.perf_counter() - started, 4), **built.memory}


@cache
def _code() -> str:
    """A hash of the harness's own code that makes a network of a case."""
    paths = [Path(__file__).parents[2] / source for source in _SOURCES]
    return content_hash(file for path in paths for file in (sorted(path.glob("*.py")) if path.is_dir() else [path]))


def timing_file(folder: Path, identity: dict[str, Any]) -> Path:
    """Where the timings of a target's tactics are stored: one file for each TensorRT on each kind of GPU."""
    return folder / "timings" / f"{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]}.cache"
