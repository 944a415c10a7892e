"""One pytest process: its options, cases, targets and engines, and the verdicts so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pytest

from trt_conformance.catalog.catalog import Catalog, linted_files, load_catalog
from trt_conformance.catalog.expectations import ExpectationsByFolder, load_expectations
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.verdict import Verdict
from trt_conformance.golden.sums import short_sums
from trt_conformance.results.record.record import RecordWriter
from trt_conformance.runner import pool
from trt_conformance.runner.build_options import BuildOptions
from trt_conformance.runner.lookahead import Lookahead, builds, id_of, subject_of
from trt_conformance.runner.open_targets import OpenTargets
from trt_conformance.runner.options import RunOptions
from trt_conformance.runner.quick_latencies import QuickLatencies
from trt_conformance.runner.recorder import Recorder
from trt_conformance.runner.selection import Selection
from trt_conformance.targets import run_environment
from trt_conformance.targets.engines import LIVE_ENGINES, Engines
from trt_conformance.targets.isolation.proxy import IsolatedTarget
from trt_conformance.targets.protocols import Target, offers
from trt_conformance.targets.registry import TO_GET_IT

# Engines of timed cases hold large buffers.
LIVE_TIMED_ENGINES = 8
# Cases to look ahead for each builder at least: one being built and one waiting, so that no builder is idle.
ENOUGH = 2
# And at most. Looking ahead takes time, and is not done again before less than enough cases are left.
AHEAD = 3
# Cases that are slow to build, and have a thread of their own.
SLOW_AHEAD = 16


class Run:
    """What one pytest process knows, read when it is first needed."""

    def __init__(self, config: pytest.Config, options: RunOptions) -> None:
        self.config, self.options = config, options
        self.builds = BuildOptions(config, options)
        self.quick = QuickLatencies(config, options)
        self.recorder = Recorder(options.record_root, self._start_record)
        self.fault: ConformanceError | None = None
        self.without_values: set[str] = set()
        self.lookahead: Lookahead | None = None
        self.is_empty_shard = False
        """Whether there are tests to run, and all are in other shards."""
        self._engines: dict[str, Engines] = {}
        self._foreseen: tuple[str, list[Case]] = ("", [])
        self._is_prepared = False

    def prepare(self) -> None:
        """Read cases and expectations and open the targets, once. ``fault`` is what is wrong with them."""
        if self._is_prepared:
            return
        self._is_prepared = True
        try:
            _ = self._open_targets, self.selection.cases, self.expectations
            self.quick.check(self.targets)
        except ConformanceError as fault:
            self.fault = fault

    @cached_property
    def catalog(self) -> Catalog:
        """Every case file and claim."""
        return load_catalog(*self.options.folders, tier=None, linted=linted_files(self.builds.lasting_cache))

    @cached_property
    def selection(self) -> Selection:
        """The cases to run."""
        return Selection(self.catalog, self.options)

    def generated_case(self, case_id: str) -> Case:
        """A generated case of the catalog, which is only read if there is one."""
        return self.selection.make_generated(case_id)

    def is_slow_to_build(self, case: Case | str) -> bool:
        """Whether a case, or a generated one by its id, is slow to build. Runs of other tests read no cases."""
        return self.selection.is_slow_to_build(case)

    @cached_property
    def expectations(self) -> ExpectationsByFolder:
        """The known differences of targets."""
        return load_expectations(self.catalog, self.selection.unfiled)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets that were requested, or all that work on this machine."""
        return tuple(self._targets_by_spec.values())

    @property
    def unavailable(self) -> dict[str, str]:
        """The targets that would run by default and cannot be opened on this machine, with the reasons and advice."""
        _ = self._targets_by_spec
        return self._open_targets.unavailable

    def knows(self, fault: Verdict) -> bool:
        """Whether a fault is a known difference."""
        return bool(self.expectations.apply(fault).known)

    def label_of(self, name: str) -> str:
        """How ids of tests name the target of a name: by its flavor, unless several targets of the run have that."""
        return self._labels[name]

    @cached_property
    def _labels(self) -> dict[str, str]:
        labels = {target.name: TargetName.parse(target.name).label for target in self.targets}
        count = Counter(labels.values())
        return {name: label if count[label] == 1 else name for name, label in labels.items()}

    def spec_of(self, target: str) -> str:
        """The words that asked for a target; its name where no option did."""
        found = (spec for spec, opened in self._targets_by_spec.items() if opened.name == target)
        return next(found, target) if self.options.targets else target

    @cached_property
    def _open_targets(self) -> OpenTargets:
        return OpenTargets(self.options, self.builds.for_targets)

    @cached_property
    def _targets_by_spec(self) -> dict[str, Target]:
        return self._open_targets.open()

    def foresee_first(self, items: Sequence[pytest.Item]) -> None:
        """Let the target of the first test with a case build, while tests without a case run before it.

        A worker of pytest-xdist may run none of these tests.
        """
        first = next((item for item in items if subject_of(item) is not None), None)
        if first is not None and pool.size_of(self.config) == 1:
            self.foresee(first)

    def foresee(self, item: pytest.Item) -> None:
        """Let the target of a test build what later tests need; nothing is built while a test is timed."""
        found = subject_of(item)
        builders = self.builds.for_targets.builders
        if found is None or self.lookahead is None or not builders or not offers(found[1], "expect"):
            return
        target = found[1]
        count = 1 + AHEAD * builders
        if builds(item) and self._foreseen_after(id_of(found), target, count) >= ENOUGH * builders:
            return
        slow = SLOW_AHEAD if builders > 1 else 0
        upcoming = self.lookahead.after(item, count, slow) if builds(item) or not self.options.full_latency else []
        if (target.name, upcoming) != self._foreseen:
            self._foreseen = (target.name, upcoming)
            self.engines(target).expect(upcoming)

    def _foreseen_after(self, case_id: str, target: Target, count: int) -> int:
        """How many of the first cases that the target was last told to expect are after this one; 0 without this one.

        Behind the first ``count`` there are only cases that are slow to build.
        """
        name, cases = self._foreseen
        ids = [case.id for case in cases[:count]] if name == target.name else []
        return len(ids) - 1 - ids.index(case_id) if case_id in ids else 0

    def engines(self, target: Target) -> Engines:
        """The target's engines."""
        limit = LIVE_TIMED_ENGINES if self.options.full_latency else LIVE_ENGINES
        return self._engines.setdefault(target.name, Engines(target, limit))

    def close(self) -> None:
        """Release every engine and end the targets' processes; used ones may save what they learned first."""
        for engines in self._engines.values():
            engines.close()
            if isinstance(engines.target, IsolatedTarget):
                engines.target.finish()
        for target in vars(self).get("_targets_by_spec", {}).values():
            if isinstance(target, IsolatedTarget):
                target.close()

    def _start_record(self, root: Path) -> RecordWriter:
        shard = self.options.shard
        # The advice may name paths of this machine, which a record does not.
        reasons = {name: text.partition(TO_GET_IT)[0] for name, text in self.unavailable.items()}
        return RecordWriter(
            root,
            [target.name for target in self.targets],
            run_environment.describe(list(self.targets), reasons),
            shard.describe(self.selection.ids, self.config) if shard else None,
            self.options.folders,
            short_sums(SUITE.golden) if SUITE in self.options.folders else None,
        )
