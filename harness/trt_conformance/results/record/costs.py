"""The schema of what an engine costs."""

from __future__ import annotations

from trt_conformance.results.record.line import Finite, Line, Size


class EngineCost(Line):
    """What an engine costs, as far as the target tells. `core.engine_cost` says what each figure is.

    Of an engine from a cache, these are the figures of the build that filled the cache. Older records have only
    ``build_s``, and only of engines that were built in the run.
    """

    plan_bytes: Size | None = None
    weights_bytes: Size | None = None
    stored_weights_bytes: Size | None = None
    device_memory_bytes: Size | None = None
    workspace_bytes: Size | None = None
    build_s: Finite | None = None
