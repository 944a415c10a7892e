"""The goldens as one archive for a release, with the SHA-256 of every file in it.

The archive is a gzip-compressed tar. Below ``golden/`` it has the files that runs compare with, and ``SHA256SUMS``,
which ``sha256sum --check`` reads. Equal goldens give equal archives, byte for byte, with one version of zlib: names are
sorted, and times, owners and permissions are the same everywhere.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import read_regular_file, replacing, replacing_folder
from trt_conformance.core.words import counted
from trt_conformance.golden import manifest
from trt_conformance.golden.content import GoldenError
from trt_conformance.golden.sums import golden_sums

FOLDER = "golden"
SUMS = "SHA256SUMS"
MAX_BYTES = 1 << 30
"""Bytes of an archive, and of all its files."""

_SUM = re.compile(r"([0-9a-f]{64})  (\S.*)")


def pack(root: Path, file: Path) -> str:
    """Write the archive of a store, completely or not at all, and return its SHA-256.

    Raises:
        ConformanceError: the store has no goldens, a golden file is not the one that the manifest lists, or the
            archive cannot be written.
    """
    sums = golden_sums(root)
    _check_listed(root, sums)
    content = {name: (root / name).read_bytes() for name in sums}
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    data = _gzip(_tar({**content, SUMS: lines.encode()}))
    digest = hashlib.sha256(data).hexdigest()
    with replacing(file) as temporary:
        temporary.write_bytes(data)
    return digest


def unpack(file: Path, folder: Path) -> int:
    """Write the files of an archive into a new folder, completely or not at all, and return their number.

    Raises:
        ConformanceError: the archive is damaged or invalid, or the folder is not empty or cannot be written.
    """
    content = read_archive(file)
    try:
        is_free = not folder.is_symlink() and (not folder.exists() or (folder.is_dir() and not any(folder.iterdir())))
    except OSError as fault:
        raise ConformanceError(f"{folder}: cannot be read: {fault.strerror or fault}") from None
    if not is_free:
        raise ConformanceError(f"{folder}: is not an empty folder: name a new one")
    with replacing_folder(folder) as partial:
        for name, data in content.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return len(content)


def differences(root: Path, file: Path) -> list[str]:
    """The differences of a store from an archive: one line for each file; none if they are equal.

    Raises:
        ConformanceError: the archive is damaged or invalid, or a file of the store cannot be read.
    """
    here = golden_sums(root)
    there = {name: hashlib.sha256(data).hexdigest() for name, data in read_archive(file).items()}
    words = {
        (True, True): "differs from the archive's",
        (True, False): "is not in the archive",
        (False, True): "is missing",
    }
    return [
        f"{name}: {words[name in here, name in there]}"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]


def read_archive(file: Path) -> dict[str, bytes]:
    """The goldens of an archive by name, each checked by its sum.

    Raises:
        ConformanceError: the archive cannot be read, has an unexpected member, or is damaged.
    """
    try:
        content = dict(_members(_decompressed(read_regular_file(file, MAX_BYTES))))
        listed = _listed(content.pop(SUMS, b""))
    except (OSError, tarfile.TarError, zlib.error, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise ConformanceError(f"{file}: not an archive of goldens: {reason or fault}") from None
    for name in sorted({*content, *listed}):
        if name not in content:
            raise ConformanceError(f"{file}: {name} is missing; {SUMS} lists it")
        if name not in listed:
            raise ConformanceError(f"{file}: {SUMS} does not list {name}")
        if hashlib.sha256(content[name]).hexdigest() != listed[name]:
            raise ConformanceError(f"{file}: {name} is damaged: {SUMS} lists another SHA-256; download it again")
    return content


def _check_listed(root: Path, sums: Mapping[str, str]) -> None:
    try:
        lines = manifest.read_manifest(root)
    except GoldenError as fault:
        raise ConformanceError(f"{root / manifest.NAME} {fault}") from None
    listed = {manifest.file_of(key): manifest.listed_hash(manifest.file_of(key), lines) for key in lines}
    wanted = {name: digest for name, digest in listed.items() if not name.startswith("observed/")}
    found = {name: digest for name, digest in sums.items() if name.endswith(".h5")}
    wrong = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if wrong:
        files = counted(len(wrong), "golden file")
        advice = "see `trt-conformance golden verify`"
        raise ConformanceError(f"{root}: {manifest.NAME} does not match {files}, such as {wrong[0]}; {advice}")


def _tar(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size, member.mode, member.mtime = len(files[name]), 0o644, 0
            archive.addfile(member, io.BytesIO(files[name]))
    return stream.getvalue()


def _gzip(data: bytes) -> bytes:
    """The data compressed, with a header that is the same in every version of Python, unlike that of gzip.compress."""
    stream = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(data)
    return stream.getvalue()


def _decompressed(data: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    content = stream.decompress(data, MAX_BYTES)
    if not stream.eof or stream.unused_data:
        raise ValueError(f"its gzip stream does not end with the file, or it has more than {MAX_BYTES:,} bytes")
    return content


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member, which is a regular file below the folder."""
    seen = set()
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            stream = archive.extractfile(member) if member.isreg() else None
            is_below = path.parts[:1] == (FOLDER,) and len(path.parts) > 1 and ".." not in path.parts
            if stream is None or not is_below or str(path) != member.name or path in seen:
                raise ValueError(f"it has a member {member.name!r}, which is not a golden")
            seen.add(path)
            yield "/".join(path.parts[1:]), stream.read()


def _listed(sums: bytes) -> dict[str, str]:
    found = {}
    for line in sums.decode().splitlines():
        match = _SUM.fullmatch(line)
        if match is None:
            raise ValueError(f"{SUMS} has a line {line[:60]!r}, which is not a checksum line")
        found[match[2]] = match[1]
    if not found:
        raise ValueError(f"it has no {SUMS}")
    return found
