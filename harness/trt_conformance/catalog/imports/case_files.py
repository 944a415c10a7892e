"""Writes imported convolutions as case files, and checks each with the linter first."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trt_conformance.catalog.case_file import MAX_CASES, expand, read_entries
from trt_conformance.catalog.imports.layer import (
    ImportedLayer,
    LeftOut,
    Listing,
    case_name,
    fitting_scales,
    generated_scales,
    in_two_dimensions,
    merged,
    shape_name,
    times,
    unrepresentable,
)
from trt_conformance.catalog.source import CaseFileError, Source
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.errors import ConformanceError, InvalidConvolution
from trt_conformance.core.stored import npy_bytes
from trt_conformance.core.types import DATA_TYPE, QUANTIZED_PRECISIONS, Precision
from trt_conformance.core.words import counted, one_line
from trt_conformance.numerics.reference.shape import output_shape

MAX_NAME = 56
"""Characters of a case's name, so that a number and a batch size fit after it."""
MAX_DOC = 160
MAX_COMMENT = 300
MAX_PLACES = 8
"""Places that a comment names of those that have something in common."""

_FILLS = {name: {"fill": "uniform", "seed": seed} for seed, name in enumerate(("input", "kernel", "bias"), start=1)}


@dataclass(frozen=True)
class Choices:
    """What the user chose: batch sizes and precisions instead of the source's own, how many layers, and timed ones."""

    batches: tuple[int, ...] = ()
    precisions: tuple[Precision, ...] = ()
    limit: int | None = None
    latency: bool = True


@dataclass(frozen=True)
class CaseFile:
    """A case file to be written: its name without ``.toml``, its text, and what became of the source's convolutions.

    ``found`` counts the source's convolutions, ``imported`` those that became cases, ``cases`` the different ones.
    ``data`` are the files of weights beside it.
    """

    stem: str
    text: str
    source: Listing
    found: int
    imported: int
    cases: int
    left_out: list[LeftOut] = field(default_factory=list)
    data: dict[str, bytes] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, bytes]:
        """Everything to write, the case file last, which names the others; nothing if there is no case."""
        return {**self.data, f"{self.stem}.toml": self.text.encode()} if self.cases else {}


def case_file(source: Listing, stem: str, choices: Choices) -> CaseFile:
    """Make a case file of a source. Convolutions that the linter refuses are left out, with its reason.

    Raises:
        ConformanceError: there would be too many cases for a file.
    """
    left_out = [*source.left_out]
    usable = []
    for layer in merged(map(in_two_dimensions, source.layers)):
        if reason := _differs(layer) or _keeps_batch(layer, source, choices):
            left_out.append(LeftOut(layer.where, layer.text, reason, layer.occurrences))
        else:
            usable.append(layer)
    head: dict[str, Any] = {"section": f"import: {source.name}", "source": f"{source.kind} {source.name}"}
    defaults: dict[str, Any] = {name: dict(fill) for name, fill in _FILLS.items()}
    defaults |= {"latency": True} if choices.latency else {"golden": "computed"}
    if choices.batches:
        defaults["batch"] = list(choices.batches)
    entries: list[tuple[ImportedLayer, dict[str, Any]]] = []
    data: dict[str, bytes] = {}
    names = _Names(choices.batches)
    imported = 0
    with TemporaryDirectory() as scratch:
        for layer in usable:
            entry, files = _entry(layer, names, choices, stem)
            _write(Path(scratch), files)
            given = Source(
                "imported.toml", stem, "", head | {"defaults": defaults, "case": [entry]}, Path(scratch, stem)
            )
            if reason := f"--limit {choices.limit}" if choices.limit == len(entries) else _refused(given):
                left_out.append(LeftOut(layer.where, layer.text, reason, layer.occurrences))
            else:
                entries.append((layer, entry))
                data |= files
                imported += layer.occurrences
    expanded = len(entries) * max(1, len(choices.batches)) * max(1, len(choices.precisions))
    if expanded > MAX_CASES:
        raise ConformanceError(
            f"{source.name}: makes {expanded} cases, more than the {MAX_CASES} of a file: use --limit"
        )
    found = imported + sum(each.occurrences for each in left_out)
    comments = _comments(source, stem, found, imported, len(entries), left_out, has_weights=bool(data))
    text = _rendered(comments, head, defaults, entries)
    return CaseFile(stem, text, source, found, imported, len(entries), left_out, data)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def file_stem(name: str) -> str:
    """The name of the case file for a source: ``ch_pp_ocrv4_det_infer`` for ``ch_PP-OCRv4_det_infer.onnx``."""
    return case_name(re.sub(r"\.(onnx|json|txt|sh|h|hpp)$", "", name, flags=re.IGNORECASE), MAX_NAME) or "imported"


class _Names:
    """Gives each layer a unique name and doc."""

    def __init__(self, batches: Sequence[int]) -> None:
        self._suffixes = ("", *(f"_n{batch}" for batch in batches))
        self._taken: set[str] = set()
        self._docs: set[str] = set()

    def of(self, layer: ImportedLayer) -> str:
        wanted = case_name(layer.name, MAX_NAME) or case_name(shape_name(layer), MAX_NAME)
        name, number = wanted, 1
        while any(f"{name}{suffix}" in self._taken for suffix in self._suffixes):
            number += 1
            name = f"{wanted}_{number}"
        self._taken |= {f"{name}{suffix}" for suffix in self._suffixes}
        return name

    def doc(self, layer: ImportedLayer) -> str:
        wanted = one_line(f"{layer.where}: {layer.text}")
        doc, number = wanted[:MAX_DOC], 1
        while (key := " ".join(doc.lower().split())) in self._docs:
            number += 1
            doc = f"{number}. {wanted}"[:MAX_DOC]
        self._docs.add(key)
        return doc


def _entry(layer: ImportedLayer, names: _Names, choices: Choices, stem: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The keys of a ``[[case]]``, and the files of its weights."""
    precisions = choices.precisions or (layer.precision,)
    layer = _with_representable(layer, precisions)
    entry: dict[str, Any] = {
        "id": names.of(layer),
        "doc": names.doc(layer),
        "precision": list(precisions),
    }
    entry["occurrences"] = layer.occurrences
    entry |= {"input": {"shape": list(layer.input)}, "kernel": {"shape": list(layer.kernel)}}
    if not layer.has_bias:
        entry["bias"] = "none"
    if assigned := _assignments(layer):
        entry["set"] = assigned
    if any(precision in QUANTIZED_PRECISIONS for precision in precisions):
        generated = generated_scales(layer.kernel) if layer.weights is None else fitting_scales(layer.weights)
        quantize = layer.quantize or generated
        entry["quantize"] = quantize.model_dump(exclude_defaults=True) | {"kernel": list(quantize.kernel)}
    if layer.formats != ("LINEAR", "LINEAR"):
        entry["formats"] = dict(zip(("input", "output"), layer.formats, strict=True))
    if layer.epilogue:
        entry["epilogue"] = [step.model_dump(exclude_defaults=True) for step in layer.epilogue]
    if any(step.of == "addend" for step in layer.epilogue):
        entry["addend"] = {"shape": [*_output_shape(layer)], "fill": "uniform", "seed": 4}
    files: dict[str, bytes] = {}
    if layer.weights is not None:
        for tensor, values, shape in (
            ("kernel", layer.weights.kernel, layer.kernel),
            ("bias", layer.weights.bias, layer.kernel[:1]),
        ):
            if values is not None:
                path = f"{stem}.weights/{entry['id']}.{tensor}.npy"
                files[path] = npy_bytes(values.reshape(shape))
                stored = {"file": path, "sha256": hashlib.sha256(files[path]).hexdigest()}
                entry[tensor] = entry.get(tensor, {}) | {"stored": stored}
    return entry, files


def _with_representable(layer: ImportedLayer, precisions: Sequence[Precision]) -> ImportedLayer:
    """The layer with the epilogue up to the first constant that a precision does not have; its text says so."""
    for precision in precisions:
        if (step := unrepresentable(layer.epilogue, precision)) is not None:
            text = f"{layer.text} (ends before {step.op}: {DATA_TYPE[precision]} cannot represent its constants)"
            layer = replace(layer, epilogue=layer.epilogue[: layer.epilogue.index(step)], text=text)
    return layer


def _assignments(layer: ImportedLayer) -> dict[str, Any]:
    """The layer's attributes that differ from their defaults, by their setters."""
    rank = layer.rank
    found: dict[str, Any] = {}
    if layer.stride != (1,) * rank:
        found["stride_nd"] = list(layer.stride)
    if layer.padding_mode != "EXPLICIT_ROUND_DOWN":
        found["padding_mode"] = layer.padding_mode
    if layer.pre == layer.post:
        if any(layer.pre):
            found["padding_nd"] = list(layer.pre)
    else:
        found |= {name: list(p) for name, p in (("pre_padding", layer.pre), ("post_padding", layer.post)) if any(p)}
    if layer.dilation != (1,) * rank:
        found["dilation_nd"] = list(layer.dilation)
    if layer.groups != 1:
        found["num_groups"] = layer.groups
    return found


def _output_shape(layer: ImportedLayer) -> tuple[int, ...]:
    """The shape of the layer's output. Raises InvalidConvolution as `resolve` does."""
    attributes = Attributes(
        stride=layer.stride,
        pre=layer.pre,
        post=layer.post,
        dilation=layer.dilation,
        groups=layer.groups,
        mode=layer.padding_mode,
    )
    return output_shape(layer.input, layer.kernel, attributes)


def _differs(layer: ImportedLayer) -> str | None:
    """How the layer would differ from what the source states; None if it is the same convolution."""
    try:
        found = _output_shape(layer)[2:]
    except InvalidConvolution as fault:
        return str(fault)
    if layer.output is not None and found != layer.output:
        return f"its output is {times(layer.output)}, but that of TensorRT's layer is {times(found)}"
    return None


def _keeps_batch(layer: ImportedLayer, source: Listing, choices: Choices) -> str | None:
    """Why another batch size would not be that of the layer; None if it can be changed."""
    if not choices.batches or source.batch in (None, layer.input[0]):
        return None
    return f"its first dimension is {layer.input[0]}, not the model's batch of {source.batch}: --batch cannot change it"


def _refused(source: Source) -> str | None:
    """What the linter says against the cases of a file; None if it accepts them."""
    try:
        for each in read_entries(source):
            for _ in expand(each):
                pass
    except CaseFileError as fault:
        return fault.faults[0].message
    return source.faults[0].message if source.faults else None


def _comments(
    source: Listing,
    stem: str,
    found: int,
    imported: int,
    cases: int,
    left_out: Sequence[LeftOut],
    has_weights: bool,
) -> list[str]:
    """What a reader should know first: the source, what became of its convolutions, and what was left out and why."""
    weights = f"the source's own, in {stem}.weights/" if has_weights else "generated"
    lines = [
        "Made by `trt-conformance cases import`.",
        f"{source.kind} {source.name}{':' * bool(source.about)}",
        *(f"  {line}" for line in source.about),
        f"{imported} of {counted(found, 'convolution')} imported, as {counted(cases, 'case')}. Weights: {weights}.",
        "The doc of a case says where it is from; occurrences counts it and equal ones.",
    ]
    by_reason: dict[str, list[LeftOut]] = {}
    for each in left_out:
        by_reason.setdefault(each.reason, []).append(each)
    lines += ["Left out:"] if by_reason else []
    for reason, those in by_reason.items():
        number = sum(each.occurrences for each in those)
        lines.append(f"  {number}: {reason}: {_places([f'{each.where} ({each.text})' for each in those])}")
    return [one_line(f"# {line}", MAX_COMMENT) for line in lines]


def _places(places: Sequence[str]) -> str:
    """The first places of several, and the number of the others."""
    rest = f" and {len(places) - MAX_PLACES} more" if len(places) > MAX_PLACES else ""
    return ", ".join(places[:MAX_PLACES]) + rest


def _rendered(
    comments: Sequence[str],
    head: dict[str, Any],
    defaults: dict[str, Any],
    entries: Sequence[tuple[ImportedLayer, dict[str, Any]]],
) -> str:
    """The text of a case file."""
    lines = [*comments, *(f"{key} = {_value(value)}" for key, value in head.items())]
    lines += ["", "[defaults]", *_assigned(defaults)]
    for layer, entry in entries:
        equal = [one_line(f"# equal: {_places(layer.also)}", MAX_COMMENT)] if layer.also else []
        lines += ["", *equal, "[[case]]", *_assigned(entry)]
    return "\n".join([*lines, ""])


def _assigned(table: dict[str, Any]) -> Iterable[str]:
    for key, value in table.items():
        if isinstance(value, dict) and key in ("set", "input", "kernel", "bias") and "fill" not in value:
            yield from (f"{key}.{name} = {_value(part)}" for name, part in value.items())
        else:
            yield f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(part)}' for key, part in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value)
    # A JSON string of printable characters is a basic string of TOML.
    return json.dumps(value, ensure_ascii=False)
