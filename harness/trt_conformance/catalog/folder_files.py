"""The files of one folder of cases: which there are, their text, and the faults of those that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trt_conformance.catalog.case_file import Entry, read_entries
from trt_conformance.catalog.claims import Claim, check_claims_exist, check_claims_used, read_claims
from trt_conformance.catalog.source import Fault, Source, read_source, read_sources, toml_files
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import shown


@dataclass(frozen=True)
class FolderFiles:
    """The files of a folder: those that could be read, by kind, and the faults of the others."""

    folder: CaseFolder
    paths: list[Path]
    case_files: list[Source]
    sweeps: list[Source]
    has_claims: bool
    claims: Source | None
    faults: list[Fault]

    @classmethod
    def of(cls, folder: CaseFolder) -> FolderFiles:
        """Read every file of a folder.

        Raises:
            CaseFileError: a folder cannot be read, or a link leads back to a folder that contains it.
            ConformanceError: there is no such folder, or it has no case files.
        """
        check_folder(folder)
        every = toml_files(folder.path)
        paths = [path for path in every if folder.is_of_cases(path)]
        if not paths:
            raise ConformanceError(f"{folder.name}: no case files (*.toml) below it")
        faults: list[Fault] = []
        case_files = read_sources([path for path in paths if not folder.is_sweep(path)], faults, folder)
        sweeps = read_sources(filter(folder.is_sweep, paths), faults, folder)
        has_claims = folder.claims in every
        claims = read_sources([folder.claims] if has_claims else [], faults, folder)
        return cls(folder, paths, case_files, sweeps, has_claims, claims[0] if claims else None, faults)

    @cached_property
    def entries(self) -> list[Entry]:
        return [entry for source in self.case_files for entry in read_entries(source)]

    @property
    def unread(self) -> set[str]:
        """The stems of the files that could not be read."""
        return {path.stem for path in self.paths} - {source.stem for source in (*self.case_files, *self.sweeps)}

    @property
    def are_readable(self) -> bool:
        return not self.faults

    def all_faults(self) -> list[Fault]:
        """The faults of all files so far."""
        sources = (*self.case_files, *self.sweeps, *([self.claims] if self.claims else []))
        return [*self.faults, *(fault for source in sources for fault in source.faults)]


def check_folder(folder: CaseFolder) -> None:
    """Raise ConformanceError if there is no such folder, or it cannot be read."""
    try:
        folder.path.stat()
        if not folder.path.is_dir():
            raise ConformanceError(f"{folder.name}: is a file; name the folder that it is in")
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        raise ConformanceError(f"{folder.name}: no such directory") from None
    except OSError as fault:
        raise ConformanceError(f"{folder.name}: cannot be read: {fault.strerror}") from None


def checked_claims(read: Sequence[FolderFiles]) -> dict[str, Claim]:
    """Return the claims of the folders by id, and those of the suite's claims that their cases cite.

    Whether entries match claims is checked only where both could be read.
    """
    claims: dict[str, Claim] = {}
    first: dict[str, CaseFolder] = {}
    for files in read:
        indexed = {} if files.claims is None else read_claims(files.claims)
        own = {claim.id: claim for claim in indexed.values()}
        if files.claims is not None and files.are_readable:
            check_claims_used(files.claims, indexed, files.entries)
        cited = {claim for entry in files.entries for claim in entry.claims if isinstance(claim, str)}
        shared = {} if files.folder.is_suite or cited <= own.keys() else _claims_of_suite()
        if files.claims is not None or not files.has_claims:
            check_claims_exist(files.entries, own | shared)
        for index, claim in indexed.items():
            other = first.setdefault(claim.id, files.folder)
            if files.claims is not None and other is not files.folder:
                files.claims.fault(("claim", index), f"claim {shown(claim.id)} is also in {other.name}")
        claims |= own | {name: claim for name, claim in shared.items() if name in cited and name not in own}
    return claims


def _claims_of_suite() -> dict[str, Claim]:
    return {claim.id: claim for claim in read_claims(read_source(SUITE.claims)).values()}
