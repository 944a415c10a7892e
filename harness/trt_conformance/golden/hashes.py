"""Goldens of generated cases: a hash of each run's reference output, and a few of its values.

The tensors themselves are computed when they are needed. There is one text file for each sweep, with one line for each
case, sorted by name, which is the case's id without the sweep's name:

    name <tab> hash of the case's data <tab> hash of each run's output <tab> shape and values of the first output

A hash needs a reference that gives the same bits on every machine. So a case has a golden only if its sums are exact in
float64, in whatever order a machine adds them. The hash covers shape and float64 values.

These files are text that is reviewed like the manifest, which therefore does not list them.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.case import Case
from trt_conformance.core.files import is_temporary, read_regular_file, replacing
from trt_conformance.core.paths import GOLDEN, relative
from trt_conformance.core.tensors import case_data
from trt_conformance.golden.content import GoldenError
from trt_conformance.golden.differences import STALE, GoldenFault
from trt_conformance.numerics.bounds.elementwise import grain, operands
from trt_conformance.numerics.reference.result import Result, reference

FOLDER = "sweeps"
_HEADER = "# Golden hashes of cases/sweeps/{name}.toml. Written by `trt-conformance golden update`.\n"
_DIGITS = 10
_FLOAT64_BITS = 53
_MAX_BYTES = 2**26
_LINE = re.compile(r"([^\t]+)\t([0-9a-f]{10})\t([0-9a-f]{10}(?:,[0-9a-f]{10})*)\t([0-9x]+: [^\t]+)")


class HashEntry(NamedTuple):
    """The golden of one generated case."""

    case_hash: str
    outputs: tuple[str, ...]
    sample: str


HashEntries = dict[str, HashEntry]
"""Goldens by the case's id."""


def file_of(case_id: str) -> str:
    """The file of a generated case's golden: ``sweeps/layer.tsv``."""
    return f"{FOLDER}/{case_id.partition('/')[0]}.tsv"


def read_generated(case: Case, run_index: int, root: Path = GOLDEN) -> Result:
    """The reference result of one run of a generated case, computed now and checked against its golden.

    Raises:
        GoldenError: there is no golden, it is for other data, or the reference now gives another output.
    """
    path = root / file_of(case.id)
    advice = f"run `trt-conformance golden update '{case.id}'` and review the change"
    entry = _read(path, _version(path)).get(case.id)
    if entry is None:
        raise GoldenError(f"{case.id}: {relative(path)} has no golden for this case; {advice}", "missing")
    if entry.case_hash != _case_hash(case):
        raise GoldenError(f"{case.id}: {relative(path)}: {STALE}; {advice}", "stale")
    result = reference(case, case.run_shapes[run_index])
    if entry.outputs[run_index : run_index + 1] != (_digest(result.output),):
        raise GoldenError(
            f"{case.id}: {relative(path)}: the reference's output of run {run_index} does not have the golden's hash "
            f"(in the first run, the golden was {entry.sample}); if the reference changed on purpose, {advice}",
            "differs",
        )
    return result


def hash_line(case: Case, root: Path = GOLDEN) -> str:
    """The golden of a generated case as a line of text.

    Raises:
        GoldenError: its file cannot be read.
    """
    entry = read_hashes(root / file_of(case.id)).get(case.id)
    return f"{file_of(case.id)}: {_shown(entry) if entry else 'no golden for this case'}"


def compute_entry(case: Case) -> HashEntry:
    """Compute the golden of a case.

    Raises:
        GoldenError: some sum may be rounded in float64, so that its last bit depends on the order of adding.
    """
    outputs: list[NDArray[np.float64]] = []
    for shape in case.run_shapes:
        result = reference(case, shape)
        x, w, b = operands(case, case_data(case, shape))
        unit = min(grain(x) * grain(w), grain(b))
        if math.isfinite(unit) and result.magnitude.max(initial=0.0) > 2.0**_FLOAT64_BITS * unit:
            raise GoldenError(
                f"{case.id} ({case.location}): its sums need more than {_FLOAT64_BITS} bits, so the last bit of the "
                "reference depends on the machine; use input and kernel values of fewer bits"
            )
        outputs.append(result.output)
    return HashEntry(_case_hash(case), tuple(map(_digest, outputs)), _sample(outputs[0]))


def read_hashes(path: Path) -> HashEntries:
    """The goldens of a sweep's file; empty if there is no file.

    Raises:
        GoldenError: the file cannot be read, or a line is not a valid golden or is the second one of its case.
    """
    try:
        text = read_regular_file(path, _MAX_BYTES).decode("utf-8")
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


def write_hashes(root: Path, name: str, entries: Mapping[str, HashEntry]) -> None:
    """Write the goldens of a sweep; without any, its file is deleted.

    Raises:
        OSError: the file cannot be written; the one that was there is unchanged.
    """
    path = root / FOLDER / f"{name}.tsv"
    if not entries:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    named = sorted((key.partition("/")[2], entry) for key, entry in entries.items())
    lines = (f"{key}\t{e.case_hash}\t{','.join(e.outputs)}\t{e.sample}\n" for key, e in named)
    with replacing(path) as temporary:
        temporary.write_text(_HEADER.format(name=name) + "".join(lines), encoding="utf-8", newline="\n")


def generated_cases(catalog: Catalog) -> dict[str, dict[str, Case]]:
    """The generated cases of a catalog, by sweep and id."""
    found: dict[str, dict[str, Case]] = {expanded.sweep.name: {} for expanded in catalog.sweeps}
    for case in catalog.cases:
        if case.tier is not None:
            found[case.id.partition("/")[0]][case.id] = case
    return found


def files_in(root: Path) -> list[Path]:
    """Everything in the folder of these goldens, unfinished files of an interrupted writer left out."""
    return sorted(path for path in (root / FOLDER).glob("*") if not is_temporary(path))


def entry_fault(case: Case, entry: HashEntry, recompute: bool) -> GoldenFault | None:
    """The fault of a golden, None if it has none. Without ``recompute``, only the hash of the data is compared."""
    if entry.case_hash != _case_hash(case):
        return GoldenFault("stale", STALE)
    if recompute and entry != (fresh := compute_entry(case)):
        return GoldenFault("differs", f"stored {_shown(entry)}, computed {_shown(fresh)}")
    return None


def _shown(entry: HashEntry) -> str:
    return f"{', '.join(entry.outputs)} ({entry.sample})"


def _case_hash(case: Case) -> str:
    return case.data_hash()[:_DIGITS]


def _digest(output: NDArray[np.float64]) -> str:
    """Shape and values; the sign of a zero depends on the order of adding, so it does not count."""
    values = np.ascontiguousarray(output + 0.0, dtype="<f8")
    return hashlib.sha256(f"{output.shape}".encode() + values.tobytes()).hexdigest()[:_DIGITS]


def _sample(output: NDArray[np.float64]) -> str:
    """Shape, and the first, the middle and the last value: ``2x5x3x4: -12 7 0.5``."""
    flat = (output + 0.0).ravel()
    places = sorted({0, flat.size // 2, flat.size - 1})
    return f"{'x'.join(map(str, output.shape))}: {' '.join(f'{flat[place]:.12g}' for place in places)}"


def _version(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=4)
def _read(path: Path, version: tuple[int, int]) -> HashEntries:
    return read_hashes(path)
