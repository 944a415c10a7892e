"""Turns one case file into cases: its entries under the file's defaults, expanded over batch sizes and precisions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from pydantic import ValidationError

from trt_conformance.catalog.explain import Problem, explain
from trt_conformance.catalog.lint.assignments import lint_assignments
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.catalog.source import Source
from trt_conformance.core.case import Case
from trt_conformance.core.documents import is_documented
from trt_conformance.core.toml import KeyPath
from trt_conformance.core.types import QUANTIZED_PRECISIONS
from trt_conformance.core.words import choice, shown

# Set by the loader, not by a case file.
_FILLED = {"name", "file", "line", "folder", "section", "tier"}
FILE_KEYS = ["section", "source", "defaults", "case"]
ENTRY_KEYS = [key for key in Case.model_fields if key not in _FILLED]
DEFAULT_KEYS = [key for key in ENTRY_KEYS if key not in {"id", "doc", "claims"}]
CONTENTS = ("fill", "values", "stored")
"""The keys that say what is in a tensor: one of them in a case replaces another in the defaults."""
MAX_LISTED = 64
"""How many batch sizes, and how many precisions, an entry may list."""
MAX_CASES = 100_000
"""How many cases a file may expand to."""


@dataclass(frozen=True)
class Entry:
    """One ``[[case]]``: the keys it sets itself (``own``), and those merged into the file's defaults (``data``)."""

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
        """The batch sizes listed by ``batch``; ``[None]`` if the entry does not set it."""
        given = self.data.get("batch")
        return given if isinstance(given, list) else [given]

    @property
    def base_ids(self) -> list[str]:
        """The ids of the entry's cases, without their precisions."""
        return [f"{self.base_id}{_suffix(batch)}" for batch in self.batches]

    @property
    def claims(self) -> list[Any]:
        given = self.data.get("claims", [])
        return given if isinstance(given, list) else []

    def fault(self, path: KeyPath, message: str) -> None:
        """Record a fault at ``path`` of the merged entry, on the line of the case or of the defaults that set it."""
        for length in range(len(path), 0, -1):
            if _has(self.own, path[:length]):
                break
            if _has(self.defaults, path[:length]):
                name = self.base_id if "id" in self.data else f"{self.base_id}(no id)"
                self.source.fault(("defaults", *path), message, case=name)
                return
        self.source.fault(("case", self.index, *path), message)


def read_entries(source: Source) -> list[Entry]:
    """Return the entries of a case file. Mistakes outside of them become faults of the file."""
    _check_head(source)
    defaults = _defaults(source)
    given = source.document.get("case", [])
    if not isinstance(given, list) or not all(isinstance(own, dict) for own in given):
        source.fault(("case",), f"case: expected [[case]] tables, got {shown(given)}")
        return []
    if not given:
        source.fault((), "has no cases: expected at least one [[case]]")
    entries = [Entry(source, index, own, defaults) for index, own in enumerate(given)]
    expanded = sum(len(entry.batches) * len(entry.precisions) for entry in entries)
    if expanded > MAX_CASES:
        message = f"expands to {expanded} cases, but at most {MAX_CASES} are allowed in a file: split it"
        source.fault((), message)
        return []
    return entries


def _check_head(source: Source) -> None:
    document = source.document
    for key in document:
        if key not in FILE_KEYS:
            source.fault((key,), choice("unknown key", key, FILE_KEYS))
    if not re.fullmatch("[a-z0-9][a-z0-9_]*", source.stem):
        rule = "may have only lower-case letters, digits and underscores, because it is part of the case ids"
        source.fault((), f"the file's name {shown(source.stem)} {rule}")
    if "section" not in document:
        source.fault((), '"section" is missing: the section of the document that the file covers')
    for key in ("section", "source"):
        if not isinstance(document.get(key, "-"), str) or document.get(key) == "":
            source.fault((key,), f"{key}: expected a non-empty string, got {shown(document[key])}")


def _defaults(source: Source) -> dict[str, Any]:
    defaults = source.document.get("defaults", {})
    if not isinstance(defaults, dict):
        source.fault(("defaults",), f"defaults: expected a table, got {shown(defaults)}")
        return {}
    for key in defaults:
        if key not in DEFAULT_KEYS:
            own = f"{shown(key)} must be set in each case, not in [defaults]"
            message = own if key in ENTRY_KEYS else choice("unknown key in defaults:", key, DEFAULT_KEYS)
            source.fault(("defaults", key), message)
    return defaults


def expand(entry: Entry, lint: bool = True) -> Iterator[Case]:
    """Yield one case for each batch size and precision of an entry. Mistakes become faults of its file.

    ``lint`` is False if linting is known to find nothing.
    """
    for key in entry.own:
        if key not in ENTRY_KEYS:
            entry.fault((key,), choice("unknown key", key, ENTRY_KEYS))
    wrong = [*_union_problems(entry.data)]
    for path, message in wrong:
        entry.fault(path, message)
    if not _lists_are_usable(entry):
        return
    source = entry.source
    filled: dict[str, Any] = {"file": source.file, "line": entry.line, "folder": source.folder}
    filled["section"] = str(source.document.get("section"))
    documented = is_documented(tuple(claim for claim in entry.claims if isinstance(claim, str)))
    if not documented and isinstance(source.document.get("source"), str):
        filled["source"] = source.document["source"]
    for batch, precision in product(entry.batches, entry.precisions):
        try:
            case = Case.model_validate(filled | _variant(entry, batch, precision))
        except ValidationError as error:
            for path, message in _validation_problems(error):
                entry.fault(path, message)
            continue
        if wrong:
            continue
        for path, message in lint_case(case) if lint else ():
            entry.fault(path, message)
        yield case


def _lists_are_usable(entry: Entry) -> bool:
    """Record faults of the lists that an entry is expanded over. Return whether it can be expanded."""
    for key, listed in (("precision", entry.precisions), ("batch", entry.batches)):
        if len(listed) > MAX_LISTED:
            entry.fault((key,), f"{key}: has {len(listed)} values, but at most {MAX_LISTED} are allowed")
            return False
        if not listed:
            entry.fault((key,), f"{key}: expected at least one value, got []")
        if any(value in listed[:index] for index, value in enumerate(listed)):
            entry.fault((key,), f"{key}: a value is listed twice in {shown(listed)}")
    return True


def _variant(entry: Entry, batch: Any, precision: Any) -> dict[str, Any]:
    """Return the entry's data for one batch size and one precision."""
    data = entry.data | {"precision": precision, "id": f"{entry.base_id}{_suffix(batch)}-{precision}"}
    name, source = entry.data.get("id"), data.get("input")
    if name is not None:
        data["name"] = f"{name}{_suffix(batch)}" if isinstance(name, str) else name
    if "batch" in data:
        data["batch"] = batch
    if _suffix(batch) and isinstance(source, dict) and isinstance(source.get("shape"), list):
        data["input"] = source | {"shape": [batch, *source["shape"][1:]]}
    for tensor in ("kernel", "bias"):
        data[tensor] = _in_folder(data.get(tensor), str(entry.source.path.parent))
        if data[tensor] is None:
            del data[tensor]
    if precision not in QUANTIZED_PRECISIONS and (
        any(other in entry.precisions for other in QUANTIZED_PRECISIONS) or "quantize" not in entry.own
    ):
        # A file or an entry states once how to quantize, and its other precisions ignore that.
        data.pop("quantize", None)
    quantize = data.get("quantize")
    if precision in QUANTIZED_PRECISIONS and isinstance(quantize, dict) and quantize.get("dynamic_range") is None:
        data.setdefault("weights", "set_input")  # Q/DQ needs the kernel as a tensor
    return data


def _in_folder(tensor: Any, folder: str) -> Any:
    """A tensor whose file, if it is stored in one, is below the folder of its case file."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("stored"), dict):
        return tensor
    return tensor | {"stored": tensor["stored"] | {"folder": folder}}


def _suffix(batch: Any) -> str:
    return f"_n{batch}" if type(batch) is int and batch > 0 else ""


def _union_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Check keys that accept several types. Pydantic would report one problem for each type."""
    if isinstance(data.get("set"), dict):
        yield from lint_assignments(data["set"])
    for name in ("kernel", "bias"):
        tensor = data.get(name)
        if isinstance(tensor, dict) and isinstance(tensor.get("stored"), dict) and "folder" in tensor["stored"]:
            yield (name, "stored", "folder"), f'unknown key {name}.stored.folder: "file" is relative to the case file'
    bias = data.get("bias", "none")
    if bias != "none" and not isinstance(bias, dict):
        yield ("bias",), f'bias: expected "none" or a table with fill or values, got {shown(bias)}'


def _validation_problems(error: ValidationError) -> Iterator[Problem]:
    """Translate pydantic's errors, except those that `_union_problems` or the check of claims reports."""
    for detail in error.errors(include_url=False):
        path: KeyPath = detail["loc"]
        match path:
            case ("set", _, *_) | ("bias", _):
                continue
            case ("bias", "BiasSpec", *rest):
                path = ("bias", *rest)
            case ("runs_in", "RunsIn") if not isinstance(detail["input"], dict):
                continue  # it was to be a precision
            case ("runs_in", "RunsIn", *rest):
                path = ("runs_in", *rest)
            case ("runs_in", _) if isinstance(detail["input"], dict):
                continue  # it was to be a table
            case ("runs_in", _):
                path = ("runs_in",)
            case ("claims", _) if detail["type"] == "string_pattern_mismatch":
                continue
            case _ if detail["type"] == "too_short" and detail["input"]:
                continue  # only the valid elements are counted, and the invalid ones have been reported
            case ("name",):
                path = ("id",)
        yield path, explain(detail, path, Case)


def merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``defaults`` overridden by ``own``, merged table by table."""
    result = dict(defaults)
    for key, value in own.items():
        under = result.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            if key == "set":
                # Assignments are applied in order: one that the case sets again comes after the defaults.
                under = {name: earlier for name, earlier in under.items() if name not in value}
            result[key] = merged(under, value)
        else:
            result[key] = value
    given = [key for key in CONTENTS if key in own]
    for key in CONTENTS:
        if given and key not in given:
            result.pop(key, None)
    return result


def _known(table: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key in keys}


def _has(data: Any, path: KeyPath) -> bool:
    try:
        for part in path:
            data = data[part]
    except (KeyError, IndexError, TypeError):
        return False
    return True
