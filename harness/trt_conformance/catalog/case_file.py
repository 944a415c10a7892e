"""Reads one case file: its text, its entries under their defaults, and the cases they expand to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from pydantic import ValidationError

from trt_conformance.catalog.explain import Problem, explain
from trt_conformance.catalog.lint.case import lint_assignments, lint_case
from trt_conformance.catalog.source import Source
from trt_conformance.core.case import Case
from trt_conformance.core.toml import KeyPath
from trt_conformance.core.types import QUANTIZED_PRECISIONS
from trt_conformance.core.words import choice, shown

# The loader fills these; a case file may not.
_FILLED = {"name", "file", "line", "section", "tier"}
FILE_KEYS = ["section", "source", "defaults", "case"]
ENTRY_KEYS = [key for key in Case.model_fields if key not in _FILLED]
DEFAULT_KEYS = [key for key in ENTRY_KEYS if key not in {"id", "doc", "claims"}]


@dataclass(frozen=True)
class Entry:
    """One ``[[case]]``: what it writes itself (``own``), and the same under its file's defaults (``data``)."""

    source: Source
    index: int
    own: dict[str, Any]
    defaults: dict[str, Any]

    @cached_property
    def data(self) -> dict[str, Any]:
        return merged(_known(self.defaults, DEFAULT_KEYS), _known(self.own, ENTRY_KEYS))

    @property
    def base_id(self) -> str:
        return f"{self.source.stem}/{self.data.get('id', '')}"

    @property
    def line(self) -> int:
        return self.source.line(("case", self.index))

    @property
    def location(self) -> str:
        return f"{self.source.file}:{self.line}"

    @property
    def precisions(self) -> list[Any]:
        given = self.data.get("precision", Case.model_fields["precision"].default)
        return given if isinstance(given, list) else [given]

    @property
    def batches(self) -> list[Any]:
        """What ``batch`` lists; None where the case is not expanded over it."""
        given = self.data.get("batch")
        return given if isinstance(given, list) else [given]

    @property
    def base_ids(self) -> list[str]:
        """The ids of its cases without their precisions."""
        return [f"{self.base_id}{_suffix(batch)}" for batch in self.batches]

    @property
    def claims(self) -> list[Any]:
        given = self.data.get("claims", [])
        return given if isinstance(given, list) else []

    def fault(self, path: KeyPath, message: str) -> None:
        """A fault at ``path`` of the merged entry: on the line of the case or of the defaults, whichever wrote it."""
        for length in range(len(path), 0, -1):
            if _holds(self.own, path[:length]):
                break
            if _holds(self.defaults, path[:length]):
                self.source.fault(("defaults", *path), message)
                return
        self.source.fault(("case", self.index, *path), message)


def entries(source: Source) -> list[Entry]:
    """The entries of a case file; what is wrong around them goes to the file's faults."""
    document = source.document
    for key in document:
        if key not in FILE_KEYS:
            source.fault((key,), choice("unknown key", key, FILE_KEYS))
    if not re.fullmatch("[a-z0-9][a-z0-9_]*", source.stem):
        source.fault((), f"the file's name {shown(source.stem)} must be lower-case letters, digits and underscores")
    if "section" not in document:
        source.fault((), '"section" is missing: the section of the document that the file covers')
    for key in ("section", "source"):
        if not isinstance(document.get(key, "-"), str) or document.get(key) == "":
            source.fault((key,), f"{key}: expected a string, got {shown(document[key])}")

    defaults = document.get("defaults", {})
    if not isinstance(defaults, dict):
        source.fault(("defaults",), f"defaults: expected a table, got {shown(defaults)}")
        defaults = {}
    for key in defaults:
        if key not in DEFAULT_KEYS:
            own = f"{shown(key)} belongs to each case, not to defaults"
            message = own if key in ENTRY_KEYS else choice("unknown key in defaults:", key, DEFAULT_KEYS)
            source.fault(("defaults", key), message)

    given = document.get("case", [])
    if not isinstance(given, list) or not all(isinstance(own, dict) for own in given):
        source.fault(("case",), f"case: expected [[case]] tables, got {shown(given)}")
        return []
    if not given:
        source.fault((), "no cases: expected at least one [[case]]")
    return [Entry(source, index, own, defaults) for index, own in enumerate(given)]


def expand(entry: Entry, lint: bool = True) -> Iterator[Case]:
    """One case for each batch size and precision of an entry; what is wrong with them goes to the file's faults.

    ``lint`` is False where linting is known to find nothing.
    """
    for key in entry.own:
        if key not in ENTRY_KEYS:
            entry.fault((key,), choice("unknown key", key, ENTRY_KEYS))
    wrong = [*_unions(entry.data)]
    for path, message in wrong:
        entry.fault(path, message)

    for key, listed in (("precision", entry.precisions), ("batch", entry.batches)):
        if not listed:
            entry.fault((key,), f"{key}: expected at least one")
        if any(value in listed[:index] for index, value in enumerate(listed)):
            entry.fault((key,), f"{key}: one is listed twice in {shown(listed)}")
    source = entry.source
    filled = {"file": source.file, "line": entry.line, "section": str(source.document.get("section"))}
    if not entry.claims and isinstance(source.document.get("source"), str):
        filled["source"] = source.document["source"]
    for batch, precision in product(entry.batches, entry.precisions):
        try:
            case = Case.model_validate(filled | _variant(entry, batch, precision))
        except ValidationError as error:
            for path, message in _findings(error):
                entry.fault(path, message)
            continue
        if wrong:
            continue
        for path, message in lint_case(case) if lint else ():
            entry.fault(path, message)
        yield case


def _variant(entry: Entry, batch: Any, precision: Any) -> dict[str, Any]:
    """The entry's data in one batch size and one precision."""
    data = entry.data | {"precision": precision, "id": f"{entry.base_id}{_suffix(batch)}-{precision}"}
    name, source = entry.data.get("id"), data.get("input")
    if name is not None:
        data["name"] = f"{name}{_suffix(batch)}" if isinstance(name, str) else name
    if "batch" in data:
        data["batch"] = batch
    if _suffix(batch) and isinstance(source, dict) and isinstance(source.get("shape"), list):
        data["input"] = source | {"shape": [batch, *source["shape"][1:]]}
    if precision not in QUANTIZED_PRECISIONS and (
        any(other in entry.precisions for other in QUANTIZED_PRECISIONS) or "quantize" not in entry.own
    ):
        # How to quantize is said once, for an entry or a file, whatever else it runs in.
        data.pop("quantize", None)
    if precision in QUANTIZED_PRECISIONS and data.get("quantize") is not None:
        data.setdefault("weights", "set_input")  # a kernel that passes through Q/DQ is a tensor
    return data


def _suffix(batch: Any) -> str:
    return f"_n{batch}" if type(batch) is int and batch > 0 else ""


def _unions(data: Mapping[str, Any]) -> Iterator[Problem]:
    """What may be of several types: checked here, because pydantic reports each type that it is not."""
    if isinstance(data.get("set"), dict):
        yield from lint_assignments(data["set"])
    bias = data.get("bias", "none")
    if bias != "none" and not isinstance(bias, dict):
        yield ("bias",), f'bias: expected "none" or a table with fill or values, got {shown(bias)}'


def _findings(error: ValidationError) -> Iterator[Problem]:
    """Pydantic's findings in terms of the file, without those that `_unions` or the claims' check report."""
    for detail in error.errors(include_url=False):
        path: KeyPath = detail["loc"]
        match path:
            case ("set", _, *_) | ("bias", _):
                continue
            case ("bias", "BiasSpec", *rest):
                path = ("bias", *rest)
            case ("claims", _) if detail["type"] == "string_pattern_mismatch":
                continue
            case _ if detail["type"] == "too_short" and detail["input"]:
                continue  # it counts only the elements that are right, and has said what is wrong with the others
            case ("name",):
                path = ("id",)
        yield path, explain(detail, path, Case)


def merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``own`` over ``defaults``, table by table."""
    result = dict(defaults)
    for key, value in own.items():
        under = result.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            if key == "set":
                # Assignments are applied in order: one written again moves behind the defaults.
                under = {name: kept for name, kept in under.items() if name not in value}
            result[key] = merged(under, value)
        else:
            result[key] = value
    for given, dropped in (("values", "fill"), ("fill", "values")):
        if given in own and dropped not in own:
            result.pop(dropped, None)
    return result


def _known(table: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key in keys}


def _holds(data: Any, path: KeyPath) -> bool:
    try:
        for part in path:
            data = data[part]
    except (KeyError, IndexError, TypeError):
        return False
    return True
