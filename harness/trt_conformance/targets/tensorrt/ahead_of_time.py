"""An engine for a GPU that this machine does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trt_conformance.core.arrays import Array
from trt_conformance.core.types import Mode
from trt_conformance.targets.errors import NotRun
from trt_conformance.targets.tensorrt.plans import Plan
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan


@dataclass(frozen=True)
class AheadOfTimeEngine:
    """An engine for a GPU that this machine does not have: built and serialized, not run."""

    plan: Plan
    reason: str

    @property
    def origin(self) -> dict[str, Any]:
        return self.plan.origin

    def check_runs(self) -> None:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def reports(self) -> dict[str, Any]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def execution_modes(self) -> tuple[str, ...]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def run_together(self, feeds: Mapping[str, Array], others: Mapping[str, Array]) -> dict[str, Array]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def run_in_mode(self, mode: str, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def timing_modes(self) -> tuple[Mode, ...]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def measure(self, feeds: Mapping[str, Array], plan: TimingPlan) -> Measurement:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def run_misaligned(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def run_with_null_address(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def close(self) -> None:
        return None
