"""Checks the store against the cases, its own manifest, and the reference computed anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.case import Case
from trt_conformance.core.paths import GOLDEN
from trt_conformance.golden import hashes, manifest
from trt_conformance.golden.differences import faults, hash_fault
from trt_conformance.golden.observed import observed_file, observed_group
from trt_conformance.golden.plan import Golden, plan
from trt_conformance.golden.store import Content, GoldenError, Kind, load, split

KINDS = ("documented", "reference", "observed")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file of the store (relative to its root), and which case it concerns, if one."""

    kind: Kind
    file: str
    case: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.case + ': ' if self.case else ''}{self.file} {self.message}"


def verify(catalog: Catalog, root: Path = GOLDEN, recompute_generated: bool = True) -> list[Problem]:
    """Every problem of the store at ``root``, by file; empty where the store is whole, right and used.

    Outputs of generated cases need not be computed anew here: whoever runs such a case does that.

    Raises:
        GoldenError: two cases would share a golden but differ in what it holds.
    """
    wanted = plan(catalog.cases)
    problems: list[Problem] = []
    listed: manifest.Entries | None = None
    try:
        listed = manifest.read(root)
    except GoldenError as fault:
        if wanted or files_in(root):
            problems.append(Problem("manifest", manifest.NAME, "", f"{fault}: {_update()}"))
    present = files_in(root)
    for file in sorted({*wanted, *present}):
        try:
            content = load(root / file, kind_of(file))
        except GoldenError as fault:
            problems.append(_unusable(file, wanted.get(file), fault))
            continue
        goldens = split(content)
        if file.startswith("observed/"):
            problems += _observed(catalog, file, goldens)
        else:
            problems += _expected(file, goldens, wanted.get(file, {}))
        if listed is not None:
            problems += _unlisted(file, manifest.entries(file, content), listed)
    for file in sorted({manifest.file_of(key) for key in listed or ()} - {*wanted, *present}):
        problems.append(Problem("manifest", file, "", f"is listed in {manifest.NAME} but does not exist: {_update()}"))
    return [*problems, *_generated(catalog, root, recompute_generated)]


def _generated(catalog: Catalog, root: Path, recompute: bool) -> Iterator[Problem]:
    """What is wrong with the hashes of generated cases. Of cases of a larger tier, only whether they have one."""
    generated = hashes.generated(catalog)
    sweeps = {f"{hashes.FOLDER}/{expanded.sweep.name}.tsv": expanded for expanded in catalog.sweeps}
    present = [path.relative_to(root).as_posix() for path in hashes.files_in(root)]
    for file in sorted({*sweeps, *present}):
        if file not in sweeps:
            yield Problem("extra", file, "", "is of no sweep: delete it")
            continue
        ids = sweeps[file].ids
        try:
            entries = hashes.read(root / file)
        except GoldenError as fault:
            yield Problem(fault.kind, file, "", f"{fault}: {_update(repr(sweeps[file].sweep.file))}")
            continue
        for case_id in sorted(ids.keys() - entries.keys()):
            yield Problem("missing", file, case_id, f"has no golden of it: {_update(repr(case_id))}")
        for case_id in sorted(entries.keys() - ids.keys()):
            yield Problem("extra", file, case_id, f"is of no case: {_update()}")
        for case_id, case in generated[sweeps[file].sweep.name].items():
            found = hashes.fault(case, entries[case_id], recompute) if case_id in entries else None
            if found is not None:
                yield Problem(found.kind, file, case_id, f"{found.message}: {_update(repr(case_id))}")


def files_in(root: Path) -> list[str]:
    """Every file below the three kinds, relative to the root, with forward slashes."""
    return sorted(
        path.relative_to(root).as_posix() for kind in KINDS for path in (root / kind).rglob("*") if path.is_file()
    )


def kind_of(file: str) -> str:
    """What a file says it holds: documented, reference or observed/TARGET."""
    parts = file.split("/")
    return "/".join(parts[:2]) if parts[0] == "observed" else parts[0]


def _update(case: str = "") -> str:
    return f"run `trt-conformance golden update{' ' + case if case else ''}` and review the change"


def _unusable(file: str, goldens: dict[str, Golden] | None, fault: GoldenError) -> Problem:
    if file.startswith("observed/"):
        return Problem(fault.kind, file, "", f"{fault}: delete it, and observe again what is still wanted")
    if goldens is None:
        return Problem(fault.kind, file, "", f"{fault}, and no case uses it: delete it")
    first = next(iter(goldens.values())).case
    needed = f"{len(goldens)} golden{'' if len(goldens) == 1 else 's'} needed there"
    return Problem(fault.kind, file, first.id, f"{fault}, {needed}: {_update(repr(first.file))}")


def _expected(file: str, goldens: dict[str, Content], wanted: dict[str, Golden]) -> Iterator[Problem]:
    if not wanted:
        yield Problem("extra", file, "", f"is used by no case: {_update()}")
        return
    for group in sorted(goldens.keys() - wanted.keys()):
        yield Problem("extra", file, "", f"has {group or 'datasets at its top'}, which no case uses: {_update()}")
    for group, golden in wanted.items():
        case = golden.case
        if group not in goldens:
            yield Problem("missing", file, case.id, f"has no group {group}: {_update(case.id)}")
            continue
        for fault in faults(goldens[group], golden.content(), case):
            yield Problem(fault.kind, file, case.id, f"{group}: {fault.message}: {_update(case.id)}")


def _observed(catalog: Catalog, file: str, goldens: dict[str, Content]) -> Iterator[Problem]:
    target = file.split("/")[1]
    cases: dict[str, Case] = {observed_group(c): c for c in catalog.cases if observed_file(target, c) == file}
    again = "observe it again with `trt-conformance golden observe"
    for group, content in goldens.items():
        case = cases.get(group)
        if case is None:
            advice = "delete the file, and observe again what is still wanted"
            yield Problem("extra", file, "", f"has {group or 'datasets at its top'}, which no case uses: {advice}")
            continue
        fault = hash_fault(content, case)
        if fault is not None:
            yield Problem(fault.kind, file, case.id, f"{group}: {fault.message}: {again} --target {target} {case.id}`")


def _unlisted(file: str, lines: manifest.Entries, listed: manifest.Entries) -> Iterator[Problem]:
    """Where a file and the manifest's lines about it differ, one problem a golden."""
    here = {key: line for key, line in listed.items() if manifest.file_of(key) == file}
    wrong: dict[str, list[str]] = {}
    for key in sorted(lines.keys() | here.keys()):
        if lines.get(key) != here.get(key):
            wrong.setdefault(manifest.golden_of(key), []).append(key.partition(":")[2])
    for names in wrong.values():
        what = f"{', '.join(names)}: not what {manifest.NAME} lists"
        yield Problem("manifest", file, "", f"{what}: restore the file and the manifest, or {_update()}")
