"""Which cases a run takes: from case files, from sweeps, and those that need no case file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

from trt_conformance.catalog.case_patterns import CasePatterns
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.sweeps.model import TIERS, Sweep
from trt_conformance.checks.padding import sample as padding_sample
from trt_conformance.checks.padding.tiers import PaddingTier, tier_of
from trt_conformance.checks.selection import is_judged
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Tier
from trt_conformance.runner.options import RunOptions
from trt_conformance.targets.slow_builds import AROUND, is_slow_to_build


class Selection:
    """The cases of a catalog that the options ask for."""

    def __init__(self, catalog: Catalog, options: RunOptions) -> None:
        self.catalog, self.options = catalog, options

    @property
    def tier(self) -> Tier:
        """The tier of generated cases."""
        return self.options.tier or "smoke"

    @property
    def padding_tier(self) -> PaddingTier:
        """The tier from which padding is sampled."""
        return tier_of(self.options.tier, "")

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """The chosen cases of case files.

        Raises:
            ConformanceError: the patterns match nothing that these options run.
        """
        globs, options = self.options.cases, self.options
        matching = self.catalog.select(globs) if globs else self.catalog.cases
        timed, large = options.full_latency, options.large
        chosen = tuple(case for case in matching if (timed or is_judged(case, self.tier)) and (large or not case.large))
        if chosen or self.generated or any(self.names(name) for name in self.unfiled):
            return chosen
        asked = f"--case {' '.join(globs)}"
        if matching:
            kind, option = self._what_runs(matching)
            found = f"{asked}: only {kind} cases match" if globs else f"all cases are {kind}"
            raise ConformanceError(f"{found}; add {option}")
        self._point_to_tier(asked)
        listing = "".join(folder.options_of_cases for folder in self.catalog.folders)
        hint = "".join(map(self.catalog.similar, globs)) or f"; see `trt-conformance cases list{listing}`"
        raise ConformanceError(f"{asked}: no case matches{hint}")

    @staticmethod
    def _what_runs(cases: Sequence[Case]) -> tuple[str, str]:
        """What cases are that do not run, and the option with which they would."""
        if all(case.large for case in cases):
            return "large", "--large to run them"
        timed = [case for case in cases if not case.large]
        judging = next((tier for tier in TIERS if any(is_judged(case, tier) for case in timed)), None)
        values = f", or --tier {judging} to check only their values" if judging else ""
        return "timed", f"--latency full to time them{values}"

    @cached_property
    def generated(self) -> tuple[str, ...]:
        """The ids of the chosen cases of sweeps. Each case is made when it runs."""
        return tuple(name for sweep in self.catalog.sweeps for name in sweep.matching(self.tier, self._patterns))

    @cached_property
    def unfiled(self) -> tuple[str, ...]:
        """The ids of the configurations that are checked without a case file, along with the suite's own cases."""
        return padding_sample.ids(self.padding_tier) if self.has_suite else ()

    @property
    def has_suite(self) -> bool:
        """Whether the suite's own cases are among those to choose from."""
        return any(folder.is_suite for folder in self.catalog.folders)

    @property
    def ids(self) -> list[str]:
        """The ids of the chosen cases, generated ones included."""
        return [*(case.id for case in self.cases), *self.generated]

    def make_generated(self, case_id: str) -> Case:
        """A generated case from its id."""
        found = self.catalog.find(case_id)
        assert found is not None
        return found

    def is_slow_to_build(self, case: Case | str) -> bool:
        """Whether the engine of a case takes many seconds. A generated case is given by its id."""
        return case in self._slow_generated if isinstance(case, str) else is_slow_to_build(case)

    @cached_property
    def _slow_generated(self) -> frozenset[str]:
        """The ids of those cases of sweeps. Only cases that state operations around the layer are made to know it."""
        found = set()
        for sweep in self.catalog.sweeps:
            for name in sweep.matching(self.tier, self._patterns):
                with suppress(ConformanceError):  # the test of an invalid case reports it
                    if sweep.states(name, AROUND) and is_slow_to_build(sweep.case(name)):
                        found.add(name)
        return frozenset(found)

    def names(self, name: str) -> bool:
        """Whether the patterns match an id; every id where there are no patterns."""
        return self._patterns.match_id(name)

    @cached_property
    def _patterns(self) -> CasePatterns:
        return CasePatterns(self.options.cases)

    def _names_generated(self, name: str, sweep: Sweep) -> bool:
        return self._patterns.match_id(name) or self._patterns.match_file(sweep.file, sweep.folder)

    def _point_to_tier(self, asked: str) -> None:
        """Raise ConformanceError if the patterns match generated cases of a larger tier."""
        for expanded in self.catalog.sweeps:
            for case_id, row in expanded.ids.items():
                if self._names_generated(case_id, expanded.sweep):
                    tier = expanded.rows[row][0]
                    raise ConformanceError(f"{asked}: {case_id} is of tier {tier}; add --tier {tier}")
