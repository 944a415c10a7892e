"""Writes what the cases call for, and says beforehand what that would change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import GOLDEN
from trt_conformance.golden import hashes, manifest
from trt_conformance.golden.differences import faults, largest_difference
from trt_conformance.golden.plan import Golden, plan
from trt_conformance.golden.store import Content, GoldenError, join, load, save, split
from trt_conformance.golden.verify import files_in, kind_of
from trt_conformance.numerics.exactness import inexact

Action = Literal["add", "change", "remove", "manifest"]


@dataclass(frozen=True)
class Change:
    """One change of the store: a golden (``group`` of ``file``), or the manifest's lines about a file.

    ``difference`` is the largest difference between old and new values; None where there is nothing to compare.
    """

    action: Action
    file: str
    group: str
    reason: str
    difference: float | None = None

    def __str__(self) -> str:
        moved = "" if self.difference is None else f"; values change by at most {self.difference:.3g}"
        where = f"{self.file}:{self.group}" if self.group else self.file
        return f"{self.action} {where} ({self.reason}{moved})"


def diff(catalog: Catalog, globs: Iterable[str] = (), root: Path = GOLDEN) -> list[Change]:
    """What `update` would change. Raises as it does."""
    return _apply(catalog, tuple(globs), root, writing=False)


def update(catalog: Catalog, globs: Iterable[str] = (), root: Path = GOLDEN) -> list[Change]:
    """Make the documented and reference goldens of the chosen cases (by default all) what the cases call for.

    A golden that is right stays as it is, to the byte. Goldens that no case uses are removed only where no
    globs are given. Each file is written whole or not at all, the manifest last. Observed goldens are not touched.

    Raises:
        ConformanceError: a glob matches no case, or two cases would share a golden but differ.
        OSError: the disk refuses a file.
    """
    return _apply(catalog, tuple(globs), root, writing=True)


@dataclass
class _Step:
    """The new content of a file (None: it goes), and what that changes."""

    file: str
    content: Content | None
    changes: list[Change] = field(default_factory=list)


def _apply(catalog: Catalog, globs: tuple[str, ...], root: Path, writing: bool) -> list[Change]:
    chosen = _chosen(catalog, globs)
    listed, lost = _listed(root)
    lines = dict(listed)
    changes: list[Change] = []
    touched: set[str] = set()
    for step in _steps(plan(catalog.cases), chosen, root):
        touched.add(step.file)
        changes += step.changes
        fresh = {} if step.content is None else manifest.entries(step.file, step.content)
        if not step.changes and fresh != _about(step.file, listed):
            changes.append(Change("manifest", step.file, "", "its lines are not those of the file"))
        lines = {key: line for key, line in lines.items() if manifest.file_of(key) != step.file} | fresh
        if writing and step.changes:
            _write(root, step)
    changes += _keep_up(root, lines, touched, rebuild=lost, drop=chosen is None)
    if writing and changes:
        manifest.write(root, lines)
    return [*changes, *_generated(catalog, chosen, root, writing)]


def _generated(catalog: Catalog, chosen: set[str] | None, root: Path, writing: bool) -> Iterator[Change]:
    """Bring the hashes of generated cases up to date; files of sweeps that are gone go, too."""
    ids = {expanded.sweep.name: expanded.ids for expanded in catalog.sweeps}
    unsound: list[str] = []
    for name, cases in hashes.generated(catalog).items():
        path, file = root / hashes.FOLDER / f"{name}.tsv", f"{hashes.FOLDER}/{name}.tsv"
        why = "new"
        try:
            stored = hashes.read(path)
        except GoldenError as fault:
            stored, why = {}, str(fault)
        changes = []
        if chosen is None:
            for case_id in sorted(stored.keys() - ids[name].keys()):
                del stored[case_id]
                changes.append(Change("remove", file, case_id, "no case uses it"))
        for case_id, case in cases.items():
            if chosen is not None and case_id not in chosen:
                continue
            old, fresh = stored.get(case_id), hashes.compute(case)
            if old == fresh:
                continue
            unsound += _unsound(case)
            stored[case_id] = fresh
            same = old is not None and old.case_hash == fresh.case_hash
            reason = (
                why
                if old is None
                else "the reference gives something else"
                if same
                else "the case's data changed since"
            )
            changes.append(Change("add" if old is None else "change", file, case_id, reason))
        if unsound:
            raise ConformanceError("\n".join(unsound))
        if writing and changes:
            hashes.write(root, name, stored)
        yield from changes
    for path in hashes.files_in(root) if chosen is None else ():
        if path.stem not in ids:
            if writing:
                path.unlink()
            yield Change("remove", f"{hashes.FOLDER}/{path.name}", "", "no sweep uses it")


def _unsound(case: Case) -> Iterator[str]:
    """A generated case is looked at in full only here: it gets no golden where it proves nothing or is not exact."""
    # Of exact cases written by hand more is asked: that they are small, and that every run has many values.
    found = lint_case(case.model_copy(update={"exact": False}))
    problems = [message for path, message in found if path[:2] != ("dynamic", "run") or path[2] == 0]
    if not problems and case.exact:
        problems += filter(None, [inexact(case)])
    yield from (f"{case.id} ({case.location}): {message}" for message in problems)


def _chosen(catalog: Catalog, globs: tuple[str, ...]) -> set[str] | None:
    """Ids of the chosen cases; None for all."""
    for glob in globs:
        if not catalog.select([glob]):
            raise ConformanceError(f"no case matches {glob!r} (`trt-conformance cases list` shows them)")
    return {case.id for case in catalog.select(globs)} if globs else None


def _listed(root: Path) -> tuple[manifest.Entries, bool]:
    """The manifest's lines, and whether they are lost and must be made anew."""
    try:
        return manifest.read(root), False
    except GoldenError:
        return {}, True


def _about(file: str, lines: manifest.Entries) -> manifest.Entries:
    return {key: line for key, line in lines.items() if manifest.file_of(key) == file}


def _keep_up(root: Path, lines: manifest.Entries, touched: set[str], rebuild: bool, drop: bool) -> Iterator[Change]:
    """Bring the lines about files that were not touched up to date: all of them where the manifest is lost."""
    present = set(files_in(root))
    for file in sorted({manifest.file_of(key) for key in lines} - present - touched if drop else ()):
        for key in _about(file, lines):
            del lines[key]
        yield Change("manifest", file, "", "there is no such file")
    for file in sorted(present - touched if rebuild else ()):
        try:
            lines.update(manifest.entries(file, load(root / file, kind_of(file))))
        except GoldenError:
            continue
        yield Change("manifest", file, "", "it is not listed")


def _write(root: Path, step: _Step) -> None:
    path = root / step.file
    if step.content is None:
        path.unlink()
    else:
        save(path, kind_of(step.file), step.content)


def _steps(wanted: dict[str, dict[str, Golden]], chosen: set[str] | None, root: Path) -> Iterator[_Step]:
    for file, goldens in wanted.items():
        picked = {
            group: golden
            for group, golden in goldens.items()
            if chosen is None or any(case.id in chosen for case in golden.cases)
        }
        if picked:
            yield _step(file, goldens, picked, root, sweep=chosen is None)
    for file in files_in(root) if chosen is None else ():
        if file not in wanted and not file.startswith("observed/"):
            try:
                load(root / file, kind_of(file))
            except GoldenError:
                continue  # not ours to delete; `verify` reports it
            yield _Step(file, None, [Change("remove", file, "", "no case uses it")])


def _step(file: str, goldens: dict[str, Golden], picked: dict[str, Golden], root: Path, sweep: bool) -> _Step:
    """The file with the picked goldens made right, and where it cannot be read, all of them."""
    changes, why = [], "new"
    try:
        stored = split(load(root / file, kind_of(file)))
    except GoldenError as fault:
        stored = {}
        if fault.kind != "missing":
            picked, why = goldens, f"the file {fault}"
    if sweep:
        for group in sorted(stored.keys() - goldens.keys()):
            del stored[group]
            changes.append(Change("remove", file, group, "no case uses it"))
    for group, golden in picked.items():
        fresh, old = golden.content(), stored.get(group)
        if old is None:
            changes.append(Change("add", file, group, why))
        elif found := faults(old, fresh, golden.case):
            changes.append(Change("change", file, group, found[0].message, largest_difference(old, fresh)))
        else:
            continue
        stored[group] = fresh
    return _Step(file, join(stored), changes)
