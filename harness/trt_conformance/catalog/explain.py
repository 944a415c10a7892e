"""Translates pydantic's validation errors into messages about a TOML file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from trt_conformance.core.stored import FILE_PATTERN, SHA256_PATTERN
from trt_conformance.core.toml import KeyPath
from trt_conformance.core.types import CLAIM_PATTERN, NAME_PATTERN
from trt_conformance.core.words import choice, counted, dotted, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Problem = tuple[KeyPath, str]
"""The place (keys within the entry) and the message."""

_KINDS = {
    "int_type": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "tuple_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
}
_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_WORD = "may have only lower-case letters, digits and underscores"
_FORMS = {
    NAME_PATTERN: f"{_WORD}, and no underscore at the beginning",
    "^[a-z]+$": "may have only lower-case letters",
    CLAIM_PATTERN: f'expected a section and a statement, like "stride_nd.h2_w2"; each {_WORD}',
    FILE_PATTERN: "expected the path of a .npy file below the case file's folder, of letters, digits and _ . - /",
    SHA256_PATTERN: "expected a SHA-256, 64 hexadecimal digits in lower case",
}
"""What is expected of a string, by its pattern; `_WORD` for any other pattern."""
_LENGTHS = {
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "too_short": ("at least", "min_length", "value"),
    "too_long": ("at most", "max_length", "value"),
}


def explain(detail: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    """Return the message for one of pydantic's errors at ``path`` of a document whose top is described by ``model``."""
    kind, value, limits = detail["type"], detail["input"], detail.get("ctx", {})
    where = f"{dotted(path)}: " if path else ""
    key = str(path[-1]) if path else ""
    if key == "[key]":  # the key itself is wrong, not its value
        where = f"a key of {dotted(path[:-2])}: "
    owner = f" in {dotted(path[:-1])}" if path[:-1] else ""
    if kind == "missing":
        return f'"{key}" is missing{owner}'
    if kind == "extra_forbidden":
        return choice(f"unknown key{owner}:" if owner else "unknown key", key, _fields(model, path[:-1]))
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", limits["expected"]) or re.findall(r"\d+", limits["expected"])
        return choice(f"{where}unknown value", value, known)
    if kind in _KINDS:
        rule = f"expected {_KINDS[kind]}"
    elif kind in _BOUNDS:
        words, limit = _BOUNDS[kind]
        rule = f"must be {words} {_number(limits[limit])}"
    elif kind in _LENGTHS:
        words, limit, unit = _LENGTHS[kind]
        return f"{where}needs {words} {counted(limits[limit], unit)}, got {len(value)}"
    elif kind == "string_pattern_mismatch":
        rule = _FORMS.get(limits["pattern"], _WORD)
    elif kind == "value_error":
        return f"{where}{limits['error']}"
    else:
        rule = detail["msg"].lower().replace("input should", "must")
    return f"{where}{rule}, got {shown(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _fields(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys of the table at ``path``, following the models named by the fields' types."""
    for part in path:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next(_models(field.annotation), model)
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
