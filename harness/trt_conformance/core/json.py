"""JSON as this project reads and writes it: strict when read, and without non-finite numbers when written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from trt_conformance.core.errors import JsonError

MAX_DEPTH = 64
"""Levels of arrays and objects that `parse_strict` accepts; records and manifests have fewer than ten."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def parse_strict(text: str | bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Parse a JSON document from a source that is not trusted.

    Args:
        text: the document; bytes are decoded as UTF-8.
        max_depth: the number of nested arrays and objects that is accepted.

    Raises:
        JsonError: the document is not UTF-8 or not valid JSON, is nested too deeply, repeats a key in an object, or
            contains NaN, Infinity or a number outside the range of float64.
    """
    try:
        document = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError as fault:
        raise JsonError(f"not valid UTF-8: {fault}") from None
    _check_depth(document, max_depth)
    try:
        return json.loads(
            document,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as fault:
        raise JsonError(f"not valid JSON: {fault}") from None


def finite(value: Any) -> Any:
    """The value with every non-finite float, at any depth, as the text ``nan``, ``inf`` or ``-inf``; tuples as lists.

    `float` reads these texts back.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return value


def _check_depth(document: str, most: int) -> None:
    if document.count("[") + document.count("{") <= most:
        return
    depth = 0
    for token in _TOKEN.finditer(document):
        if token[0] in "[{":
            depth += 1
            if depth > most:
                line = document.count("\n", 0, token.start()) + 1
                raise JsonError(f"line {line}: nested more than {most} levels deep")
        elif token[0] in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise JsonError(f"the key {json.dumps(repeated)} appears twice in one object")
    return found


def _refuse_constant(name: str) -> Any:
    raise JsonError(f"{name} is not valid JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonError(f"{text[:40]} is outside the range of float64")
    return value


def _integer(text: str) -> int:
    if len(text) > 400:
        raise JsonError(f"the integer {text[:20]}... has {len(text)} digits")
    return int(text)
