"""The types and shapes that a case's golden may have, known without computing or reading anything."""

from __future__ import annotations

from collections.abc import Iterator

from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.golden.content import type_and_shape
from trt_conformance.golden.plan import Source
from trt_conformance.numerics.reference.shape import layer_output


def golden_layout(case: Case, source: Source) -> dict[str, str]:
    """Type and shape of every dataset that a case's golden may have, by path: ``run0/output``, ``float64[1,1,4,7]``."""
    return dict(_documented(case) if source == "documented" else _reference(case))


def _documented(case: Case) -> Iterator[tuple[str, str]]:
    shape = case.expect.shape or layer_output(case, case.run_shapes[0])
    for name, dtype in {"values": "float64", "tolerance": "float64", "digits": "int64"}.items():
        yield name, type_and_shape(dtype, shape)


def _reference(case: Case) -> Iterator[tuple[str, str]]:
    given = NUMPY_TYPE[case.data_type].name
    for index, shape in enumerate(case.run_shapes):
        output = layer_output(case, shape)
        yield f"run{index}/input", type_and_shape(given, case.layer_shape(shape))
        yield f"run{index}/kernel", type_and_shape(given, case.kernel.shape)
        yield f"run{index}/bias", type_and_shape(given, case.kernel.shape[:1])
        for name in ("output", "real", "magnitude", "slack"):
            yield f"run{index}/{name}", type_and_shape("float64", output)
