"""Reads a JSON list of convolutions: objects with n, c, size, k, window, and what differs from the defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trt_conformance.catalog.imports.layer import ImportedLayer, LeftOut
from trt_conformance.catalog.imports.miopen import PRECISIONS
from trt_conformance.core.words import choice, shown

KIND = "JSON list"

_SIZES = ("n", "c", "k")
_AXES = {"stride": 1, "pre": 0, "post": 0, "dilation": 1}
_TEXTS = ("name", "from", "type", "mode")
_KEYS = (*_SIZES, "size", "window", *_AXES, "groups", "count", "out", "strided", "bias", *_TEXTS)


def read_objects(document: Any) -> Iterator[tuple[int, ImportedLayer | LeftOut | str]]:
    """Yield each object's number, from 1, and its layer, the reason why no case can state it, or what is wrong."""
    if not isinstance(document, list):
        yield 1, f"expected a list of convolutions, got {shown(document)}"
        return
    for number, given in enumerate(document, start=1):
        try:
            yield number, _read(given, f"element {number}")
        except ValueError as fault:
            yield number, str(fault)


def _read(given: Any, where: str) -> ImportedLayer | LeftOut:
    if not isinstance(given, dict):
        raise ValueError(f"expected an object, got {shown(given)}")
    for key in given:
        if key not in _KEYS:
            raise ValueError(choice("unknown key", key, _KEYS))
    rank = len(_integers(given, "size"))
    axes = {key: _integers(given, key, rank, [default] * rank) for key, default in _AXES.items()}
    c, groups = _integer(given, "c"), _integer(given, "groups", 1)
    kind = given.get("type", "conv")
    for key in _TEXTS:
        if not isinstance(given.get(key, ""), str):
            raise ValueError(f"{key}: expected a string, got {shown(given[key])}")
    if kind not in PRECISIONS:
        raise ValueError(choice("type:", kind, PRECISIONS))
    text = " ".join(f"{key}={shown(value)}" for key, value in given.items())
    if given.get("strided", False) is not False:
        return LeftOut(where, text, "its tensors have custom memory strides")
    if (mode := given.get("mode", "conv")) != "conv":
        return LeftOut(where, text, f"mode {mode}: only forward convolutions (conv) can be cases")
    if groups < 1 or c % groups:
        raise ValueError(f"groups: {groups} does not divide c, {c}")
    return ImportedLayer(
        name=given.get("name", ""),
        where=f"{where} (from {given['from']})" if given.get("from") else where,
        text=text,
        input=(_integer(given, "n"), c, *_integers(given, "size")),
        kernel=(_integer(given, "k"), c // groups, *_integers(given, "window", rank)),
        stride=axes["stride"],
        pre=axes["pre"],
        post=axes["post"],
        dilation=axes["dilation"],
        groups=groups,
        has_bias=given.get("bias", False) is True,
        precision=PRECISIONS[kind],
        output=_integers(given, "out", rank) if "out" in given else None,
        occurrences=max(1, _integer(given, "count", 1)),
    )


def _integer(given: dict[str, Any], key: str, default: int | None = None) -> int:
    value = given.get(key, default)
    if value is None:
        raise ValueError(f'"{key}" is missing')
    if type(value) is not int or not 0 <= value < 10**18:
        raise ValueError(f"{key}: expected an integer of at least 0, of at most 18 digits, got {shown(value)}")
    return value


def _integers(
    given: dict[str, Any], key: str, rank: int | None = None, default: list[int] | None = None
) -> tuple[int, ...]:
    values = given.get(key, default)
    if values is None:
        raise ValueError(f'"{key}" is missing')
    if not isinstance(values, list) or not 1 <= len(values) <= 3 or (rank is not None and len(values) != rank):
        raise ValueError(f"{key}: expected {rank or '1 to 3'} integers, one per axis, got {shown(values)}")
    return tuple(_integer({key: value}, key) for value in values)
