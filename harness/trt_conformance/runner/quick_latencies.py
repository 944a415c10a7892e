"""Quick latencies of a run: for which targets and cases they are measured, and what they cost."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.quick_latency import QuickTimer
from trt_conformance.checks.subject import Subject
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import Status, Verdict
from trt_conformance.runner import pool
from trt_conformance.runner.options import RunOptions
from trt_conformance.targets.protocols import Target

_ON_GPU = re.compile(r"-sm\d+$")
"""How the name of a target ends that runs on a GPU: ``tensorrt-8.6.1-sm90``."""


class QuickLatencies:
    """Takes quick latencies of cases whose values were found right in this process."""

    def __init__(self, config: pytest.Config, options: RunOptions) -> None:
        self._config, self._asked = config, options.latency
        self._timer = QuickTimer(pool.size_of(config))
        self._forward: dict[tuple[str, str], Status] = {}

    def wanted(self, target: Target) -> bool:
        """Whether quick latencies of a target are taken: if asked for, and by default on a GPU."""
        if self._asked is not None:
            return self._asked == "quick"
        return _ON_GPU.search(target.name) is not None

    def check(self, targets: Sequence[Target]) -> None:
        """Raise ConformanceError if several processes would disturb what they are asked to time.

        Processes that use one GPU take turns with it (`trt_conformance.targets.device.gpu_lock`); those that time by
        the host's clock have nothing to take turns with.
        """
        if self._asked != "quick" or pool.size_of(self._config) == 1:
            return
        disturbed = [target.name for target in targets if not _ON_GPU.search(target.name)]
        if disturbed:
            raise ConformanceError(
                f"--latency=quick cannot be combined with -n on {', '.join(disturbed)}: parallel tests would disturb a "
                "measurement that is not made on a GPU; leave out -n, or name the targets on the GPU with --target"
            )

    def note(self, verdict: Verdict) -> None:
        """Remember whether the values of a case are right."""
        if verdict.check == "forward":
            self._forward[verdict.target, verdict.case] = verdict.status

    def take(self, subject: Subject) -> Verdict:
        """Time a case, after checking its values if that was not done before.

        Skips the test where the check of its values had no result: its verdict has the reason.
        """
        known = self._forward.get((subject.engines.target.name, subject.case.id))
        status = known or check_forward(subject).status
        if status in ("unsupported", "not run"):
            pytest.skip(f"nothing to time: {status}")
        return self._timer.check(subject, status)
