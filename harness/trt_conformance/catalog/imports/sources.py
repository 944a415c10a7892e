"""Reads a source of convolutions, whatever its kind: a list in a file, or one descriptor as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trt_conformance.catalog.imports import benchdnn, deepbench, miopen, onnx_file, onnx_layers, shape_table
from trt_conformance.catalog.imports.case_files import file_stem
from trt_conformance.catalog.imports.layer import ImportedLayer, LeftOut, Listing, NotExpressible
from trt_conformance.catalog.source import CaseFileError, Fault, name_of, read_text
from trt_conformance.core.errors import ConformanceError, JsonError
from trt_conformance.core.json import parse_strict
from trt_conformance.core.words import one_line

MAX_FAULTS = 50
"""After so many malformed lines a list is not read further."""
MAX_SHOWN = 200


def read_source(
    given: str,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    with_weights: bool = False,
    is_one_of_several: bool = False,
) -> Listing:
    """Read a file, or one descriptor of benchdnn that is given as text.

    Args:
        given: the path, or the descriptor.
        shapes: those of a model's dynamic inputs.
        with_weights: whether to read a model's weights; a list has none.
        is_one_of_several: whether a shape may be that of another source's input.

    Raises:
        CaseFileError: with every malformed line of the file, or the reason why it cannot be read.
        ConformanceError: the text is a malformed descriptor, or a model cannot be used.
    """
    path = Path(given)
    if path.suffix.lower() == ".onnx":
        return onnx_layers.read_layers(onnx_file.read_model(path, shapes or {}, is_one_of_several), with_weights)
    if benchdnn.is_descriptor(given) and not path.exists():
        return _one_descriptor(given)
    text = read_text(path)
    if path.suffix.lower() == ".json":
        return _listing(path, shape_table.KIND, shape_table.read_objects(_json(path, text)))
    lines = enumerate(text.splitlines(), start=1)
    if "MIOpenDriver" in text:
        return _listing(path, miopen.KIND, miopen.read_lines(lines))
    if "make_tuple" in text:
        return _listing(path, deepbench.KIND, deepbench.read_lines(lines))
    return _listing(path, benchdnn.KIND, benchdnn.read_lines(lines, path.name.removeprefix("shapes_"), path.parent))


def _one_descriptor(text: str) -> Listing:
    try:
        layer = benchdnn.read_descriptor(text, "descriptor")
    except (ValueError, NotExpressible) as fault:
        raise ConformanceError(one_line(f"{text[:MAX_SHOWN]}: {fault}")) from None
    return Listing("benchdnn descriptor", file_stem(layer.name) if layer.name else "descriptor", [layer])


def _json(path: Path, text: str) -> Any:
    try:
        return parse_strict(text)
    except JsonError as fault:
        raise CaseFileError([Fault(name_of(path), 1, one_line(str(fault)))]) from None


def _listing(path: Path, kind: str, found: Iterable[tuple[int, ImportedLayer | LeftOut | str]]) -> Listing:
    """Sort what was found in a file into layers, convolutions that no case can state, and faults.

    Raises:
        CaseFileError: with the faults.
    """
    layers: list[ImportedLayer] = []
    left_out: list[LeftOut] = []
    faults: list[Fault] = []
    unit = "element" if kind == shape_table.KIND else "line"
    for number, each in found:
        if isinstance(each, ImportedLayer):
            layers.append(each)
        elif isinstance(each, LeftOut):
            left_out.append(each)
        else:
            place = f"element {number}: " if unit == "element" else ""
            line = 1 if unit == "element" else number
            faults.append(Fault(name_of(path), line, one_line(f"{place}{each}", MAX_SHOWN)))
            if len(faults) == MAX_FAULTS:
                break
    if faults:
        raise CaseFileError(faults)
    return Listing(kind, one_line(path.name), layers, left_out)
