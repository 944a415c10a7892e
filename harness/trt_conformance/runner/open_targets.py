"""Opens the targets of a run, by the words of ``--target`` that name them, while the cases are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import one_line
from trt_conformance.runner.options import RunOptions
from trt_conformance.targets.device import cuda
from trt_conformance.targets.isolation.proxy import start_target
from trt_conformance.targets.options import Options, check_tactic_sources
from trt_conformance.targets.protocols import Target
from trt_conformance.targets.registry import REGISTERED


class OpenTargets:
    """Starts all targets when it is made, since TensorRT takes seconds to load; `open` waits for them.

    Attributes:
        unavailable: the targets that were not requested and cannot be opened here, with the reasons and
            advice; `open` fills it.
    """

    def __init__(self, options: RunOptions, build: Options) -> None:
        """Raises ConformanceError if a GPU is required and there is none, or for tactic sources that cannot be used."""
        if options.require_gpu and not cuda.gpus()[0]:
            raise ConformanceError(f"--require-gpu: {cuda.gpus()[1]}")
        if build.tactic_sources:
            check_tactic_sources(build.tactic_sources)
            if not options.targets:
                raise ConformanceError("--tactic-sources needs --target: versions of TensorRT have different sources")
        self._are_requested = bool(options.targets)
        self.unavailable: dict[str, str] = {}
        self._starting: dict[str, Callable[[], Target]] = {
            spec: start_target(spec, options.isolation, options.time_limit_s, build)
            for spec in options.targets or REGISTERED
        }

    def open(self) -> dict[str, Target]:
        """The targets by the words of ``--target``: all that were requested, or else all that work on this machine.

        Raises:
            ConformanceError: a requested target cannot be opened, or two have the same name.
        """
        found: dict[str, Target] = {}
        for spec, started in self._starting.items():
            try:
                found[spec] = _opened(spec, started)
            except ConformanceError as fault:
                if self._are_requested:
                    raise
                self.unavailable[spec] = one_line(str(fault).removeprefix(f"--target {spec}: "))
        for name, count in Counter(target.name for target in found.values()).items():
            if count > 1:
                raise ConformanceError(f"--target: {count} targets are named {name}; rename one")
        return found


def _opened(spec: str, started: Callable[[], Target]) -> Target:
    """The target. Whatever it raises while it opens is an error in the user's input, not in the suite."""
    try:
        return started()
    except ConformanceError:
        raise
    except Exception as fault:
        said = str(fault).splitlines() or [""]
        said_first = one_line(f"{type(fault).__name__}: {said[0]}")
        raise ConformanceError(f"--target {spec}: cannot be opened: {said_first}") from fault
