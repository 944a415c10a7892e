"""Values of a tensor, of which those that repeat are written once: ``[1, { times = 12, values = [65, -65] }]``.

What repeats may contain one more repetition: ``{ times = 12, values = [65, { times = 191, values = [0] }] }``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from trt_conformance.core.words import choice, counted, shown

MOST_VALUES = 2**20
"""How many values the repetitions of one tensor may expand to."""
DEPTH = 2
KEYS = ("times", "values")


def write_out(given: Any) -> Any:
    """Replace each table ``{ times = n, values = [...] }`` of a list by its values, n times over.

    A value that is not a list is returned unchanged.

    Raises:
        ValueError: a table is not of this form, or the list would have more than `MOST_VALUES` values.
    """
    return _written(given, "", DEPTH) if isinstance(given, list) else given


def _written(given: list[Any], at: str, depth: int) -> list[Any]:
    written: list[Any] = []
    for place, part in enumerate(given):
        if isinstance(part, dict):
            times, values = _repeated(f"{at}[{place}]", part, depth)
            if len(written) + times * len(values) > MOST_VALUES:
                raise ValueError(f"{at}[{place}] makes more than {counted(MOST_VALUES, 'value')}: use a fill")
            written += values * times
        else:
            written.append(part)
    return written


def _repeated(at: str, part: dict[str, Any], depth: int) -> tuple[int, list[Any]]:
    if depth == 0:
        raise ValueError(f"{at}: repetitions are at most {DEPTH} deep")
    for key in part:
        if key not in KEYS:
            raise ValueError(choice(f"{at}: unknown key", key, KEYS))
    times, values = part.get("times"), part.get("values")
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise ValueError(f"{at}.times: expected an integer of at least 1, got {shown(times)}")
    if not isinstance(values, list) or not values:
        raise ValueError(f"{at}.values: expected a list of numbers, got {shown(values)}")
    return times, _written(values, f"{at}.values", depth - 1)


def _schema(depth: int) -> dict[str, Any]:
    """The JSON Schema of a list with repetitions of at most this depth."""
    number = {"type": "number"}
    if depth == 0:
        return {"type": "array", "minItems": 1, "items": number}
    properties = {"times": {"type": "integer", "minimum": 1}, "values": _schema(depth - 1)}
    repeated = {"type": "object", "properties": properties, "required": list(KEYS), "additionalProperties": False}
    return {"type": "array", "minItems": 1, "items": {"anyOf": [number, repeated]}}


Values = Annotated[
    tuple[float, ...],
    Field(strict=False, min_length=1),
    BeforeValidator(write_out),
    WithJsonSchema(_schema(DEPTH)),
]
"""The values of a tensor, written out."""
