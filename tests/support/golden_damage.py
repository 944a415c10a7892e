"""Damages a store of goldens in many ways, and checks that each way is found and named.

    python -m tests.support.golden_damage --count 400 --seed 1

A damage passes if `verify` names the damaged file in a message of one line, no exception other than GoldenError comes
out of reading, and a value that is read is still the right one. Each is applied to a copy of a small store.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from tests.support.helpers import make_case
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.tensors import case_data
from trt_conformance.golden import GoldenError, manifest, read_reference, update, verify, write_observed
from trt_conformance.golden.store import file_hash, seal
from trt_conformance.numerics.reference.result import reference

PRINTED = make_case(
    id="example/stride",
    set={"stride_nd": [2, 2]},
    expect={
        "shape": [1, 1, 2, 4],
        "printed": "12345.679 31264.598 23156.49 12345.679\n78912.34 97831.27 89723.16 78912.34",
    },
)
HALF = make_case(id="example/half", precision="bf16")
CHUNKED = make_case(
    id="example/chunked", input={"shape": [1, 1, 70, 70], "fill": "uniform", "seed": 1}, golden="tensors"
)
CATALOG = Catalog((PRINTED, HALF, CHUNKED), {})
FILES = (
    "documented/convolution/example.h5",
    "reference/convolution/example.h5",
    "observed/mine/convolution/example.h5",
)
REFERENCE = FILES[1]


@dataclass(frozen=True)
class Damage:
    """One way to damage a store: its name, the file that has to be named, and the act."""

    name: str
    file: str
    act: Callable[[Path], None]


def make_store(root: Path) -> None:
    """Write a store that has every kind of golden, a chunked dataset and a bfloat16 one."""
    update(CATALOG, root=root)
    for case in CATALOG.cases:
        feeds = {"input": case_data(case).input}
        write_observed("mine", case, 0, feeds, {"output": reference(case).output}, environment={}, root=root)


def damages(draw: random.Random) -> Iterator[Damage]:
    """Every way to damage a store, with drawn places, in a drawn order."""
    found = [*_raw(draw), *_crafted(), *_manifest(draw)]
    draw.shuffle(found)
    yield from found


def check(damage: Damage, root: Path) -> str:
    """Damage a store and look at it. Returns what is wrong with the way it is reported; empty if nothing is."""
    damage.act(root)
    problems = verify(CATALOG, root)
    named = [problem for problem in problems if problem.file == damage.file]
    if not named:
        return f"verify does not name {damage.file}: {[str(problem) for problem in problems]}"
    for problem in problems:
        if len(str(problem).splitlines()) != 1 or not str(problem).isprintable():
            return f"not a message of one line: {str(problem)!r}"
    for case in CATALOG.cases:
        try:
            read = read_reference(case, root=root)
        except GoldenError:
            continue
        if read.output.tobytes() != reference(case).output.tobytes():
            return f"reading {case.id} gives other values without an error"
    return ""


def _raw(draw: random.Random) -> Iterator[Damage]:
    """Damage to the bytes of a file, with its own hash left as it is, and made valid again."""

    def rewrite(file: str, change: Callable[[bytearray], bytes | bytearray]) -> Callable[[Path], None]:
        return lambda root: (root / file).write_bytes(bytes(change(bytearray((root / file).read_bytes())))) and None

    def flip(data: bytearray, place: float, bit: int) -> bytearray:
        data[512 + int(place * (len(data) - 512))] ^= 1 << bit
        return data

    for file in FILES:
        for index in range(12):
            place, bit = draw.random(), draw.randrange(8)
            yield Damage(f"flip {index}", file, rewrite(file, lambda d, p=place, b=bit: flip(d, p, b)))
            yield Damage(
                f"resealed flip {index}", file, rewrite(file, lambda d, p=place, b=bit: seal(flip(d, p, b)[512:]))
            )
            yield Damage(f"cut {index}", file, rewrite(file, lambda d, p=place: d[: int(p * len(d))]))
            yield Damage(
                f"resealed cut {index}",
                file,
                rewrite(file, lambda d, p=place: seal(d[512 : 512 + int(p * (len(d) - 512))])),
            )
        yield Damage("appended", file, rewrite(file, lambda d: d + b"more"))
        yield Damage("resealed appended", file, rewrite(file, lambda d: seal(d[512:] + b"more")))
        yield Damage("hash in another case", file, rewrite(file, lambda d: d[:512].upper() + d[512:]))
        yield Damage("zeros", file, rewrite(file, lambda d: bytes(len(d))))
        yield Damage("zeros, resealed", file, rewrite(file, lambda d: seal(bytes(len(d) - 512))))
        yield Damage("empty", file, rewrite(file, lambda d: b""))
        yield Damage(
            "pointer of git-lfs", file, rewrite(file, lambda d: b"version https://git-lfs.github.com/spec/v1\n")
        )
        yield Damage("without user block", file, rewrite(file, lambda d: d[512:]))
        yield Damage("deleted", file, lambda root, f=file: (root / f).unlink())
        for name, make in _NO_FILES.items():
            yield Damage(name, file, lambda root, f=file, m=make: _replace(root / f, m))
        other = FILES[(FILES.index(file) + 1) % len(FILES)]
        yield Damage(
            "a file of another kind", file, lambda root, f=file, o=other: shutil.copy(root / o, root / f) and None
        )


def _replace(path: Path, make: Callable[[Path], None]) -> None:
    path.unlink()
    make(path)


_NO_FILES: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "fifo": os.mkfifo,
    "link to itself": lambda path: path.symlink_to(path),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link to a text file": lambda path: path.symlink_to("/etc/passwd"),
}


def _crafted() -> Iterator[Damage]:
    """Files that HDF5 can write and goldens must not have, with valid hashes in the file and in the manifest."""
    for file in FILES:
        for name, craft in _CRAFTS.items():
            yield Damage(name, file, lambda root, f=file, c=craft: _craft(root, f, c))


def _craft(root: Path, name: str, craft: Callable[[h5py.File], None]) -> None:
    path = root / name
    with h5py.File(path, "r+") as file:
        craft(file)
    path.write_bytes(seal(path.read_bytes()[512:]))
    lines = manifest.read_manifest(root)
    manifest.write_manifest(root, lines | {name: f"file {file_hash(path.read_bytes())}"})


def _first(file: h5py.File) -> str:
    """A dataset of the file."""
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found[0]


def _instead(make: Callable[[h5py.File, str], object]) -> Callable[[h5py.File], None]:
    """Put something else where a dataset is."""

    def craft(file: h5py.File) -> None:
        name = _first(file)
        del file[name]
        make(file, name)

    return craft


def _beside(make: Callable[[h5py.File], object]) -> Callable[[h5py.File], None]:
    return lambda file: make(file) and None


def _low_level(
    file: h5py.File, name: str, shape: tuple[int, ...], change: Callable[[h5py.h5p.PropDCID], None]
) -> h5py.h5d.DatasetID:
    """Create a dataset with properties that h5py's own interface does not offer."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    change(properties)
    space = h5py.h5s.create_simple(shape)
    return h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F64LE, space, properties)


def _external(target: str) -> Callable[[h5py.File], None]:
    return _instead(lambda file, name: file.create_dataset(name, (64,), "u1", external=[(target, 0, 64)]))


def _virtual(file: h5py.File, name: str) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "data", (4,))
    file.create_virtual_dataset(name, layout)


def _bomb(file: h5py.File, name: str) -> None:
    """A chunk of 32 KiB that unpacks to 64 MiB."""
    import zlib

    dataset = file.create_dataset(name, (4096,), "f8", chunks=(4096,), compression="gzip")
    dataset.id.write_direct_chunk((0,), zlib.compress(bytes(2**26)))


def _wrong_chunk(file: h5py.File, name: str) -> None:
    dataset = file.create_dataset(name, (4096,), "f8", chunks=(4096,), compression="gzip")
    dataset.id.write_direct_chunk((0,), b"not compressed")


def _links(count: int) -> Callable[[h5py.File], None]:
    def craft(file: h5py.File) -> None:
        for index in range(count):
            file[f"link{index}"] = file[_first(file)]

    return craft


def _fan(file: h5py.File) -> None:
    """Groups that each lead to the next by two links: 2^40 paths."""
    group = file.create_group("fan0")
    for index in range(1, 40):
        following = file.create_group(f"fan{index}")
        group["a"], group["b"] = following, following
        group = following


def _deep(file: h5py.File) -> None:
    file.create_group("/".join(["deep"] * 200))


def _many(file: h5py.File) -> None:
    for index in range(400):
        file["/"].attrs[f"a{index}"] = index


_CRAFTS: dict[str, Callable[[h5py.File], None]] = {
    "external storage": _external("/etc/passwd"),
    "external storage, relative": _external("../../MANIFEST.json"),
    "external storage in a device": _external("/dev/zero"),
    "virtual dataset": _instead(_virtual),
    "soft link": _instead(lambda file, name: file.__setitem__(name, h5py.SoftLink("/elsewhere"))),
    "soft link to the root": _beside(lambda file: file.__setitem__("loop", h5py.SoftLink("/"))),
    "external link": _instead(lambda file, name: file.__setitem__(name, h5py.ExternalLink("/etc/passwd", "/x"))),
    "external link to a device": _beside(lambda file: file.__setitem__("x", h5py.ExternalLink("/dev/zero", "/"))),
    "hard link": _links(1),
    "20 hard links": _links(20),
    "500 hard links": _links(500),
    "hard link to the root": _beside(lambda file: file.__setitem__("loop", file["/"])),
    "hard link to a parent": _beside(lambda file: file.create_group("a/b").__setitem__("loop", file["a"])),
    "fan of hard links": _fan,
    "named datatype": _beside(lambda file: file.__setitem__("type", np.dtype("f8"))),
    "4 GiB declared in chunks": _instead(lambda file, name: file.create_dataset(name, (2**29,), "f8", chunks=(2**20,))),
    "30 GB declared": _instead(lambda file, name: file.create_dataset(name, (10**5, 3 * 10**5), "u1", chunks=(1, 64))),
    "2^62 elements declared": _instead(lambda file, name: file.create_dataset(name, (2**62,), "u1", chunks=(64,))),
    "32 dimensions": _instead(lambda file, name: file.create_dataset(name, (4,) * 32, "f8", chunks=(1,) * 32)),
    "200 MB declared, not stored": _instead(lambda file, name: file.create_dataset(name, (25_000_000,), "f8")),
    "a million chunks": _instead(lambda file, name: file.create_dataset(name, (10**6,), "f8", chunks=(1,))),
    "chunks not stored": _instead(lambda file, name: file.create_dataset(name, (8192,), "f8", chunks=(4096,))),
    "unlimited dimension": _instead(lambda file, name: file.create_dataset(name, (9,), "f8", maxshape=(None,))),
    "compression bomb": _instead(_bomb),
    "chunk that is not compressed": _instead(_wrong_chunk),
    "null space": _instead(lambda file, name: file.create_dataset(name, data=h5py.Empty("f8"))),
    "scalar": _instead(lambda file, name: file.create_dataset(name, data=1.0)),
    "no elements": _instead(lambda file, name: file.create_dataset(name, (0, 4), "f8")),
    "text": _instead(lambda file, name: file.create_dataset(name, data=["text"], dtype=h5py.string_dtype())),
    "fixed text": _instead(lambda file, name: file.create_dataset(name, data=np.array([b"text"]))),
    "complex": _instead(lambda file, name: file.create_dataset(name, data=np.ones(3, np.complex128))),
    "compound": _instead(lambda file, name: file.create_dataset(name, (3,), [("a", "f8"), ("b", "i4")])),
    "enum": _instead(lambda file, name: file.create_dataset(name, (3,), h5py.enum_dtype({"A": 1}))),
    "bool": _instead(lambda file, name: file.create_dataset(name, data=np.ones(3, np.bool_))),
    "opaque": _instead(lambda file, name: file.create_dataset(name, (3,), np.dtype("V16"))),
    "array type": _instead(lambda file, name: file.create_dataset(name, (3,), np.dtype("(4,)f8"))),
    "variable length": _instead(lambda file, name: file.create_dataset(name, (3,), h5py.vlen_dtype("f8"))),
    "reference": _instead(lambda file, name: file.create_dataset(name, (3,), h5py.ref_dtype)),
    "long double": _instead(lambda file, name: file.create_dataset(name, data=np.ones(3, np.longdouble))),
    "checksum filter": _instead(lambda file, name: file.create_dataset(name, data=np.ones(99), fletcher32=True)),
    "lzf filter": _instead(lambda file, name: file.create_dataset(name, data=np.ones(99), compression="lzf")),
    "scale filter": _instead(lambda file, name: file.create_dataset(name, data=np.arange(99), scaleoffset=0)),
    "big endian": _instead(lambda file, name: file.create_dataset(name, data=np.arange(9, dtype=">f8"))),
    "group for dataset": _instead(lambda file, name: file.create_group(name)),
    "dataset missing": _instead(lambda file, name: True),
    "dataset of zeros": _beside(lambda file: file[_first(file)].write_direct(np.zeros_like(file[_first(file)][()]))),
    "dataset too many": _beside(lambda file: file.create_dataset("more/float32/run0/output", data=np.ones(3))),
    "dataset at the top": _beside(lambda file: file.create_dataset("more", data=np.ones(3))),
    "name with an escape": _beside(lambda file: file.create_group("a\x1b[31mred")),
    "name with a newline": _beside(lambda file: file.create_group("a\nb")),
    "name that is not UTF-8": _beside(lambda file: h5py.h5g.create(file.id, b"a\xff")),
    "name of 10,000 characters": _beside(lambda file: file.create_group("a" * 10_000)),
    "200 nested groups": _deep,
    "400 attributes": _many,
    "attribute at the top": _beside(lambda file: file.attrs.__setitem__("more", 1) or True),
    "attribute of a float": _beside(lambda file: file.create_group("a").attrs.__setitem__("x", 0.5)),
    "attribute of a bool": _beside(lambda file: file.create_group("a").attrs.__setitem__("x", True)),
    "attribute of many integers": _beside(lambda file: file.create_group("a").attrs.__setitem__("x", np.arange(99))),
    "attribute without a value": _beside(lambda file: file.create_group("a").attrs.__setitem__("x", h5py.Empty("i4"))),
    "attribute of many texts": _beside(lambda file: file.create_group("a").attrs.__setitem__("x", ["a", "b"])),
    "attribute of a dataset": _beside(lambda file: file[_first(file)].attrs.__setitem__("unit", "m")),
    "another logical type": _beside(lambda file: file[_first(file)].attrs.__setitem__("dtype", "bfloat16")),
    "unknown logical type": _beside(lambda file: file[_first(file)].attrs.__setitem__("dtype", "float8")),
    "format missing": _beside(lambda file: file.attrs.__delitem__("format")),
    "another format": _beside(lambda file: file.attrs.__setitem__("format", "something else")),
    "schema version missing": _beside(lambda file: file.attrs.__delitem__("schema_version")),
    "schema version 99": _beside(lambda file: file.attrs.__setitem__("schema_version", 99)),
    "schema version true": _beside(lambda file: file.attrs.__setitem__("schema_version", True)),
    "schema version 1.0": _beside(lambda file: file.attrs.__setitem__("schema_version", 1.0)),
    "schema version as text": _beside(lambda file: file.attrs.__setitem__("schema_version", "1")),
    "schema version as a row": _beside(lambda file: file.attrs.__setitem__("schema_version", [1])),
    "kind missing": _beside(lambda file: file.attrs.__delitem__("kind")),
    "kind with an escape": _beside(lambda file: file.attrs.__setitem__("kind", "\x1b[31mreference")),
    "format of 60,000 characters": _beside(lambda file: file.attrs.__setitem__("format", "x" * 60_000)),
}


def _manifest(draw: random.Random) -> Iterator[Damage]:
    def edited(change: Callable[[list[str], int], None], place: float) -> Callable[[Path], None]:
        def act(root: Path) -> None:
            path = root / manifest.NAME
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            change(lines, 3 + int(place * (len(lines) - 6)))
            path.write_text("".join(lines), encoding="utf-8")

        return act

    def written(text: str) -> Callable[[Path], None]:
        return lambda root: (root / manifest.NAME).write_text(text, encoding="utf-8") and None

    whole: dict[str, Callable[[Path], None]] = {
        "twice the same line": edited(lambda lines, at: lines.insert(at, lines[at]), draw.random()),
        "half a line": edited(lambda lines, at: lines.__setitem__(at, lines[at][:20]), draw.random()),
        "conflict": edited(lambda lines, at: lines.insert(at, "<<<<<<< HEAD\n"), draw.random()),
        "value is a number": edited(lambda lines, at: lines.__setitem__(at, ' "a:b": 1,\n'), draw.random()),
        "control character": edited(lambda lines, at: lines.__setitem__(at, ' "a:b": "\x1b[0m",\n'), draw.random()),
        "lone surrogate": written('{"schema_version": 2, "entries": {"\\ud800": 5}}'),
        "no JSON": written("# nothing"),
        "a list": written("[1, 2]"),
        "nested": written("[" * 10**5),
        "a number of 10,000 digits": written("1" * 10_000),
        "version true": written('{"schema_version": true, "entries": {}}'),
        "version 2.0": written('{"schema_version": 2.0, "entries": {}}'),
        "version 1": written('{"schema_version": 1, "entries": {}}'),
        "version as text": written('{"schema_version": "2", "entries": {}}'),
        "version twice": written('{"schema_version": 1, "schema_version": 2, "entries": {}}'),
        "no entries": written('{"schema_version": 2}'),
        "more keys": written('{"schema_version": 2, "entries": {}, "x": 1}'),
        "not UTF-8": lambda root: (root / manifest.NAME).write_bytes(b"\xff\xfe") and None,
        "empty": written(""),
        "deleted": lambda root: (root / manifest.NAME).unlink(),
    }
    for name, make in _NO_FILES.items():
        whole[name] = lambda root, m=make: _replace(root / manifest.NAME, m)
    for name, act in whole.items():
        yield Damage(f"manifest: {name}", manifest.NAME, act)
    for file in FILES:
        for name, change in _LINES.items():
            place = draw.random()
            yield Damage(f"manifest: {name}", file, lambda root, f=file, c=change, p=place: _relist(root, f, c, p))


def _relist(root: Path, file: str, change: Callable[[manifest.Entries, str, str], None], place: float) -> None:
    lines = manifest.read_manifest(root)
    keys = sorted(key for key in lines if manifest.file_of(key) == file and key != file)
    change(lines, file, keys[int(place * len(keys))])
    manifest.write_manifest(root, lines)


_LINES: dict[str, Callable[[manifest.Entries, str, str], None]] = {
    "line deleted": lambda lines, file, key: lines.pop(key) and None,
    "line of the file deleted": lambda lines, file, key: lines.pop(file) and None,
    "hash changed": lambda lines, file, key: lines.__setitem__(key, lines[key][:-1] + "x"),
    "hash of the file changed": lambda lines, file, key: lines.__setitem__(file, lines[file][::-1]),
    "line added": lambda lines, file, key: lines.__setitem__(f"{file}:more/float32", "case 0"),
    "type changed": lambda lines, file, key: lines.__setitem__(key, "int8[1,2] 00"),
    "huge type": lambda lines, file, key: lines.__setitem__(key, "float64[99999999999999] 00"),
    "line empty": lambda lines, file, key: lines.__setitem__(key, ""),
}


def main() -> int:
    """Apply the damages and print those that are not reported well, and the time and memory used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=0, help="how many damages; all of them by default")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    done, failed, slowest = run(given.count, given.seed)
    for line in failed:
        print(line)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{len(failed)} of {done} not reported well; slowest {slowest:.2f} s; peak memory {memory} MiB")
    return 1 if failed else 0


def run(count: int, seed: int) -> tuple[int, list[str], float]:
    """Apply ``count`` damages, 0 for all.

    Returns how many there were, a line for each that is not reported well, and the longest time in seconds.
    """
    failed: list[str] = []
    slowest = 0.0
    chosen = list(damages(random.Random(seed)))
    chosen = chosen[: count or len(chosen)]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        make_store(whole)
        for index, damage in enumerate(chosen):
            root = Path(folder, str(index))
            shutil.copytree(whole, root)
            start = time.perf_counter()
            try:
                found = check(damage, root)
            except Exception as fault:
                found = f"{type(fault).__name__}: {fault}"
            slowest = max(slowest, time.perf_counter() - start)
            if found:
                failed.append(f"{damage.name} ({damage.file}): {found}")
            shutil.rmtree(root)
    return len(chosen), failed, slowest


if __name__ == "__main__":
    sys.exit(main())
