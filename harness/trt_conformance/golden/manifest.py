"""The manifest: one line for each group and dataset of the store, so that a change of goldens can be reviewed.

It lists logical content, type, shape and the elements' bytes, since the bytes of an HDF5 file also
depend on the HDF5 library that wrote it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from trt_conformance.core.files import replacing
from trt_conformance.golden.store import SCHEMA_VERSION, Content, GoldenError, fingerprint

NAME = "MANIFEST.json"

Entries = dict[str, str]
"""Fingerprints by ``reference/convolution/stride_nd.h5:h2_w2/float32/run0/output``."""


def entries(file: str, content: Content) -> Entries:
    """The lines of one file, ``file`` relative to the store's root with forward slashes."""
    found: Entries = {}
    for path, node in content.items():
        if node.attributes:
            text = json.dumps(node.attributes, sort_keys=True)
            digest = f"attributes {hashlib.sha256(text.encode()).hexdigest()}"
            case_hash = node.attributes.get("case_hash")
            found[f"{file}:{path}"] = digest if case_hash is None else f"case {case_hash} {digest}"
        for name, array in node.datasets.items():
            found[f"{file}:{path}/{name}"] = fingerprint(array)
    return found


def file_of(key: str) -> str:
    """The file that a line is about."""
    return key.partition(":")[0]


def golden_of(key: str) -> str:
    """The golden within its file that a line is about: ``h2_w2/float32``."""
    return "/".join(key.partition(":")[2].split("/")[:2])


def read(root: Path) -> Entries:
    """The manifest of the store at ``root``.

    Raises:
        GoldenError: there is none, or none that can be read; naming it is left to the caller.
    """
    path = root / NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version, lines = document["schema_version"], document["entries"]
        well_formed = isinstance(lines, dict) and all(isinstance(value, str) for value in lines.values())
    except FileNotFoundError:
        raise GoldenError("does not exist", "manifest") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise GoldenError(f"cannot be read ({fault})", "manifest") from fault
    if version != SCHEMA_VERSION or not well_formed:
        raise GoldenError(f"is no manifest of schema version {SCHEMA_VERSION}", "manifest")
    return dict(lines)


def write(root: Path, lines: Mapping[str, str]) -> None:
    """Replace the manifest whole; an equal one stays as it is."""
    document = {"schema_version": SCHEMA_VERSION, "entries": dict(sorted(lines.items()))}
    data = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
    path = root / NAME
    if path.is_file() and path.read_bytes() == data:
        return
    root.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
