"""Reads lists of convolutions in the syntax of oneDNN's benchdnn: ``mb1ic64ih56oc64oh56kh3ph1n"conv1"``.

The rules are those of ``str2desc`` in oneDNN's ``tests/benchdnn/conv/conv_aux.cpp``. mb is 2 by default, and dilations
count from 0. If only h is given, the image is a square; if only d is given, it is a cube. A missing padding is half of
what the output needs, rounded down, or 0 if there is no output size. The post-padding equals the pre-padding if that
gives the stated output; otherwise it is whatever the output needs.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trt_conformance.catalog.imports.benchdnn_options import IGNORED, changed
from trt_conformance.catalog.imports.layer import ImportedLayer, LeftOut, NotExpressible
from trt_conformance.catalog.source import CaseFileError, read_text

KIND = "benchdnn list"
MAX_DIGITS = 18
MAX_COMBINATIONS = 1000
"""Of the values of options, for one descriptor."""
MAX_DEPTH = 4
"""Of lists that ``--batch`` names."""

_FIELD = re.compile(r"(mb|g|[io]c|[iokspd][dhw])(\d+)_*")
_COUNT = re.compile(r"\*([1-9]\d{0,5})$")
_QUOTES = "\"'"

Found = tuple[int, ImportedLayer | LeftOut | str]
"""A line's number, and its layer, the reason why no case can state it, or what is wrong with it."""


def is_descriptor(text: str) -> bool:
    """Whether a text looks like a descriptor rather than like the name of a file."""
    return re.match(r"_*(?:(?:mb|g|[io]c|[iokspd][dhw])\d+_*){4,}(?:n|$)", text) is not None


def read_lines(lines: Iterator[tuple[int, str]], prefix: str = "", folder: Path | None = None) -> Iterator[Found]:
    """Yield for each line its layers, the reason why no case can state it, or what is wrong with it.

    Comments and empty lines yield nothing.

    An option such as ``--dt=f16`` applies to all descriptors after it, until ``--reset``. Of several values, such as
    ``--dt=f32,f16``, each gives a layer. ``--batch`` reads another list with the options before it.

    Args:
        lines: numbers and texts.
        prefix: removed from the names: ``resnet_50`` from ``resnet_50:conv1``.
        folder: where the lists are that ``--batch`` names; None if that is not known.
    """
    return _Reader(folder).read(lines, prefix)


class _Reader:
    """Reads a list and those that it names; ``options`` are those in force, each with all of its values."""

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._options = folder, dict[str, list[str]]()

    def read(self, lines: Iterator[tuple[int, str]], prefix: str, within: str = "", depth: int = 0) -> Iterator[Found]:
        """As `read_lines`; ``within`` says where the list is named, and ``depth`` how many lists lead to it."""
        for number, line in _joined(lines):
            where = f"{within}line {number}"
            text = line.strip()
            while text.startswith("--"):
                given, _, text = text.partition(" ")
                text = text.strip()
                name, _, value = given.partition("=")
                if name == "--reset":
                    self._options.clear()
                elif name == "--batch":
                    found = self._batch(value.strip(_QUOTES), where, depth)
                    yield from ((number, each) for _, each in found)
                elif name not in IGNORED:
                    self._options[name] = [each.strip(_QUOTES) for each in value.strip(_QUOTES).split(",")]
            if text:
                yield from ((number, each) for each in self._layers(text, where, prefix))

    def _batch(self, name: str, where: str, depth: int) -> Iterator[Found]:
        """The layers of the list with this name, or what is wrong with it."""
        path = None if self._folder is None else self._folder / name
        if path is None or Path(name).name != name:
            yield 0, f"--batch={name}: expected the name of a list in the same folder"
            return
        if depth == MAX_DEPTH:
            yield 0, f"--batch={name}: lists name each other more than {MAX_DEPTH} deep"
            return
        try:
            lines = read_text(path).splitlines()
        except CaseFileError as fault:
            yield 0, f"--batch={name}: {fault.faults[0].message}"
            return
        prefix = name.removeprefix("shapes_")
        for _, each in self.read(enumerate(lines, start=1), prefix, f"{where}, {name} ", depth + 1):
            yield 0, f"{name}: {each}" if isinstance(each, str) else each

    def _layers(self, text: str, where: str, prefix: str) -> Iterator[ImportedLayer | LeftOut | str]:
        """The layers of a descriptor, one for each combination of the options' values."""
        try:
            layer = read_descriptor(text, where, prefix)
        except NotExpressible as reason:
            yield LeftOut(where, text, str(reason), _occurrences(text))
            return
        except ValueError as fault:
            yield str(fault)
            return
        if (many := math.prod(map(len, self._options.values()))) > MAX_COMBINATIONS:
            yield f"its options have {many} combinations of values, more than {MAX_COMBINATIONS}"
            return
        for values in itertools.product(*self._options.values()):
            options = dict(zip(self._options, values, strict=True))
            said = " ".join(f"{name}={value}" for name, value in options.items() if value)
            with_options = replace(layer, text=f"{text} {said}".strip())
            try:
                yield changed(with_options, options)
            except NotExpressible as reason:
                yield LeftOut(where, with_options.text, str(reason), layer.occurrences)
            except ValueError as fault:
                yield str(fault)


def _joined(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines without comments; one that ends with a backslash goes on in the next, under its own number."""
    start, whole = 0, ""
    for number, line in lines:
        text = _without_comment(line).strip()
        start = number if not whole else start
        if text.endswith("\\"):
            whole += text[:-1].rstrip()
            continue
        yield start, whole + text
        whole = ""
    if whole:
        yield start, whole


def read_descriptor(text: str, where: str, prefix: str = "") -> ImportedLayer:
    """The layer of one descriptor.

    Raises:
        ValueError: with what is wrong with the descriptor.
        NotExpressible: it is valid, but a case cannot express it.
    """
    fields, name = _split(text)
    axes = _axes(fields)
    n, c, k, groups = fields.get("mb", 2), fields.get("ic", 0), fields.get("oc", 0), fields.get("g", 1)
    for what, value in (("ic", c), ("oc", k), ("g", groups)):
        if value < 1:
            raise ValueError(f"{what} is missing or 0")
    if c % groups or k % groups:
        raise ValueError(f"g{groups} must divide ic{c} and oc{k}")
    name = _COUNT.sub("", name.partition("&")[0])
    name = name.removeprefix(f"{prefix}:") if prefix else name
    return ImportedLayer(
        name=name,
        where=where,
        text=text,
        input=(n, c, *(axis["i"] for axis in axes)),
        kernel=(k, c // groups, *(axis["k"] for axis in axes)),
        stride=tuple(axis["s"] for axis in axes),
        pre=tuple(axis["p"] for axis in axes),
        post=tuple(_far_padding(axis) for axis in axes),
        dilation=tuple(axis["d"] + 1 for axis in axes),
        groups=groups,
        has_bias=True,  # benchdnn's default direction is FWD_B, with a bias
        output=tuple(axis["o"] for axis in axes),
        occurrences=_occurrences(text),
    )


def _occurrences(text: str) -> int:
    """How often the layer occurs: four times with the name ``conv1*4``, seven with ``one*4&other*3``."""
    _, name = _split(text)
    counts = [_COUNT.search(each) for each in name.split("&")]
    return sum(int(count[1]) if count else 1 for count in counts)


def _without_comment(line: str) -> str:
    """The line up to a ``#`` outside of the name, which is in quotes."""
    return re.match(r'(?:[^"#]|"[^"]*"?)*', line)[0]  # type: ignore[index]  # it matches any text


def _split(text: str) -> tuple[dict[str, int], str]:
    fields: dict[str, int] = {}
    at = len(text) - len(text.lstrip("_"))
    while at < len(text) and text[at] != "n":
        found = _FIELD.match(text, at)
        if found is None:
            raise ValueError(f"expected a field such as mb1 or kh3 at {text[at : at + 12]!r}")
        name, value = found[1], found[2]
        if len(value) > MAX_DIGITS:
            raise ValueError(f"{name}{value[:MAX_DIGITS]}…: a number has at most {MAX_DIGITS} digits")
        if name in fields:
            raise ValueError(f"{name} is given twice")
        fields[name] = int(value)
        at = found.end()
    return fields, text[at + 1 :].strip().strip('"')


def _axes(fields: dict[str, int]) -> list[dict[str, int]]:
    """The spatial axes: for each the input, output and window size, stride, padding and dilation."""
    given = {axis: {p: fields[p + axis] for p in "iokspd" if p + axis in fields} for axis in "dhw"}
    for axis in "dhw":
        values = given[axis]
        # As benchdnn decides whether an axis was given: strides of 1 and paddings of 0 do not count.
        unset = not any(values.get(p) for p in "ikod") and values.get("s", 1) == 1 and values.get("p", 0) < 1
        given[axis] = {} if unset else _completed(values, axis)
    d, h, w = (given[axis] for axis in "dhw")
    if d and bool(h) != bool(w):
        raise ValueError("with d, give both h and w, or neither")
    if d:
        return [d, h, w] if h else [d, d, d]
    if h:
        return [h, w or h]
    if w:
        return [w]
    raise ValueError("it has no spatial sizes")


def _completed(values: dict[str, int], axis: str) -> dict[str, int]:
    i, k = values.get("i", 0), values.get("k", 0)
    for name, value in (("i", i), ("k", k)):
        if value < 1:
            raise ValueError(f"{name}{axis} is missing or 0")
    found = {"s": 1, "d": 0} | values
    if found["s"] < 1:
        raise ValueError(f"s{axis} must be at least 1")
    span = (k - 1) * (found["d"] + 1) + 1
    if not found.get("o"):
        found.setdefault("p", 0)
        found["o"] = (i - span + 2 * found["p"]) // found["s"] + 1
        if found["o"] < 1:
            raise ValueError(f"the window spans {span} elements along {axis}, more than the padded input")
    elif "p" not in found:
        found["p"] = int(((found["o"] - 1) * found["s"] - i + span) / 2)  # rounded toward 0, as C does
    if found["p"] < 0:
        raise NotExpressible(f"o{axis}{found['o']} leaves out the first elements along {axis}: a negative padding")
    return found


def _far_padding(axis: dict[str, int]) -> int:
    span = (axis["k"] - 1) * (axis["d"] + 1) + 1
    if (axis["i"] - span + 2 * axis["p"]) // axis["s"] + 1 == axis["o"]:
        return axis["p"]
    return max(0, (axis["o"] - 1) * axis["s"] - axis["i"] + span - axis["p"])
