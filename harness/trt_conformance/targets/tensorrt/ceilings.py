"""What the GPU can do at most, measured in the same run: the two lines of a roofline."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.types import Precision

CHANNELS, SIDE = 4096, 64


def large_product(precision: Precision) -> Case:
    """A 1x1 convolution that is a product of two 4096 x 4096 matrices, dense random data in both.

    Its rate is a ceiling for convolutions: the multiply-adds are the same, with nothing else to do.
    """
    fields: dict[str, object] = {
        "id": f"ceiling/product-{precision}",
        "name": "product",
        "file": __name__,
        "line": 1,
        "section": "latency",
        "doc": "a large matrix product measures the rate of multiply-adds",
        "input": {"shape": (1, CHANNELS, SIDE, SIDE), "fill": "uniform", "seed": 1},
        "kernel": {"shape": (CHANNELS, CHANNELS, 1, 1), "fill": "uniform", "seed": 2},
        "precision": precision,
    }
    if precision == "int8":
        fields |= {"weights": "set_input", "quantize": {"input": 2.0**-7, "kernel": (2.0**-7,), "output": 2.0**-2}}
    return Case.model_validate(fields)


PRODUCT_FLOP = 2 * CHANNELS * CHANNELS * SIDE * SIDE
