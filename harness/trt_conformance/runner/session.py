"""One pytest process: its cases, targets and engines, and the controller that gathers verdicts for the user."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from platformdirs import user_cache_path

from trt_conformance.catalog.catalog import Catalog, load_catalog
from trt_conformance.catalog.expectations import Expectations, load_expectations
from trt_conformance.checks.padding import sample as padding_sample
from trt_conformance.checks.padding.tiers import Tier, tier_of
from trt_conformance.core.case import Case
from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.signals import uninterrupted
from trt_conformance.core.types import Tier as TierName
from trt_conformance.core.verdict import NEUTRAL, Verdict
from trt_conformance.results.record.record import RecordWriter
from trt_conformance.runner import header, pool
from trt_conformance.runner.lookahead import Lookahead, builds, subject_of
from trt_conformance.runner.shard import Shard
from trt_conformance.targets.device import cuda
from trt_conformance.targets.engines import LIVE_ENGINES, Engines
from trt_conformance.targets.isolation.proxy import IsolatedTarget, start_target
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import Target
from trt_conformance.targets.registry import REGISTERED

# Figures that the closing summary needs, and what progress needs of a report.
SUMMARISED = ("engine", "cache", "fraction", "bound_for")
# Four builder threads are 3.4 times as fast as one on TensorRT 8.6; more gain nothing.
MOST_BUILDERS = 4
KEPT_CASES = 256
KEPT_LINTED = 2**16
# Cases to look ahead for each builder: one in work, one waiting, so that none is ever idle.
AHEAD = 2


def usable_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _interned(verdict: Verdict) -> str:
    """Reasons, which repeat, are listed at the end; other messages are shown by pytest."""
    return sys.intern(verdict.message) if verdict.status in NEUTRAL else ""


@dataclass
class Run:
    """What one pytest process knows: the cases, the targets, and the verdicts so far."""

    config: pytest.Config
    verdicts: list[Verdict] = field(default_factory=list)
    writer: RecordWriter | None = None
    _engines: dict[str, Engines] = field(default_factory=dict)

    fault: ConformanceError | None = None
    without_values: set[str] = field(default_factory=set)
    lookahead: Lookahead | None = None
    _foreseen: tuple[str, list[Case]] = ("", [])
    _is_prepared: bool = False

    def prepare(self) -> None:
        """Read cases, expectations and targets, once. What is wrong with them is kept as ``fault``."""
        if self._is_prepared:
            return
        self._is_prepared = True
        try:
            _ = self._starting, self.cases, self.expectations, self.targets
        except ConformanceError as fault:
            self.fault = fault

    @cached_property
    def catalog(self) -> Catalog:
        known = None if self.config.getoption("no_cache") else DiskCache(self._kept / "linted", KEPT_LINTED)
        return load_catalog(tier=None, linted=known)

    @property
    def tier(self) -> TierName:
        """The tier of generated cases."""
        asked: TierName | None = self.config.getoption("tier")
        return asked or "smoke"

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        globs = self.config.getoption("case")
        matching = self.catalog.select(globs) if globs else self.catalog.cases
        large = bool(self.config.getoption("large"))
        chosen = [case for case in matching if (self.is_timing or not case.latency) and (large or not case.large)]
        if matching and not chosen:
            kind, option = ("large", "--large") if all(case.large for case in matching) else ("timed", "--latency")
            raise ConformanceError(f"--case {' '.join(globs)}: only {kind} cases match; add {option} to run them")
        unfiled = any(fnmatchcase(name, glob) for name in self.unfiled for glob in globs)
        if not (chosen or self.generated or unfiled):
            self._point_to_tier(globs)
            raise ConformanceError(f"--case {' '.join(globs)}: no case matches; see `trt-conformance cases list`")
        return tuple(chosen)

    @cached_property
    def generated(self) -> tuple[str, ...]:
        """The ids of the sweeps' cases of the tier that was asked for. Each is made when it runs."""
        globs = self.config.getoption("case")
        names = (name for expanded in self.catalog.sweeps for name in expanded.names(self.tier))
        return tuple(name for name in names if not globs or any(_names(name, glob) for glob in globs))

    @property
    def ids(self) -> list[str]:
        """The ids of all that may run, generated ones too."""
        return [*(case.id for case in self.cases), *self.generated]

    @cached_property
    def made(self) -> Callable[[str], Case]:
        """Gives a generated case by its id. The last few are kept: looking ahead asks for each more than once."""

        @lru_cache(KEPT_CASES)
        def made(case_id: str) -> Case:
            found = self.catalog.find(case_id)
            assert found is not None
            return found

        return made

    def _point_to_tier(self, globs: list[str]) -> None:
        """Raises ConformanceError where the globs match generated cases of a larger tier than was asked for."""
        for expanded in self.catalog.sweeps:
            for case_id, row in expanded.ids.items():
                if any(_names(case_id, glob) for glob in globs):
                    tier = expanded.rows[row][0]
                    raise ConformanceError(f"--case {' '.join(globs)}: {case_id} is of tier {tier}; add --tier {tier}")

    @property
    def is_timing(self) -> bool:
        return bool(self.config.getoption("latency"))

    @cached_property
    def expectations(self) -> Expectations:
        of_any_tier = (case_id for expanded in self.catalog.sweeps for case_id in expanded.ids)
        return load_expectations(self.catalog.cases, generated=(*self.unfiled, *of_any_tier))

    @cached_property
    def unfiled(self) -> tuple[str, ...]:
        """The ids of what is checked without a case file."""
        return padding_sample.ids(self.padding_tier)

    @property
    def padding_tier(self) -> Tier:
        """The tier that padding is sampled from."""
        return tier_of(self.config.getoption("tier"), "")

    @cached_property
    def _starting(self) -> list[Callable[[], Target]]:
        """The targets, which start while cases are read: TensorRT takes seconds to load."""
        if self.config.getoption("require_gpu") and not cuda.gpus()[0]:
            raise ConformanceError(f"--require-gpu: {cuda.gpus()[1]}")
        isolated = not self.config.getoption("no_isolation")
        limit = float(self.config.getoption("time_limit"))
        specs = dict.fromkeys(self.config.getoption("target") or REGISTERED)
        return [start_target(spec, isolated, limit, self.options) for spec in specs]

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Those that were asked for, or all that work on this machine."""
        if self.config.getoption("target"):
            asked = tuple(started() for started in self._starting)
            names = [target.name for target in asked]
            for name in names:
                if names.count(name) > 1:
                    raise ConformanceError(f"--target: {names.count(name)} of them are called {name}; rename one")
            return asked
        found = []
        for started in self._starting:
            with suppress(ConformanceError):
                found.append(started())
        return tuple(found)

    @cached_property
    def options(self) -> Options:
        """How targets build. Without isolation nothing is built ahead: debuggers want one thing at a time."""
        option = self.config.getoption
        builders = option("builders")
        if builders is None:
            builders = max(1, min(MOST_BUILDERS, usable_cpus() // pool.size_of(self.config)))
        return Options(
            tactics=option("tactics"),
            cache=self._cache_of_this_run if option("no_cache") else self._kept,
            keeps=not option("no_cache"),
            cache_limit=round(option("cache_limit") * 2**30),
            builders=0 if option("no_isolation") else builders,
            eager=self._runs_many,
        )

    @property
    def _kept(self) -> Path:
        """Where caches outlast a run."""
        return Path(self.config.getoption("engine_cache_dir") or user_cache_path("trt-conformance"))

    @cached_property
    def _cache_of_this_run(self) -> Path:
        """A folder that ends with the run and that its workers share: each engine is built once and kept for nobody."""
        given = getattr(self.config, "workerinput", {}).get(pool.CACHE)
        if given is not None:
            return Path(given)
        made = mkdtemp(prefix="trt-conformance-")
        self.config.add_cleanup(lambda: rmtree(made, ignore_errors=True))
        return Path(made)

    @property
    def _runs_many(self) -> bool:
        """Whether this process runs tests, and is not asked for some only."""
        option = self.config.getoption
        if option("collectonly") or pool.is_controller(self.config):
            return False
        return not (option("case") or option("keyword") or any("::" in argument for argument in self.config.args))

    def foresee(self, item: pytest.Item) -> None:
        """Let the target of a test about to run build what the tests after it need; nothing beside what is timed."""
        found = subject_of(item)
        if found is None or self.lookahead is None or not self.options.builders:
            return
        target = found[1]
        count = 1 + AHEAD * self.options.builders
        upcoming = self.lookahead.after(item, count) if builds(item) or not self.is_timing else []
        if (target.name, upcoming) != self._foreseen:
            self._foreseen = (target.name, upcoming)
            self.engines(target).expect(upcoming)

    def engines(self, target: Target) -> Engines:
        # Engines of timed cases hold large buffers.
        limit = 8 if self.is_timing else LIVE_ENGINES
        return self._engines.setdefault(target.name, Engines(target, limit))

    def note(self, verdict: Verdict) -> None:
        """Write a verdict at once, and keep of it what the summary says: memory must not grow with the record."""
        if self.writer is None and not self.config.getoption("no_record"):
            shard: Shard | None = self.config.getoption("shard")
            names = [target.name for target in self.targets]
            with self.recording():
                self.writer = RecordWriter(
                    Path(self.config.getoption("record_root")),
                    names,
                    header.describe(list(self.targets)),
                    shard.describe(self.ids, self.config) if shard else None,
                )
        kept = {name: verdict.figures[name] for name in SUMMARISED if name in verdict.figures}
        with uninterrupted():
            self.verdicts.append(replace(verdict, figures=kept, message=_interned(verdict)))
            if self.writer is not None:
                with self.recording():
                    self.writer.write(verdict)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Writing to the record. Where that cannot be done the run ends: what it finds would be lost."""
        try:
            yield
        except OSError as fault:
            self.writer = None
            pytest.exit(f"the record cannot be written: {fault.strerror or fault}", returncode=2)

    def close(self) -> None:
        for engines in self._engines.values():
            engines.close()
            if isinstance(engines.target, IsolatedTarget):
                engines.target.finish()


def _names(case_id: str, glob: str) -> bool:
    """Whether a glob matches a generated case, as it does one of a case file: by its id, with or without precision."""
    return fnmatchcase(case_id, glob) or fnmatchcase(case_id.rpartition("-")[0], glob)
