"""The fields of a case about what a loaded engine reports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trt_conformance.core.types import Format, Ints, Model, _Int


class TensorReport(Model):
    """What an engine reports about one of its tensors, under TensorRT's names; -1 in ``shape`` where it is dynamic."""

    format: Format | None = None
    dtype: Literal["FLOAT", "HALF", "BF16", "INT8", "FP8"] | None = None
    shape: Ints | None = None
    vectorized_dim: _Int | None = None
    components_per_element: _Int | None = None


class EngineReport(Model):
    """What an engine reports about itself.

    ``sparse_eligible``: the builder counts the layer among those eligible for sparse math. ``inspector``: its
    parameters of the layer are those that the network defines. ``constraints_obeyed``: false if the builder warns
    that no kernel obeys the precision of a layer.
    """

    input: TensorReport = TensorReport()
    output: TensorReport = TensorReport()
    num_optimization_profiles: Annotated[int, Field(strict=True, ge=1)] | None = None
    refittable: bool | None = None
    sparse_eligible: bool | None = None
    constraints_obeyed: bool | None = None
    inspector: Literal["as defined"] | None = None
