"""Brings the hashes of generated cases up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.golden import hashes
from trt_conformance.golden.content import GoldenError
from trt_conformance.golden.differences import STALE
from trt_conformance.golden.lock import writing
from trt_conformance.numerics.exactness import inexact


class HashChange(NamedTuple):
    """A change of one line, or if ``case`` is empty, of a whole file."""

    action: Literal["add", "change", "remove"]
    file: str
    case: str
    reason: str


def update_hashes(catalog: Catalog, chosen: set[str] | None, root: Path, write: bool) -> Iterator[HashChange]:
    """Compute the hashes of the chosen generated cases, None for all, and write what changed if ``write``.

    Hashes of cases and files of sweeps that no longer exist are removed if all cases are chosen.

    Raises:
        ConformanceError: a case is not exact or proves little, so that it gets no golden; or a file cannot be written.
    """
    sweeps = {expanded.sweep.name: expanded.ids for expanded in catalog.sweeps}
    for name, cases in hashes.generated_cases(catalog).items():
        path, file = root / hashes.FOLDER / f"{name}.tsv", f"{hashes.FOLDER}/{name}.tsv"
        picked = {case_id: case for case_id, case in cases.items() if chosen is None or case_id in chosen}
        if not picked and chosen is not None:
            continue
        reason = "new"
        try:
            stored = hashes.read_hashes(path)
        except GoldenError as fault:
            stored, reason, picked = {}, str(fault), cases
        changes = []
        if chosen is None:
            for case_id in sorted(stored.keys() - sweeps[name].keys()):
                del stored[case_id]
                changes.append(HashChange("remove", file, case_id, "no case uses it"))
        changes += _compute(picked, stored, file, reason)
        if write and changes:
            with writing(path):
                hashes.write_hashes(root, name, stored)
        yield from changes
    for path in hashes.files_in(root) if chosen is None else ():
        if path.stem not in sweeps:
            if write:
                with writing(path):
                    path.unlink()
            yield HashChange("remove", f"{hashes.FOLDER}/{path.name}", "", "it does not belong to a sweep")


def _compute(cases: dict[str, Case], stored: hashes.HashEntries, file: str, reason: str) -> Iterator[HashChange]:
    """Put the hashes of cases into ``stored``. Raises ConformanceError with every case that must not have one."""
    unsound: list[str] = []
    changes: list[HashChange] = []
    for case_id, case in cases.items():
        old, fresh = stored.get(case_id), hashes.compute_entry(case)
        if old == fresh:
            continue
        unsound += _unsound(case)
        stored[case_id] = fresh
        if old is None:
            changes.append(HashChange("add", file, case_id, reason))
        else:
            same = old.case_hash == fresh.case_hash
            changes.append(HashChange("change", file, case_id, "the reference gives another output" if same else STALE))
    if unsound:
        raise ConformanceError("\n".join(unsound))
    yield from changes


def _unsound(case: Case) -> Iterator[str]:
    """Why a generated case must not have a golden. Only here are generated cases linted in full."""
    # Exact cases written by hand have to meet more: they are small, and every run has many values.
    found = lint_case(case.model_copy(update={"exact": False}))
    problems = [message for path, message in found if path[:2] != ("dynamic", "run") or path[2] == 0]
    if not problems and case.exact:
        problems += filter(None, [inexact(case)])
    yield from (f"{case.id} ({case.location}): {message}" for message in problems)
