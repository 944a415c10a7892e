"""What a target gave, kept to compare later versions with; never what anything should give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.paths import GOLDEN, relative
from trt_conformance.golden import manifest
from trt_conformance.golden.plan import file_of, name_of, provenance, tensor_node
from trt_conformance.golden.store import Content, GoldenError, Node, describe, join, load, save, split

_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def observed_file(target: str, case: Case) -> str:
    """Where a target's outputs of a case lie: ``observed/tensorrt-8.6.1-sm90/convolution/stride_nd.h5``."""
    return f"observed/{target}/{file_of(case)}"


def observed_group(case: Case) -> str:
    """Its group there: ``h2_w2/tf32``. Here the precision counts, not the type: fp32 and tf32 give different bits."""
    return f"{name_of(case)}/{case.precision}"


def write_observed(
    target: str,
    case: Case,
    run_index: int,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    *,
    environment: Mapping[str, str],
    root: Path = GOLDEN,
) -> bool:
    """Store what a target gave for one run of a case, and list it in the manifest.

    Other goldens of the file stay. Runs of the same case stay too, unless its data changed since.

    Returns:
        Whether anything changed; the same content writes nothing.

    Raises:
        GoldenError: the target's name cannot be a directory's, or the file or manifest there cannot be read.
    """
    if not _TARGET.fullmatch(target):
        raise GoldenError(f"{target!r} names no directory: a target's name has letters, digits and . _ + - only")
    name, group, run = observed_file(target, case), observed_group(case), f"run{run_index}"
    goldens, lines = _present(root, name)
    root_node = Node(provenance(case, "trt-conformance golden observe") | {"case": case.id, "target": target})
    old = goldens.get(group, {})
    same = old.get("", Node()).attributes.get("case_hash") == case.data_hash()
    kept = {path: node for path, node in old.items() if same and path.split("/")[0] != run}
    new = {
        f"{run}/environment": Node(dict(environment)),
        f"{run}/inputs": tensor_node(dict(inputs)),
        f"{run}/outputs": Node(datasets=dict(outputs)),
    }
    changed = not same or not _equal({path: node for path, node in old.items() if path.split("/")[0] == run}, new)
    if changed:
        goldens[group] = kept | {"": root_node} | new
        save(root / name, f"observed/{target}", join(goldens))
    others = {key: line for key, line in lines.items() if manifest.file_of(key) != name}
    manifest.write(root, others | manifest.entries(name, join(goldens)))
    return changed


def _present(root: Path, name: str) -> tuple[dict[str, Content], manifest.Entries]:
    """The goldens of a file and the manifest's lines, empty where there is none yet."""
    goldens: dict[str, Content] = {}
    lines: manifest.Entries = {}
    path, listing = root / name, root / manifest.NAME
    try:
        if path.exists():
            goldens = split(load(path, "/".join(name.split("/")[:2])))
    except GoldenError as fault:
        raise GoldenError(f"{relative(path)} {fault}; delete it to observe anew", fault.kind) from None
    try:
        if listing.exists():
            lines = manifest.read(root)
    except GoldenError as fault:
        advice = "make it anew with `trt-conformance golden update`"
        raise GoldenError(f"{relative(listing)} {fault}; {advice}", fault.kind) from None
    return goldens, lines


def _equal(old: Content, new: Content) -> bool:
    return old.keys() == new.keys() and all(
        old[path].attributes == new[path].attributes
        and old[path].datasets.keys() == new[path].datasets.keys()
        and all(
            describe(old[path].datasets[name]) == describe(array)
            and old[path].datasets[name].tobytes() == array.tobytes()
            for name, array in new[path].datasets.items()
        )
        for path in new
    )
