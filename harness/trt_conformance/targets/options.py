"""Build options that apply to every target; a target ignores those that it does not support."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from trt_conformance.core.builder_fields import TacticSource
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError

Tactics = Literal["fast", "default", "exhaustive"]
TACTICS: tuple[Tactics, ...] = get_args(Tactics)
TACTIC_SOURCES: tuple[TacticSource, ...] = get_args(TacticSource)
CACHE_LIMIT = 4 * 2**30
MOST_BUILDERS = 4
"""Threads of a process that build. Four are 3.4 times as fast as one on TensorRT 8.6; more gain nothing."""


class BuiltElsewhere(Protocol):
    """An engine in another process."""

    origin: Mapping[str, Any]

    def close(self) -> None:
        """Release it."""
        ...


class Elsewhere(Protocol):
    """A target in another process, as far as it builds."""

    def build(self, case: Case) -> BuiltElsewhere:
        """Raises what the target raises, and what isolation raises on its behalf."""
        ...

    def finish(self) -> None:
        """Let the target save what it learned, then end its process."""
        ...

    def close(self) -> None:
        """End its process at once."""
        ...


@dataclass(frozen=True)
class Options:
    """How a target builds.

    Attributes:
        tactics: how long TensorRT searches for GPU kernels.
        tactic_sources: names of the libraries that TensorRT takes GPU kernels from; none for its own choice.
        cache: the folder of built engines and tactic timings; None for no cache.
        keeps: whether that folder outlasts the run.
        cache_limit: bytes that built engines may take there.
        builders: engines built at the same time, before they are needed; 0 to build each when it is needed.
        slow_builders: processes that build the cases that are slow to build, if ``builders`` is more than 1; None for
            as many as are of use and as the machine has room for; 0 for a thread of the target's process instead.
        sharers: processes of this run among which the machine is shared.
        elsewhere: starts this target in another process, with other options, and returns what waits until it is open;
            None where the target may start no process.
        eager: prepare to build before the first case needs it, since many cases will.
        fresh: measure every tactic again in each build, even where an earlier build of the process measured it.
        gpu: the CUDA_VISIBLE_DEVICES of the target's process; None for that of this process.
    """

    tactics: Tactics = "default"
    tactic_sources: tuple[str, ...] = ()
    cache: Path | None = None
    keeps: bool = True
    cache_limit: int = CACHE_LIMIT
    builders: int = 0
    slow_builders: int | None = None
    sharers: int = 1
    elsewhere: Callable[[Options], Callable[[], Elsewhere]] | None = None
    eager: bool = False
    fresh: bool = False
    gpu: str | None = None


def check_tactic_sources(names: tuple[str, ...]) -> None:
    """Raise ConformanceError for a name that no version of TensorRT has."""
    for name in names:
        if name not in TACTIC_SOURCES:
            known = ", ".join(TACTIC_SOURCES)
            raise ConformanceError(f"--tactic-sources: {name!r} is not a TacticSource of TensorRT ({known})")
