"""Checks the store, or the goldens of some cases, against the cases, its manifest, and the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.words import counted
from trt_conformance.golden import hashes, manifest
from trt_conformance.golden.content import Content, GoldenError, Kind, split
from trt_conformance.golden.differences import GoldenFault, faults, hash_fault
from trt_conformance.golden.files import files_in, read_listed_file
from trt_conformance.golden.observed import observed_file, observed_group
from trt_conformance.golden.plan import Golden, file_of, plan


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file of the store (relative to its root), and which case it concerns, if it is one."""

    kind: Kind
    file: str
    case: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.case + ': ' if self.case else ''}{self.file} {self.message}"


class _Choice:
    """The cases whose goldens are checked. If they are all, what no case uses is a problem, too."""

    def __init__(self, cases: Sequence[Case] | None) -> None:
        self.is_all = cases is None
        self._ids = {case.id for case in cases or ()}
        self._files = {file_of(case) for case in cases or ()}

    def __contains__(self, case: Case) -> bool:
        return self.is_all or case.id in self._ids

    def of(self, wanted: dict[str, dict[str, Golden]]) -> dict[str, dict[str, Golden]]:
        """What is checked of the goldens by file and group."""
        picked = {
            file: {group: golden for group, golden in goldens.items() if any(case in self for case in golden.cases)}
            for file, goldens in wanted.items()
        }
        return {file: goldens for file, goldens in picked.items() if goldens}

    def present(self, files: Sequence[str]) -> list[str]:
        """The files to read even if no golden is expected in them: observed goldens, or all."""
        return [file for file in files if self.is_all or file in self._observed(file)]

    def _observed(self, file: str) -> set[str]:
        """The files that could have observed goldens of these cases, of the target that a file's name gives."""
        folder = "/".join(file.split("/")[:2])
        return {f"{folder}/{name}" for name in self._files} if folder.startswith("observed/") else set()


def verify(
    catalog: Catalog,
    root: Path | None = None,
    cases: Sequence[Case] | None = None,
    recompute_hashed: bool = True,
    show: Callable[[str], None] = lambda state: None,
) -> list[Problem]:
    """Find every problem of a store, in the order of files; the list is empty if there is none.

    Args:
        catalog: the cases of one folder.
        root: the store; by default that of the folder.
        cases: those whose goldens to check; by default all, and that there are no others.
        recompute_hashed: recompute the outputs that are stored as hashes. Running such a case checks them too.
        show: called often, with the progress.

    Raises:
        GoldenError: two cases would share a golden but differ in its content.
    """
    (folder,) = catalog.folders
    root = root or folder.golden
    choice = _Choice(cases)
    wanted = choice.of(plan(catalog.cases))
    problems: list[Problem] = []
    listed: manifest.Entries | None = None
    present = choice.present(files_in(root))
    try:
        listed = manifest.read_manifest(root)
    except GoldenError as fault:
        if wanted or present:
            advice = f"restore it from version control, or rebuild it: {_update(folder)}"
            problems.append(Problem("manifest", manifest.NAME, "", f"{fault}; {advice}"))
    files = sorted({*wanted, *present})
    for number, file in enumerate(files, 1):
        show(f"file {number} of {len(files)}: {file}")
        try:
            golden_file = read_listed_file(root, file, listed)
        except GoldenError as fault:
            problems.append(_unusable(file, wanted.get(file), fault, folder))
            continue
        goldens = split(golden_file.content)
        if file.startswith("observed/"):
            problems += _observed(catalog, file, goldens, choice)
        else:
            problems += _expected(file, goldens, wanted.get(file, {}), folder, choice)
        if listed is not None:
            picked = None if choice.is_all else {"", *wanted.get(file, {}), *_observed_groups(catalog, file, choice)}
            problems += _unlisted(file, manifest.entries(file, golden_file), listed, folder, picked)
    gone = {manifest.file_of(key) for key in listed or ()} - {*wanted, *present} if choice.is_all else set()
    for file in sorted(gone):
        problems.append(
            Problem("manifest", file, "", f"is listed in {manifest.NAME} but does not exist; {_update(folder)}")
        )
    return [*problems, *_hashed(catalog, root, choice, recompute_hashed, show)]


def _hashed(
    catalog: Catalog, root: Path, choice: _Choice, recompute: bool, show: Callable[[str], None]
) -> Iterator[Problem]:
    """Problems of the hashes. A generated case of a tier that is not loaded only needs to have one."""
    (folder,) = catalog.folders
    wanted = hashes.hash_files(catalog)
    for file in sorted({*hashes.files_in(root)} - {*wanted} if choice.is_all else ()):
        yield Problem("extra", file, "", f"is not used by any case; {_update(folder)}")
    for file, needed in sorted(wanted.items()):
        cases = {case_id: case for case_id, case in needed.cases.items() if case in choice}
        if not cases and not choice.is_all:
            continue
        try:
            entries = hashes.read_hashes(root / file)
        except GoldenError as fault:
            yield Problem(fault.kind, file, "", f"{fault}; {_update(folder, repr(needed.source))}")
            continue
        for case_id in sorted((needed.ids if choice.is_all else cases.keys()) - entries.keys()):
            yield Problem("missing", file, case_id, f"has no golden for this case; {_update(folder, repr(case_id))}")
        for case_id in sorted(entries.keys() - needed.ids if choice.is_all else ()):
            yield Problem("extra", file, case_id, f"has a golden that no case uses; {_update(folder)}")
        for number, (case_id, case) in enumerate(cases.items(), 1):
            show(f"{file}: case {number} of {len(cases)}: {case_id}")
            found = _entry_fault(case, entries[case_id], recompute) if case_id in entries else None
            if found is not None:
                yield Problem(found.kind, file, case_id, f"{found.message}; {_update(folder, repr(case_id))}")


def _entry_fault(case: Case, entry: hashes.HashEntry, recompute: bool) -> GoldenFault | None:
    try:
        return hashes.entry_fault(case, entry, recompute)
    except GoldenError as fault:
        return GoldenFault(fault.kind, str(fault))


def _update(folder: CaseFolder, case: str = "") -> str:
    return f"run `trt-conformance golden update{' ' + case if case else ''}{folder.options}` and review the change"


def _unusable(file: str, goldens: dict[str, Golden] | None, fault: GoldenError, folder: CaseFolder) -> Problem:
    if file.startswith("observed/"):
        advice = "restore it, or delete it and observe its cases again"
        return Problem(fault.kind, file, "", f"{fault}; {advice}")
    if goldens is None:
        return Problem(fault.kind, file, "", f"{fault}, and no case uses it; delete it")
    first = next(iter(goldens.values())).case
    needed = f"{counted(len(goldens), 'golden')} needed there"
    return Problem(fault.kind, file, first.id, f"{fault}, {needed}; {_update(folder, repr(first.file))}")


def _expected(
    file: str, goldens: dict[str, Content], wanted: dict[str, Golden], folder: CaseFolder, choice: _Choice
) -> Iterator[Problem]:
    if not wanted:
        yield Problem("extra", file, "", f"is not used by any case; {_update(folder)}")
        return
    for group in sorted(goldens.keys() - wanted.keys() if choice.is_all else ()):
        yield Problem("extra", file, "", f"has {_named(group)}, which no case uses; {_update(folder)}")
    for group, golden in wanted.items():
        case = golden.case
        if group not in goldens:
            yield Problem("missing", file, case.id, f"has no group {group}; {_update(folder, case.id)}")
            continue
        for fault in faults(goldens[group], golden.content(), case):
            yield Problem(fault.kind, file, case.id, f"{group}: {fault.message}; {_update(folder, case.id)}")


def _observed_groups(catalog: Catalog, file: str, choice: _Choice) -> dict[str, Case]:
    """The chosen cases by their group in a file of observed goldens."""
    if not file.startswith("observed/"):
        return {}
    target = file.split("/")[1]
    return {observed_group(c): c for c in catalog.cases if c in choice and observed_file(target, c) == file}


def _observed(catalog: Catalog, file: str, goldens: dict[str, Content], choice: _Choice) -> Iterator[Problem]:
    target = file.split("/")[1]
    cases = _observed_groups(catalog, file, choice)
    again = "observe it again with `trt-conformance golden observe"
    for group, content in goldens.items():
        case = cases.get(group)
        if case is None and not choice.is_all:
            continue
        if case is None:
            advice = "delete the file, and observe again the cases that are still of interest"
            yield Problem("extra", file, "", f"has {_named(group)}, which no case uses; {advice}")
            continue
        fault = hash_fault(content, case)
        if fault is not None:
            yield Problem(
                fault.kind,
                file,
                case.id,
                f"{group}: {fault.message}; {again} --target {target} {case.id}{case.folder.options}`",
            )


def _named(group: str) -> str:
    return group or "datasets at its top level"


def _unlisted(
    file: str, lines: manifest.Entries, listed: manifest.Entries, folder: CaseFolder, picked: set[str] | None
) -> Iterator[Problem]:
    """Differences between a file and the manifest's lines about it, one problem for each golden, or each picked one."""
    here = manifest.lines_of(file, listed)
    wrong: dict[str, list[str]] = {}
    for key in sorted(lines.keys() | here.keys()):
        if lines.get(key) != here.get(key) and (picked is None or manifest.golden_of(key) in picked):
            wrong.setdefault(manifest.golden_of(key), []).append(key.partition(":")[2])
    for names in wrong.values():
        message = f"{', '.join(names)}: not what {manifest.NAME} lists; restore file and manifest, or {_update(folder)}"
        yield Problem("manifest", file, "", message)
