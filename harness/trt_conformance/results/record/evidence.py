"""The evidence of a failure, as a record's lines hold it."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from trt_conformance.results.record.line import Fraction, Integer, Line, Number, Size

MAX_CELLS = 4096
"""Elements and terms in the evidence of a failure; checks write far fewer."""
Dimensions = Annotated[list[Size], Field(min_length=3, max_length=8)]


class Term(Line):
    """One product of the sum for an output element. Where ``x_at`` is outside the input, ``x`` is padding."""

    x_at: Annotated[list[Integer], Field(min_length=1, max_length=8)]
    w_at: Annotated[list[Size], Field(min_length=2, max_length=8)]
    x: Number
    w: Number
    product: Number


class Evidence(Line):
    """The output around the worst element of a failure, flat in C order, and the terms of that element.

    ``offset`` is where the crop begins in the output. ``terms`` are the largest of ``terms_total``.
    """

    input_shape: Dimensions
    output_shape: Dimensions
    worst: Dimensions
    offset: Dimensions
    shape: Annotated[list[Annotated[int, Field(ge=1, lt=2**63)]], Field(min_length=3, max_length=8)]
    actual: Annotated[list[Number], Field(max_length=MAX_CELLS)]
    expected: Annotated[list[Number], Field(max_length=MAX_CELLS)]
    fraction: Annotated[list[Fraction], Field(max_length=MAX_CELLS)]
    terms: Annotated[list[Term], Field(max_length=MAX_CELLS)]
    terms_total: Size
    bias: Number

    @model_validator(mode="after")
    def _fit(self) -> Evidence:
        elements = math.prod(self.shape)
        if not len(self.actual) == len(self.expected) == len(self.fraction) == elements:
            raise ValueError(f"actual, expected and fraction need {elements} values each, as shape has elements")
        if not len(self.worst) == len(self.offset) == len(self.shape) == len(self.output_shape):
            raise ValueError("worst, offset, shape and output_shape differ in length")
        if len({(len(term.x_at), len(term.w_at)) for term in self.terms}) > 1:
            raise ValueError("the indices of the terms differ in length")
        if any(len(term.x_at) > len(self.input_shape) for term in self.terms):
            raise ValueError("x_at is longer than input_shape")
        return self
