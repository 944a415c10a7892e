"""Reads DeepBench's ``conv_problems.h``: one ``std::make_tuple(w, h, c, n, k, s, r, …)`` for each convolution."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trt_conformance.catalog.imports.layer import ImportedLayer

KIND = "DeepBench list"
FIELDS = ("w", "h", "c", "n", "k", "filter_w", "filter_h", "pad_w", "pad_h", "stride_w", "stride_h")

_TUPLE = re.compile(r"make_tuple\s*\(([^()]*)\)")


def read_lines(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, ImportedLayer | str]]:
    """Yield the layer of each ``make_tuple``, or what is wrong with it. Comments and other lines yield nothing."""
    for number, line in lines:
        code = line.split("//")[0]
        found = [*_TUPLE.finditer(code)]
        if not found and "make_tuple" in code:
            yield number, "expected a make_tuple(…) closed on the same line"
        for each in found:
            values = [part.strip() for part in each[1].split(",")]
            if len(values) != len(FIELDS) or not all(re.fullmatch(r"\d{1,9}", value) for value in values):
                yield number, f"make_tuple({each[1]}): expected {len(FIELDS)} integers: {', '.join(FIELDS)}"
            else:
                yield number, _layer(dict(zip(FIELDS, map(int, values), strict=True)), f"line {number}", each[0])


def _layer(given: dict[str, int], where: str, text: str) -> ImportedLayer:
    padding = (given["pad_h"], given["pad_w"])
    return ImportedLayer(
        name="",
        where=where,
        text=text,
        input=(given["n"], given["c"], given["h"], given["w"]),
        kernel=(given["k"], given["c"], given["filter_h"], given["filter_w"]),
        stride=(given["stride_h"], given["stride_w"]),
        pre=padding,
        post=padding,
        dilation=(1, 1),
    )
