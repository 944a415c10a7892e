"""The manifest: the list of everything in the store, in a text file so that a change of goldens can be reviewed.

It has a line for each golden file, with the SHA-256 of its bytes, and below it a line for each group and dataset, with
type, shape and the hash of the elements. The first decides whether a file is read at all. The others tell a reviewer
what changed: the bytes of an HDF5 file also depend on the HDF5 library that wrote it, the elements do not.

What this promises: whoever changes a golden, by accident or on purpose, must also change the manifest, and that shows
in the diff that is reviewed. It does not protect against somebody who can change both without review.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from trt_conformance.core.errors import JsonError
from trt_conformance.core.files import read_regular_file, replacing
from trt_conformance.core.json import parse_strict
from trt_conformance.golden.content import GoldenError, fingerprint
from trt_conformance.golden.store import GoldenFile

NAME = "MANIFEST.json"
SCHEMA_VERSION = 2
MAX_BYTES = 2**26
"""Bytes of a manifest: 64 MiB, over 300,000 lines."""

Entries = dict[str, str]
"""Lines by file, ``reference/convolution/stride_nd.h5``, and by file and path, ``…:h2_w2/float32/run0/output``."""


def entries(file: str, golden_file: GoldenFile) -> Entries:
    """The lines of one file, ``file`` relative to the store's root with forward slashes."""
    found: Entries = {file: f"file {golden_file.sha256}"}
    for path, node in golden_file.content.items():
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
    """The golden within its file that a line is about, ``h2_w2/float32``; empty for the line of the file itself."""
    return "/".join(key.partition(":")[2].split("/")[:2])


def lines_of(file: str, lines: Mapping[str, str]) -> Entries:
    """The lines about one file."""
    return {key: line for key, line in lines.items() if _is_about(file, key)}


def listed_hash(file: str, lines: Mapping[str, str]) -> str:
    """The SHA-256 that the manifest lists for a file; empty if it does not list the file; no file has an empty hash."""
    return lines.get(file, "").removeprefix("file ")


def listed_types(file: str, lines: Mapping[str, str]) -> dict[str, str]:
    """The type and shape that the manifest lists for each dataset of a file, by path: ``float32[1,1,6,9]``."""
    about = ((key.partition(":")[2], listed_type(line)) for key, line in lines.items() if _is_about(file, key))
    return {path: found for path, found in about if found}


def _is_about(file: str, key: str) -> bool:
    """Whether a line is about a file. A manifest has thousands of lines, and each is asked about for each file."""
    return key.startswith(file) and (len(key) == len(file) or key[len(file)] == ":")


def listed_type(line: str) -> str:
    """The type and shape that a line lists; empty where it is not the line of a dataset."""
    found = line.partition(" ")[0]
    return found if found.endswith("]") else ""


def read_manifest(root: Path) -> Entries:
    """Read the manifest of the store at ``root``.

    Raises:
        GoldenError: it does not exist or is not a valid manifest. Naming it is left to the caller.
    """
    try:
        document = parse_strict(read_regular_file(root / NAME, MAX_BYTES))
    except FileNotFoundError:
        raise GoldenError("does not exist", "manifest") from None
    except OSError as fault:
        raise GoldenError(f"cannot be read: {fault.strerror}", "manifest") from None
    except JsonError as fault:
        raise GoldenError(f"is not valid: {fault}", "manifest") from None
    if not isinstance(document, dict) or document.keys() != {"schema_version", "entries"}:
        raise GoldenError("is not a manifest: it needs the keys schema_version and entries, and no others", "manifest")
    version, lines = document["schema_version"], document["entries"]
    if type(version) is not int or version != SCHEMA_VERSION:
        raise GoldenError(
            f"has schema version {json.dumps(version)}, but this suite reads {SCHEMA_VERSION}", "manifest"
        )
    if not isinstance(lines, dict):
        raise GoldenError("is not a manifest: its entries are not a JSON object", "manifest")
    for key, line in lines.items():
        if not isinstance(line, str):
            raise GoldenError(f"has an entry {key!r} that is not a string", "manifest")
    return lines


def write_manifest(root: Path, lines: Mapping[str, str]) -> None:
    """Replace the manifest, all of it or nothing; an equal one is not written again.

    Raises:
        OSError: the file cannot be written; the one that was there is unchanged.
    """
    document = {"schema_version": SCHEMA_VERSION, "entries": dict(sorted(lines.items()))}
    data = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
    path = root / NAME
    if path.is_file() and path.read_bytes() == data:
        return
    root.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
