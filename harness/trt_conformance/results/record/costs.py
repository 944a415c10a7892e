"""The schema of what an engine and its quick latency cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trt_conformance.results.record.line import LONGEST, Finite, Line, Size


class EngineCost(Line):
    """What an engine costs, as far as the target reports it. `core.engine_cost` says what each figure is.

    Of an engine from a cache, these are the figures of the build that filled the cache. Older records have only
    ``build_s``, and only of engines that were built in the run.
    """

    plan_bytes: Size | None = None
    weights_bytes: Size | None = None
    stored_weights_bytes: Size | None = None
    device_memory_bytes: Size | None = None
    workspace_bytes: Size | None = None
    build_s: Finite | None = None


class QuickCost(Line):
    """What quick latencies cost: how many were taken and not taken, the seconds of both, and those of the run."""

    taken: Size
    not_taken: Size = 0
    seconds: Annotated[float, Field(ge=0, le=LONGEST)]
    run_s: Annotated[float, Field(ge=0, le=LONGEST)]
