"""Writes a find as a case file of about ten lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trt_conformance.core.case import Case
from trt_conformance.core.files import replacing
from trt_conformance.core.words import one_line

MAX_DOC = 160
NAME = "smallest"
_KEYS = ("precision", "input", "kernel", "bias", "quantize", "set", "weights", "bias_by_set_input")
_LAST = ("prologue", "epilogue", "addend", "special_values", "dynamic", "formats", "typing", "exact", "rounding")


def case_text(case: Case, fields: Mapping[str, Any], doc: str, source: str) -> str:
    """The text of a file with one case.

    Args:
        case: the case, which says whether it is exact, and whether its errors are judged together.
        fields: the fields of the case that are not the defaults.
        doc: what fails, in a line.
        source: where the case is from.
    """
    given = {**fields, "exact": case.exact or None, "rounding": case.rounding or None}
    lines = [
        'section = "found by search"',
        f"source = {_value(source)}",
        "",
        "[[case]]",
        f'id = "{NAME}"',
        f"doc = {_value(one_line(doc, MAX_DOC))}",
    ]
    lines += [f"{key} = {_value(given[key])}" for key in (*_KEYS, *_LAST) if given.get(key) is not None]
    return "\n".join(lines) + "\n"


def write_case_file(path: Path, text: str) -> None:
    """Write a case file, completely or not at all. Raises WriteError."""
    with replacing(path, parents=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _value(value: Any) -> str:
    """A value as inline TOML."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
