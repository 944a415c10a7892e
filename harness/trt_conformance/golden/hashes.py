"""Goldens of generated cases: a hash of each run's reference output, and a few of its values.

The tensors themselves are made again when they are needed. One text file a sweep, a line a case, sorted by name,
which is the id without the sweep's:

    name <tab> hash of the case's data <tab> hash of each run's output <tab> shape and values of the first output

A hash is only good where the reference gives the same bits everywhere. So a case has a golden only if its sums are
exact in float64, whatever the order in which a machine adds them; its shape and its float64 values are hashed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.case import Case
from trt_conformance.core.files import replacing
from trt_conformance.core.paths import GOLDEN, relative
from trt_conformance.core.tensors import case_data
from trt_conformance.golden.differences import Fault
from trt_conformance.golden.store import GoldenError
from trt_conformance.numerics.bounds.elementwise import grain, operands
from trt_conformance.numerics.reference.result import Result, reference

FOLDER = "sweeps"
_HEADER = "# Golden hashes of cases/sweeps/{name}.toml. Written by `trt-conformance golden update`.\n"
_DIGITS = 10
_FLOAT64_BITS = 53


class Entry(NamedTuple):
    """The golden of one case."""

    case_hash: str
    outputs: tuple[str, ...]
    sample: str


Entries = dict[str, Entry]


def file_of(case_id: str) -> str:
    """Where the golden of a generated case lies: ``sweeps/layer.tsv``."""
    return f"{FOLDER}/{case_id.partition('/')[0]}.tsv"


def read_generated(case: Case, run_index: int, root: Path = GOLDEN) -> Result:
    """The reference result of one run of a generated case, computed now and checked against its golden.

    Raises:
        GoldenError: there is no golden, it is for other data, or the reference gives something else.
    """
    path = root / file_of(case.id)
    advice = f"run `trt-conformance golden update '{case.id}'` and review the change"
    entry = _read(path, _version(path)).get(case.id)
    if entry is None:
        raise GoldenError(f"{case.id}: {relative(path)} has no golden of it: {advice}", "missing")
    if entry.case_hash != _case_hash(case):
        raise GoldenError(f"{case.id}: {relative(path)}: the case's data changed since: {advice}", "stale")
    result = reference(case, case.run_shapes[run_index])
    if entry.outputs[run_index : run_index + 1] != (_digest(result.output),):
        message = f"the reference's output of run {run_index} is not the golden's ({entry.sample} in the first run)"
        raise GoldenError(f"{case.id}: {relative(path)}: {message}", "differs")
    return result


def hash_line(case: Case, root: Path = GOLDEN) -> str:
    """What is stored of a generated case, for people. Raises GoldenError where its file cannot be read."""
    entry = read(root / file_of(case.id)).get(case.id)
    return f"{file_of(case.id)}: {_shown(entry) if entry else 'no golden of it'}"


def compute(case: Case) -> Entry:
    """The golden of a case, computed anew.

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
                f"{case.id} ({case.location}): its sums have more than {_FLOAT64_BITS} bits, so the reference's last "
                "bit depends on the machine: use numbers of fewer bits"
            )
        outputs.append(result.output)
    return Entry(_case_hash(case), tuple(map(_digest, outputs)), _sample(outputs[0]))


def read(path: Path) -> Entries:
    """The goldens of a file; none where there is no file.

    Raises:
        GoldenError: a line is none of this format.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as fault:
        raise GoldenError(f"{relative(path)} cannot be read: {fault}") from None
    entries: Entries = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        parts = line.split("\t")
        case_id = f"{path.stem}/{parts[0]}"
        if len(parts) != 4 or case_id in entries:
            raise GoldenError(f"{relative(path)}:{number}: is no golden, or one that is there already")
        entries[case_id] = Entry(parts[1], tuple(parts[2].split(",")), parts[3])
    return entries


def write(root: Path, name: str, entries: Mapping[str, Entry]) -> None:
    """Write the goldens of a sweep; the file goes where there are none."""
    path = root / FOLDER / f"{name}.tsv"
    if not entries:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    named = sorted((key.partition("/")[2], entry) for key, entry in entries.items())
    lines = (f"{key}\t{e.case_hash}\t{','.join(e.outputs)}\t{e.sample}\n" for key, e in named)
    with replacing(path) as temporary:
        temporary.write_text(_HEADER.format(name=name) + "".join(lines), encoding="utf-8", newline="\n")


def generated(catalog: Catalog) -> dict[str, dict[str, Case]]:
    """The cases that have such goldens, by sweep and id."""
    found: dict[str, dict[str, Case]] = {expanded.sweep.name: {} for expanded in catalog.sweeps}
    for case in catalog.cases:
        if case.tier is not None:
            found[case.id.partition("/")[0]][case.id] = case
    return found


def files_in(root: Path) -> list[Path]:
    return sorted((root / FOLDER).glob("*"))


def fault(case: Case, entry: Entry, recompute: bool) -> Fault | None:
    """What is wrong with a golden; unless it is recomputed, only whether it is for the data that the case has now."""
    if entry.case_hash != _case_hash(case):
        return Fault("stale", "the case's data changed since")
    if recompute and entry != (fresh := compute(case)):
        return Fault("differs", f"stored {_shown(entry)}, computed {_shown(fresh)}")
    return None


def _shown(entry: Entry) -> str:
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
def _read(path: Path, version: tuple[int, int]) -> Entries:
    return read(path)
