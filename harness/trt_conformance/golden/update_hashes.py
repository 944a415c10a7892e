"""Updates the goldens that are hashes."""

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
    """Compute the hashes of the chosen cases, None for all, and write what changed if ``write``.

    Hashes that no case uses are removed if all cases are chosen.

    Raises:
        ConformanceError: a generated case is not exact or could be passed by a wrong convolution, or an output cannot
            be hashed, so that the case gets no golden; or a file cannot be written.
    """
    wanted = hashes.hash_files(catalog)
    for file, needed in sorted(wanted.items()):
        path = root / file
        picked = {case_id: case for case_id, case in needed.cases.items() if chosen is None or case_id in chosen}
        if not picked and chosen is not None:
            continue
        reason = "new"
        try:
            stored = hashes.read_hashes(path)
        except GoldenError as fault:
            stored, reason, picked = {}, str(fault), _all(catalog, needed)
        changes = []
        if chosen is None:
            for case_id in sorted(stored.keys() - needed.ids):
                del stored[case_id]
                changes.append(HashChange("remove", file, case_id, "no case uses it"))
        changes += _compute(picked, stored, file, reason)
        if write and changes:
            with writing(path):
                hashes.write_hashes(root, file, stored)
        yield from changes
    for file in hashes.files_in(root) if chosen is None else ():
        if file not in wanted:
            if write:
                with writing(root / file):
                    (root / file).unlink()
            yield HashChange("remove", file, "", "no case uses it")


def _all(catalog: Catalog, needed: hashes.HashFile) -> dict[str, Case]:
    """The cases of a file that is rewritten: those that the catalog has, and the generated ones that it can make."""
    made = {case_id: catalog.find(case_id) for case_id in sorted(needed.ids - needed.cases.keys())}
    return needed.cases | {case_id: case for case_id, case in made.items() if case is not None}


def _compute(cases: dict[str, Case], stored: hashes.HashEntries, file: str, reason: str) -> Iterator[HashChange]:
    """Put the hashes of cases into ``stored``. Raises ConformanceError with every case that must not have one."""
    unsound: list[str] = []
    changes: list[HashChange] = []
    for case_id, case in cases.items():
        old = stored.get(case_id)
        fresh = hashes.compute_entry(case, old)
        if old == fresh:
            continue
        unsound += _unsound(case) if case.tier is not None else ()
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
