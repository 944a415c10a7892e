"""Builds cases for tests."""

from __future__ import annotations

from typing import Any

from harness.model import Case


def make_case(**fields: Any) -> Case:
    """A case with the document's first example for whatever is not given.

    Example: ``make_case(set={"stride_nd": [2, 2]}, precision="fp16")``. An ``id`` without a precision gets it.
    """
    precision = fields.get("precision", "fp32")
    base_id = fields.pop("id", "example/values").removesuffix(f"-{precision}")
    given: dict[str, Any] = {
        "id": f"{base_id}-{precision}",
        "name": base_id.rpartition("/")[2],
        "file": "cases/convolution/example.toml",
        "line": 1,
        "section": "example",
        "doc": "the first example of the document",
        "input": {"shape": [1, 1, 6, 9], "fill": "tiled_1_to_9"},
        "kernel": {"shape": [1, 1, 3, 3], "fill": "powers_of_ten"},
    }
    if precision == "int8":
        given["quantize"] = {"input": 1.0, "kernel": [1.0]}
    return Case.model_validate(given | fields)
