"""Which goldens the cases need, where each is stored, and what it contains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import h5py
import numpy as np

from trt_conformance import __version__
from trt_conformance.catalog.golden_kind import golden_kind
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import BiasSpec, Case, TensorSpec
from trt_conformance.core.documents import COOKBOOK, document_of
from trt_conformance.core.tensors import case_data
from trt_conformance.core.types import QUANTIZED_PRECISIONS
from trt_conformance.golden.content import Attribute, Content, GoldenError, Node, fingerprint
from trt_conformance.golden.store import SCHEMA_VERSION
from trt_conformance.numerics.printed import parse
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import layer_output

Source = Literal["documented", "reference"]

INLINE = 2**16
"""Elements of input, kernel and bias together up to which a run stores them; above, it stores their fingerprints."""


def file_of(case: Case) -> str:
    """The golden file of a case within its kind: ``convolution/stride_nd.h5``."""
    return PurePosixPath(case.file_in_folder).with_suffix(".h5").as_posix()


def group_of(case: Case) -> str:
    """The group that cases of the same content share: ``h2_w2/float32`` for fp32 and tf32."""
    return f"{name_of(case)}/{case.precision if case.precision in QUANTIZED_PRECISIONS else case.data_type}"


def name_of(case: Case) -> str:
    """The case's name within its file, without its precision."""
    return case.base_id.rpartition("/")[2]


@dataclass(frozen=True)
class Golden:
    """What one group of a golden file should hold, for the cases that share it."""

    source: Source
    cases: tuple[Case, ...]

    @property
    def case(self) -> Case:
        return self.cases[0]

    @property
    def file(self) -> str:
        return f"{self.source}/{file_of(self.case)}"

    @property
    def group(self) -> str:
        return group_of(self.case)

    def content(self) -> Content:
        """The golden, computed again: a node ``""`` with its provenance, and one for each run of a reference."""
        return _documented(self.cases) if self.source == "documented" else _reference(self.cases)


def plan(cases: Iterable[Case]) -> dict[str, dict[str, Golden]]:
    """The goldens that cases need, by file (``reference/convolution/stride_nd.h5``) and group.

    Raises:
        GoldenError: two cases would share a golden but differ in what it holds.
    """
    sharing: dict[tuple[str, str], list[Case]] = {}
    sources: dict[tuple[str, str], Source] = {}
    for case in cases:
        for source in sources_of(case):
            key = (f"{source}/{file_of(case)}", group_of(case))
            sources[key] = source
            sharing.setdefault(key, []).append(case)
    files: dict[str, dict[str, Golden]] = {}
    for (file, group), shared in sorted(sharing.items()):
        _check_equal(shared, sources[file, group])
        files.setdefault(file, {})[group] = Golden(sources[file, group], tuple(shared))
    return files


def sources_of(case: Case) -> tuple[Source, ...]:
    """The goldens that a case has in golden files: a reference if it is stored as tensors, and printed values."""
    kind = golden_kind(case)
    if kind is None or case.tier is not None:
        return ()
    printed = case.expect.printed is not None or case.expect.ideal is not None
    documented: tuple[Source, ...] = ("documented",) if printed else ()
    return (*documented, "reference") if kind == "tensors" else documented


def provenance(case: Case, generator: str) -> dict[str, Attribute]:
    """What every golden states about its origin."""
    return {
        "schema_version": SCHEMA_VERSION,
        "case": case.base_id,
        "case_hash": case.data_hash(),
        "generator": f"{generator} {__version__}",
        "numpy": np.__version__,
        "h5py": h5py.__version__,
    }


def tensor_node(tensors: dict[str, Array], limit: int = INLINE) -> Node:
    """The tensors as datasets, or where they are larger than ``limit`` together, their fingerprints as attributes."""
    if sum(tensor.size for tensor in tensors.values()) <= limit:
        return Node(datasets=dict(tensors))
    return Node(attributes={f"{name}_sha256": fingerprint(tensor) for name, tensor in tensors.items()})


def _check_equal(cases: list[Case], source: Source) -> None:
    first = cases[0]
    for case in cases[1:]:
        same = case.data_hash() == first.data_hash()
        if source == "documented":
            same = same and (case.expect.printed, case.expect.ideal) == (first.expect.printed, first.expect.ideal)
        if not same:
            raise GoldenError(
                f"{first.id} ({first.location}) and {case.id} ({case.location}) would share the {source} golden "
                f"{group_of(case)}, but their data differ: give them different names",
                "differs",
            )


def _origin(cases: tuple[Case, ...]) -> str:
    """The cookbook's claims with their section, and other sources, of all cases that share a golden.

    Without either, it is their other claims.
    """
    claims = list(dict.fromkeys(claim for case in cases for claim in case.claims))
    documented = [claim for claim in claims if document_of(claim) == COOKBOOK]
    stated = [f"{cases[0].section}: {', '.join(documented)}"] if documented else []
    return "; ".join([*stated, *dict.fromkeys(case.source for case in cases if case.source)]) or ", ".join(claims)


def _documented(cases: tuple[Case, ...]) -> Content:
    case = cases[0]
    node = Node(provenance(case, "harness.printed") | {"source": _origin(cases)})
    if case.expect.ideal is not None:
        node.attributes["ideal"] = case.expect.ideal.strip()
    if case.expect.printed is not None:
        shape = case.expect.shape or layer_output(case, case.run_shapes[0])
        try:
            printed = parse(case.expect.printed, shape)
        except ValueError as fault:
            raise GoldenError(f"{case.id} ({case.location}): expect.printed: {fault}") from None
        node.attributes["printed"] = case.expect.printed.strip()
        node.datasets.update(values=printed.values, tolerance=printed.tolerance, digits=printed.digits)
    return {"": node}


def _reference(cases: tuple[Case, ...]) -> Content:
    case = cases[0]
    root = Node(provenance(case, "harness.reference") | {"source": _origin(cases)})
    content = {"": root}
    for index, shape in enumerate(case.run_shapes):
        result, data = reference(case, shape), case_data(case, shape)
        root.attributes["terms"] = result.terms
        tensors = {"input": data.input, "kernel": data.kernel}
        if data.bias is not None:
            tensors["bias"] = data.bias
        node = tensor_node(tensors)
        if not node.datasets:
            node.attributes.update(_fills(case, tensors))
        node.datasets.update(output=result.output, magnitude=result.magnitude)
        if case.quantize is not None and case.quantize.output is not None:
            node.datasets["real"] = result.real
        if result.slack.any():
            node.datasets["slack"] = result.slack
        content[f"run{index}"] = node
    return content


def _fills(case: Case, tensors: dict[str, Array]) -> Iterator[tuple[str, Attribute]]:
    """How each tensor is made again."""
    specs: dict[str, TensorSpec | BiasSpec | str] = {"input": case.input, "kernel": case.kernel, "bias": case.bias}
    for name, tensor in tensors.items():
        if name == "input" and case.prologue:
            continue  # the layer's input is not the content that the case states
        spec = specs[name]
        if not isinstance(spec, str):
            yield f"{name}_fill", spec.fill or ("values" if spec.stored is None else "stored")
            yield f"{name}_seed", spec.seed
            yield f"{name}_shape", tensor.shape
