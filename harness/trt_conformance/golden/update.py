"""Writes the goldens that the cases need, and reports beforehand what that would change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import relative
from trt_conformance.golden import manifest
from trt_conformance.golden.content import Content, GoldenError, join, split
from trt_conformance.golden.differences import faults, largest_difference
from trt_conformance.golden.files import files_in, kind_of, read_listed_file
from trt_conformance.golden.lock import Notify, ReadOnlyStore, ignore, locked, temporaries, writing
from trt_conformance.golden.plan import Golden, plan
from trt_conformance.golden.store import GoldenFile, encode_golden_file, file_hash, write_golden_file
from trt_conformance.golden.update_hashes import update_hashes

Action = Literal["add", "change", "remove", "manifest"]


@dataclass(frozen=True)
class GoldenChange:
    """One change of the store: a golden (``group`` of ``file``), a whole file, or the manifest's lines about a file.

    ``difference`` is the largest difference between old and new values; None if there is nothing to compare.
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


def diff(catalog: Catalog, cases: Sequence[Case] | None = None, root: Path | None = None) -> list[GoldenChange]:
    """What `update` would change. Raises the errors of `update`, except those of writing."""
    return _apply(catalog, cases, root or _store_of(catalog), write=False)


def update(
    catalog: Catalog, cases: Sequence[Case] | None = None, root: Path | None = None, notify: Notify = ignore
) -> list[GoldenChange]:
    """Bring the documented and reference goldens of the given cases of the catalog, by default all, up to date.

    The bytes of a correct golden do not change. A file that is not the one the manifest lists is not read: all
    its goldens are written again. If the manifest itself cannot be read, every golden is checked and listed again.
    Goldens that no case uses are removed only if no cases are given. Each file is written whole or not at all, the
    manifest last. Observed goldens are not touched. Other processes that update the same store wait; ``notify`` is
    called with a message if this one has to wait.

    Args:
        catalog: the cases of one folder.
        cases: those whose goldens to write.
        root: the store; by default that of the folder.
        notify: shows a message.

    Raises:
        ConformanceError: two cases would share a golden but differ, a generated case is not exact or could be passed
            by a wrong convolution, or the store cannot be written.
    """
    root = root or _store_of(catalog)
    try:
        with locked(root, notify):
            removed = list(_remove_temporaries(root))
            return [*removed, *_apply(catalog, cases, root, write=True)]
    except ReadOnlyStore:
        if diff(catalog, cases, root):
            raise
        return []


def _store_of(catalog: Catalog) -> Path:
    (folder,) = catalog.folders
    return folder.golden


@dataclass
class _FileUpdate:
    """The new content of a file, None to delete it; the changes; and the manifest's lines for it."""

    file: str
    data: bytes | None
    changes: list[GoldenChange] = field(default_factory=list)
    lines: manifest.Entries = field(default_factory=dict)


def _apply(catalog: Catalog, cases: Sequence[Case] | None, root: Path, write: bool) -> list[GoldenChange]:
    chosen = None if cases is None else {case.id for case in cases}
    listed, lost = _listed(root)
    lines = dict(listed or {})
    changes: list[GoldenChange] = []
    handled: set[str] = set()
    for step in _file_updates(plan(catalog.cases), chosen, root, listed):
        handled.add(step.file)
        changes += step.changes
        if not step.changes and step.lines != manifest.lines_of(step.file, lines):
            changes.append(GoldenChange("manifest", step.file, "", lost or "its lines do not match the file"))
        lines = {key: line for key, line in lines.items() if manifest.file_of(key) != step.file} | step.lines
        if write and step.changes:
            _write(root, step)
    changes += _other_lines(root, lines, handled, rebuild=listed is None, drop=chosen is None)
    if write and changes:
        with writing(root / manifest.NAME):
            manifest.write_manifest(root, lines)
    generated = (GoldenChange(*change) for change in update_hashes(catalog, chosen, root, write))
    return [*changes, *generated]


def _remove_temporaries(root: Path) -> Iterator[GoldenChange]:
    """Delete what killed writers left behind. No other process writes while the store is locked."""
    for path in temporaries(root):
        with writing(path):
            path.unlink(missing_ok=True)
        file = path.relative_to(root).as_posix()
        yield GoldenChange("remove", file, "", "an unfinished file that an interrupted update left behind")


def _listed(root: Path) -> tuple[manifest.Entries | None, str]:
    """The manifest's lines; or None and the reason, if they are lost and have to be rebuilt."""
    if not (root / manifest.NAME).exists() and not files_in(root):
        return {}, ""
    try:
        return manifest.read_manifest(root), ""
    except GoldenError as fault:
        return None, f"{manifest.NAME} {fault}"


def _other_lines(
    root: Path, lines: manifest.Entries, handled: set[str], rebuild: bool, drop: bool
) -> Iterator[GoldenChange]:
    """Drop the lines of files that do not exist, and where the manifest is rebuilt, list the files not yet handled."""
    present = set(files_in(root))
    for file in sorted({manifest.file_of(key) for key in lines} - present - handled if drop else ()):
        for key in manifest.lines_of(file, lines):
            del lines[key]
        yield GoldenChange("manifest", file, "", "the file does not exist")
    for file in sorted(present - handled if rebuild else ()):
        try:
            lines.update(manifest.entries(file, read_listed_file(root, file, None)))
        except GoldenError:
            continue  # `verify` reports it
        yield GoldenChange("manifest", file, "", "the file is not listed")


def _write(root: Path, step: _FileUpdate) -> None:
    path = root / step.file
    with writing(path):
        if step.data is None:
            path.unlink()
        else:
            write_golden_file(path, step.data)


def _file_updates(
    wanted: dict[str, dict[str, Golden]], chosen: set[str] | None, root: Path, listed: manifest.Entries | None
) -> Iterator[_FileUpdate]:
    for file, goldens in wanted.items():
        picked = {
            group: golden
            for group, golden in goldens.items()
            if chosen is None or listed is None or any(case.id in chosen for case in golden.cases)
        }
        if picked:
            yield _file_update(file, goldens, picked, root, listed, remove_unused=chosen is None)
    for file in files_in(root) if chosen is None else ():
        if file not in wanted and not file.startswith("observed/"):
            try:
                read_listed_file(root, file, listed)
            except GoldenError:
                continue  # it may be somebody else's file; `verify` reports it
            yield _FileUpdate(file, None, [GoldenChange("remove", file, "", "no case uses it")])


def _file_update(
    file: str,
    goldens: dict[str, Golden],
    picked: dict[str, Golden],
    root: Path,
    listed: manifest.Entries | None,
    remove_unused: bool,
) -> _FileUpdate:
    """The file with the picked goldens corrected; with all of them if it cannot be read."""
    changes: list[GoldenChange] = []
    reason = "new"
    before: GoldenFile | None = None
    stored: dict[str, Content] = {}
    try:
        before = read_listed_file(root, file, listed)
        stored = split(before.content)
    except GoldenError as fault:
        if fault.kind != "missing":
            picked, reason = goldens, f"the file {fault}"
            _check_replaceable(root / file)
    if remove_unused:
        for group in sorted(stored.keys() - goldens.keys()):
            del stored[group]
            changes.append(GoldenChange("remove", file, group, "no case uses it"))
    for group, golden in picked.items():
        fresh, old = golden.content(), stored.get(group)
        if old is None:
            changes.append(GoldenChange("add", file, group, reason))
        elif found := faults(old, fresh, golden.case):
            changes.append(GoldenChange("change", file, group, found[0].message, largest_difference(old, fresh)))
        else:
            continue
        stored[group] = fresh
    if before is not None and not changes:
        after, data = before, b""
    else:
        content = join(stored)
        data = encode_golden_file(kind_of(file), content)
        after = GoldenFile(content, file_hash(data))
    return _FileUpdate(file, data, changes, _lines(file, after, picked, listed if before else None))


def _check_replaceable(path: Path) -> None:
    """A folder, FIFO or link where a golden file should be is not replaced: it may be there on purpose."""
    if path.is_symlink() or not path.is_file():
        raise ConformanceError(f"{relative(path)} is not a regular file; delete or move it, then update again")


def _lines(
    file: str, after: GoldenFile, picked: dict[str, Golden], listed: manifest.Entries | None
) -> manifest.Entries:
    """The manifest's lines of a file: computed for the goldens that were checked, and as they were for the others.

    So a golden that is not what the manifest lists stays reported until it is itself checked and updated.
    """
    fresh = manifest.entries(file, after)
    if listed is None:
        return fresh
    checked = {key: line for key, line in fresh.items() if manifest.golden_of(key) in {"", *picked}}
    groups = {manifest.golden_of(key) for key in fresh}
    old = {
        key: line
        for key, line in manifest.lines_of(file, listed).items()
        if manifest.golden_of(key) in groups - {"", *picked}
    }
    return old | checked
