"""Reads lists of convolutions in the syntax of oneDNN's benchdnn: ``mb1ic64ih56oc64oh56kh3ph1n"conv1"``.

The rules are those of ``str2desc`` in oneDNN's ``tests/benchdnn/conv/conv_aux.cpp``: mb is 2 by default, and dilations
count from 0; h alone is a square and d alone a cube; a missing padding is half of what the output needs, rounded down,
and 0 without an output size. The far side has the same padding if that gives the stated output, and else what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trt_conformance.catalog.imports.layer import ImportedLayer, LeftOut, NotExpressible

KIND = "benchdnn list"
MAX_DIGITS = 18

_FIELD = re.compile(r"(mb|g|[io]c|[iokspd][dhw])(\d+)_*")
_COUNT = re.compile(r"\*([1-9]\d{0,5})$")


def is_descriptor(text: str) -> bool:
    """Whether a text looks like a descriptor rather than like the name of a file."""
    return re.match(r"_*(?:(?:mb|g|[io]c|[iokspd][dhw])\d+_*){4,}(?:n|$)", text) is not None


def read_lines(
    lines: Iterator[tuple[int, str]], prefix: str = ""
) -> Iterator[tuple[int, ImportedLayer | LeftOut | str]]:
    """Yield each line's layer, why it can be none, or what is wrong with it. Comments and empty lines yield nothing.

    An option such as ``--strides=…`` applies to all descriptors after it, until ``--reset``, so these are left out.

    Args:
        lines: numbers and texts.
        prefix: removed from the names: ``resnet_50`` from ``resnet_50:conv1``.
    """
    option = ""
    for number, line in lines:
        text = _without_comment(line).strip()
        while text.startswith("--"):
            first, _, text = text.partition(" ")
            option = "" if first == "--reset" else first.partition("=")[0]
            text = text.strip()
        if not text:
            continue
        try:
            layer = read_descriptor(text, f"line {number}", prefix)
            if option:
                raise NotExpressible(f"it has benchdnn's option {option}, which a case cannot express")
            yield number, layer
        except NotExpressible as reason:
            yield number, LeftOut(f"line {number}", text, str(reason))
        except ValueError as fault:
            yield number, str(fault)


def read_descriptor(text: str, where: str, prefix: str = "") -> ImportedLayer:
    """The layer of one descriptor.

    Raises:
        ValueError: with what is wrong with the descriptor.
        NotExpressible: it is valid, but no case can state it.
    """
    fields, name = _split(text)
    axes = _axes(fields)
    n, c, k, groups = fields.get("mb", 2), fields.get("ic", 0), fields.get("oc", 0), fields.get("g", 1)
    for what, value in (("ic", c), ("oc", k), ("g", groups)):
        if value < 1:
            raise ValueError(f"{what} is missing or 0")
    if c % groups or k % groups:
        raise ValueError(f"g{groups} must divide ic{c} and oc{k}")
    count = _COUNT.search(name)
    name = name[: count.start()] if count else name
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
        occurrences=int(count[1]) if count else 1,
    )


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
