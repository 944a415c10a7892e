"""Stores the outputs of a target, for comparison with later versions. An observed golden is never an expected value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.paths import relative
from trt_conformance.golden import manifest
from trt_conformance.golden.content import Content, GoldenError, Node, describe, join, split
from trt_conformance.golden.files import kind_of, read_listed_file
from trt_conformance.golden.lock import Notify, ignore, locked, writing
from trt_conformance.golden.plan import file_of, name_of, provenance, tensor_node
from trt_conformance.golden.store import GoldenFile, encode_golden_file, file_hash, write_golden_file

_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def observed_file(target: str, case: Case) -> str:
    """The file of a target's outputs of a case: ``observed/tensorrt-8.6.1-sm90/convolution/stride_nd.h5``."""
    return f"observed/{target}/{file_of(case)}"


def observed_group(case: Case) -> str:
    """The case's group in that file: ``h2_w2/tf32``. Precisions are separate: fp32 and tf32 give different bits."""
    return f"{name_of(case)}/{case.precision}"


def write_observed(
    target: str,
    case: Case,
    run_index: int,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    *,
    environment: Mapping[str, str],
    root: Path | None = None,
    notify: Notify = ignore,
) -> bool:
    """Store a target's outputs for one run of a case, and list them in the manifest.

    Other goldens of the file stay. Other runs of the same case stay too, unless the case's data changed.
    ``root`` is the store; by default that of the case's folder. ``notify`` is called with a message if another
    process is writing the store.

    Returns:
        Whether anything changed; the same content writes nothing.

    Raises:
        GoldenError: the target's name is not a valid folder name, or the file or manifest there cannot be read or
            is not the one listed.
        ConformanceError: the store cannot be written.
    """
    if not _TARGET.fullmatch(target):
        raise GoldenError(
            f"{target!r} is not a valid folder name: a target's name consists of letters, digits and . _ + - "
            "and begins with a letter or digit"
        )
    root = root or case.folder.golden
    with locked(root, notify):
        return _store(target, case, f"run{run_index}", inputs, outputs, environment, root)


def _store(
    target: str,
    case: Case,
    run: str,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    environment: Mapping[str, str],
    root: Path,
) -> bool:
    name, group = observed_file(target, case), observed_group(case)
    goldens, lines = _present(root, name)
    root_node = Node(provenance(case, "trt-conformance golden observe") | {"case": case.id, "target": target})
    old = goldens.get(group, {})
    same = old.get("", Node()).attributes.get("case_hash") == case.data_hash()
    others = {path: node for path, node in old.items() if same and path.split("/")[0] != run}
    new = {
        f"{run}/environment": Node(dict(environment)),
        f"{run}/inputs": tensor_node(dict(inputs)),
        f"{run}/outputs": Node(datasets=dict(outputs)),
    }
    if same and _equal({path: node for path, node in old.items() if path.split("/")[0] == run}, new):
        return False
    goldens[group] = others | {"": root_node} | new
    content = join(goldens)
    data = encode_golden_file(kind_of(name), content)
    listed = manifest.entries(name, GoldenFile(content, file_hash(data)))
    with writing(root / name):
        write_golden_file(root / name, data)
    with writing(root / manifest.NAME):
        unrelated = {key: line for key, line in lines.items() if manifest.file_of(key) != name}
        manifest.write_manifest(root, unrelated | listed)
    return True


def _present(root: Path, name: str) -> tuple[dict[str, Content], manifest.Entries]:
    """The goldens of a file and the manifest's lines, empty if there are none yet."""
    goldens: dict[str, Content] = {}
    lines: manifest.Entries = {}
    path, listing = root / name, root / manifest.NAME
    try:
        if listing.exists():
            lines = manifest.read_manifest(root)
    except GoldenError as fault:
        advice = "restore it, or rebuild it with `trt-conformance golden update`"
        raise GoldenError(f"{relative(listing)} {fault}; {advice}", fault.kind) from None
    try:
        if path.exists():
            goldens = split(read_listed_file(root, name, lines).content)
    except GoldenError as fault:
        raise GoldenError(
            f"{relative(path)} {fault}; restore it, or delete it and observe its cases again", fault.kind
        ) from None
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
