"""Goldens that are hashes: one of each run's reference output, and a few of its values.

Generated cases have them, and cases whose tensors are large (`catalog.golden_kind`). The tensors themselves are
computed when they are needed. There is one text file for each sweep (``sweeps/layer.tsv``) and one for each case file
(``hashes/networks/unet.tsv``), with one line for each case, sorted by name, which is the case's id without the file's:

    name <tab> hash of the case's data <tab> hash of each run's output <tab> shape and values of the first output

`digest` says what is hashed. These files are text that is reviewed like the manifest, which therefore does not list
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.golden_kind import golden_kind
from trt_conformance.core.case import Case
from trt_conformance.core.files import is_temporary, read_regular_file, replacing
from trt_conformance.core.paths import relative
from trt_conformance.golden import plan
from trt_conformance.golden.computed import computed_reference
from trt_conformance.golden.content import GoldenError
from trt_conformance.golden.differences import STALE, GoldenFault
from trt_conformance.golden.digest import DIGITS, HASH, digest
from trt_conformance.numerics.reference.result import Result, reference

FOLDERS = ("sweeps", "hashes")
_HEADER = "# Golden hashes of {name}.toml. Written by `trt-conformance golden update`.\n"
_MAX_BYTES = 2**26
_LINE = re.compile(rf"([^\t]+)\t([0-9a-f]{{{DIGITS}}})\t({HASH}(?:,{HASH})*)\t([0-9x]+: [^\t]+)")


class HashEntry(NamedTuple):
    """The golden of one case."""

    case_hash: str
    outputs: tuple[str, ...]
    sample: str

    def __str__(self) -> str:
        return f"{', '.join(self.outputs)} ({self.sample})"


HashEntries = dict[str, HashEntry]
"""Goldens by the case's id."""


def file_of(case: Case) -> str:
    """The file of a case's hash: ``sweeps/layer.tsv``, ``hashes/networks/unet.tsv``."""
    if case.tier is not None:
        return f"sweeps/{case.id.partition('/')[0]}.tsv"
    return f"hashes/{plan.file_of(case).removesuffix('.h5')}.tsv"


def read_hashed(case: Case, run_index: int, root: Path | None = None) -> Result:
    """The reference result of one run of a case, computed now and checked against its hash.

    ``root`` is the store; by default that of the case's folder.

    Raises:
        GoldenError: there is no golden, it is for other data, or the reference now gives another output.
    """
    path = (root or case.folder.golden) / file_of(case)
    advice = f"run `trt-conformance golden update '{case.id}'{case.folder.options}` and review the change"
    entry = _read(path, _version(path)).get(case.id)
    if entry is None:
        raise GoldenError(f"{case.id}: {relative(path)} has no golden for this case; {advice}", "missing")
    if entry.case_hash != _case_hash(case):
        raise GoldenError(f"{case.id}: {relative(path)}: {STALE}; {advice}", "stale")
    result, stored = computed_reference(case, run_index), _stored(entry, run_index)
    if digest(case, run_index, result, stored).hash != stored:
        raise GoldenError(
            f"{case.id}: {relative(path)}: the reference's output of run {run_index} does not have the golden's hash "
            f"(in the first run, the golden was {entry.sample}); if the reference changed on purpose, {advice}",
            "differs",
        )
    return result


def stored_entry(case: Case, root: Path | None = None) -> HashEntry | None:
    """The golden of a case as it is stored; None if there is none. ``root`` is the store; by default the folder's.

    Raises:
        GoldenError: its file cannot be read.
    """
    path = (root or case.folder.golden) / file_of(case)
    return _read(path, _version(path)).get(case.id)


def compute_entry(case: Case, stored: HashEntry | None = None) -> HashEntry:
    """Compute the golden of a case, with the multiples of the ``stored`` one where they could have been chosen.

    Raises:
        GoldenError: as `digest` does.
    """
    found = [
        digest(case, index, reference(case, shape), _stored(stored, index))
        for index, shape in enumerate(case.run_shapes)
    ]
    return HashEntry(_case_hash(case), tuple(one.hash for one in found), found[0].sample)


def read_hashes(path: Path) -> HashEntries:
    """The goldens of a sweep's or a case file's file; empty if there is no file.

    Raises:
        GoldenError: the file cannot be read, or a line is not a valid golden or is the second one of its case.
    """
    try:
        text = read_regular_file(path, _MAX_BYTES).decode("utf-8").replace("\r\n", "\n")  # of a checkout on Windows
    except FileNotFoundError:
        return {}
    except OSError as fault:
        raise GoldenError(f"{relative(path)} cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError as fault:
        raise GoldenError(f"{relative(path)} is not UTF-8 text: {fault}") from None
    entries: HashEntries = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        if line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or not line.replace("\t", "").isprintable():
            raise GoldenError(
                f"{relative(path)}:{number}: not a valid golden: expected a name, the hash of the data, hashes of "
                "outputs, and a sample, separated by tabs"
            )
        case_id = f"{path.stem}/{found[1]}"
        if case_id in entries:
            raise GoldenError(f"{relative(path)}:{number}: a second golden of {case_id}")
        entries[case_id] = HashEntry(found[2], tuple(found[3].split(",")), found[4])
    return entries


def write_hashes(root: Path, file: str, entries: Mapping[str, HashEntry]) -> None:
    """Write the goldens of a file of hashes; without any, it is deleted.

    Raises:
        OSError: the file cannot be written; the one that was there is unchanged.
    """
    path = root / file
    if not entries:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    named = sorted((key.partition("/")[2], entry) for key, entry in entries.items())
    lines = (f"{key}\t{e.case_hash}\t{','.join(e.outputs)}\t{e.sample}\n" for key, e in named)
    head = _HEADER.format(name=file.removeprefix("hashes/").removesuffix(".tsv"))
    with replacing(path) as temporary:
        temporary.write_text(head + "".join(lines), encoding="utf-8", newline="\n")


@dataclass
class HashFile:
    """What a file of hashes should hold.

    ``source`` is the file that has the cases or makes them, ``ids`` are those of all that need a hash, and ``cases``
    are those that are loaded: of a sweep, the cases of a tier.
    """

    source: str
    ids: set[str] = field(default_factory=set)
    cases: dict[str, Case] = field(default_factory=dict)


def hash_files(catalog: Catalog) -> dict[str, HashFile]:
    """The files of hashes that a catalog needs, each with its cases."""
    found = {
        f"sweeps/{expanded.sweep.name}.tsv": HashFile(expanded.sweep.file, set(expanded.ids))
        for expanded in catalog.sweeps
    }
    for case in catalog.cases:
        if golden_kind(case) == "hash":
            file = found.setdefault(file_of(case), HashFile(case.file))
            file.ids.add(case.id)
            file.cases[case.id] = case
    return found


def files_in(root: Path) -> list[str]:
    """Everything in the folders of these goldens, relative to the root with forward slashes.

    Links to folders are not followed. Unfinished files that an interrupted writer left behind do not count.
    """
    paths = (path for folder in FOLDERS for path in (root / folder).rglob("*"))
    return sorted(
        path.relative_to(root).as_posix()
        for path in paths
        if not is_temporary(path) and (path.is_symlink() or not path.is_dir())
    )


def entry_fault(case: Case, entry: HashEntry, recompute: bool) -> GoldenFault | None:
    """The fault of a golden, None if it has none. Without ``recompute``, only the hash of the data is compared.

    Raises:
        GoldenError: as `digest` does.
    """
    if entry.case_hash != _case_hash(case):
        return GoldenFault("stale", STALE)
    if recompute and entry != (fresh := compute_entry(case, entry)):
        return GoldenFault("differs", f"stored {entry}, computed {fresh}")
    return None


def _stored(entry: HashEntry | None, run_index: int) -> str:
    """The stored hash of a run; empty if there is none."""
    return "" if entry is None or run_index >= len(entry.outputs) else entry.outputs[run_index]


def _case_hash(case: Case) -> str:
    return case.data_hash()[:DIGITS]


def _version(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=4)
def _read(path: Path, version: tuple[int, int]) -> HashEntries:
    return read_hashes(path)
