"""``trt-conformance cases import``: makes case files from models and lists of convolutions."""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from trt_conformance.cli.output import AsJson, print_json
from trt_conformance.core.errors import ConformanceError

if TYPE_CHECKING:
    from trt_conformance.catalog.imports.case_files import CaseFile
    from trt_conformance.core.types import Precision

NONE = "nothing was written: none of the convolutions can be a case"
NOTHING = (
    "nothing to import: expected an ONNX model (*.onnx), a JSON list (*.json), MIOpenDriver command lines, "
    "DeepBench's conv_problems.h, or descriptors of benchdnn such as mb1ic64ih56oc64oh56kh3ph1"
)
MAX_REASONS = 12
"""Reasons that are printed for a source; --json and the case file have all."""


class WeightsSource(str, Enum):
    """Where the weights of the cases come from."""

    generated = "generated"
    model = "model"


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="An ONNX model, benchdnn's shapes_* files or one descriptor, DeepBench's conv_problems.h, "
        "MIOpenDriver command lines, or a JSON list of shapes.",
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write case files into.")]
Batches = Annotated[
    list[int] | None,
    typer.Option(metavar="N", min=1, help="A batch size instead of the source's own. Repeatable."),
]
Precisions = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A precision instead of the source's own, such as fp16. Repeatable."),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="INPUT:SIZES", help="The shape of a model's dynamic input, such as x:1x3x224x224. Repeatable."
    ),
]
WeightsFrom = Annotated[
    WeightsSource, typer.Option(help="Generated weights, or the model's own, stored beside the case file.")
]
Limit = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="At most this many different convolutions of each source.")
]
Latency = Annotated[
    bool,
    typer.Option(
        "--latency/--no-latency",
        help="Whether `--latency full` measures the cases; every run checks their values.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace case files that exist.")]


def import_cases(
    source: Sources,
    output: Output = Path("imported"),
    batch: Batches = None,
    precision: Precisions = None,
    shape: Shapes = None,
    weights: WeightsFrom = WeightsSource.generated,
    limit: Limit = None,
    latency: Latency = True,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make cases from the convolutions in a model or a list.

    Equal convolutions become one case, which says how often they occur. Convolutions that a case cannot express are
    listed with the reason. Nothing is written if a source cannot be read.
    """
    from trt_conformance.catalog.imports.case_files import Choices, case_file, file_stem
    from trt_conformance.catalog.imports.folder import write_all
    from trt_conformance.catalog.imports.sources import read_source

    choices = Choices(tuple(dict.fromkeys(batch or ())), _precisions(precision or ()), limit, latency)
    shapes = dict(map(_shape, shape or ()))
    files: dict[str, CaseFile] = {}
    inputs: set[str] = set()
    for given in source:
        read = read_source(given, shapes, weights == WeightsSource.model, is_one_of_several=len(source) > 1)
        inputs |= read.inputs
        if weights == WeightsSource.model and read.batch is None:
            raise ConformanceError(f"--weights model: {given} is a list of shapes, which has no weights")
        stem = file_stem(read.name)
        if stem in files:
            raise ConformanceError(
                f"{given} and {files[stem].source.name} would both be {stem}.toml: import them into different folders"
            )
        files[stem] = case_file(read, stem, choices)
    if unknown := shapes.keys() - inputs:
        raise ConformanceError(f"--shape {min(unknown)}: no source is a model with such an input")
    contents = {name: content for made in files.values() for name, content in made.files.items()}
    if not contents:
        found = [line for made in files.values() for line in _lines(made, output)]
        raise ConformanceError("\n".join([*found, NONE if any(made.found for made in files.values()) else NOTHING]))
    write_all(output, contents, force)
    if as_json:
        print_json([_facts(made, output) for made in files.values()])
        return
    for made in files.values():
        for line in _lines(made, output):
            typer.echo(line)


def _precisions(given: list[str] | tuple[str, ...]) -> tuple[Precision, ...]:
    from trt_conformance.core.types import Precision
    from trt_conformance.core.words import choice

    for name in given:
        if name not in get_args(Precision):
            raise ConformanceError(choice("--precision: unknown precision", name, get_args(Precision)))
    return tuple(dict.fromkeys(given))  # type: ignore[arg-type]  # checked above


def _shape(given: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = given.rpartition(":")
    if not name or not re.fullmatch(r"[1-9]\d{0,9}(x[1-9]\d{0,9})*", sizes):
        raise ConformanceError(f"--shape {given}: expected an input and its sizes, such as x:1x3x224x224")
    return name, tuple(map(int, sizes.split("x")))


def _lines(made: CaseFile, output: Path) -> list[str]:
    """What became of a source, and the reasons why convolutions were left out, the most frequent first."""
    from trt_conformance.core.words import counted

    convolutions = counted(made.found, "convolution")
    written = f", as {counted(made.cases, 'case')} in {output / made.stem}.toml" if made.cases else ""
    lines = [f"{made.source.name}: {made.imported} of {convolutions}{written}"]
    reasons: Counter[str] = Counter()
    places: dict[str, list[str]] = {}
    for each in made.left_out:
        reasons[each.reason] += each.occurrences
        places.setdefault(each.reason, []).append(each.where)
    for reason, count in reasons.most_common(MAX_REASONS):
        named = ", ".join(places[reason][:3]) + (", …" if len(places[reason]) > 3 else "")
        lines.append(f"  left out: {count} ({named}): {reason}")
    if len(reasons) > MAX_REASONS:
        lines.append(f"  and for {counted(len(reasons) - MAX_REASONS, 'more reason')}: see the case file")
    return lines


def _facts(made: CaseFile, output: Path) -> dict[str, Any]:
    return {
        "source": made.source.name,
        "kind": made.source.kind,
        "file": f"{output / made.stem}.toml" if made.cases else None,
        "convolutions": made.found,
        "imported": made.imported,
        "cases": made.cases,
        "left_out": [vars(each) for each in made.left_out],
    }
