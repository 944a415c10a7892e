"""How users select cases: by an id with or without its precision, a file, a folder, or a pattern with * and ?."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from trt_conformance.catalog.wildcards import one_of
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import CaseFolder


class CasePatterns:
    """Patterns of cases. A case matches if one of them does; without patterns, every case matches.

    A file or folder is named as messages show it, by its path within its folder of cases, or by any path that leads
    to it.
    """

    def __init__(self, given: Iterable[str]) -> None:
        self._globs = tuple(glob.removeprefix("./").rstrip("/") or glob for glob in given)
        self._expression = one_of(self._globs)
        self._paths = tuple(os.path.realpath(glob) for glob in self._globs if _exists(glob))
        self._files: dict[tuple[str, str], bool] = {}

    def __bool__(self) -> bool:
        return bool(self._globs)

    def match(self, case: Case) -> bool:
        """Whether a case matches."""
        return self.match_file(case.file, case.folder) or self.match_id(case.id)

    def match_id(self, case_id: str) -> bool:
        """Whether a full id matches, with its precision or without it."""
        return not self._globs or self._match_any((case_id, case_id.rpartition("-")[0]))

    def match_base(self, base_id: str) -> bool:
        """Whether an id without a precision matches; in a pattern with one, the precision does not count."""
        globs = tuple(name for glob in self._globs for name in (glob, glob.rpartition("-")[0]) if name)
        return not self._globs or one_of(globs).match(base_id) is not None

    def match_file(self, file: str, folder: CaseFolder) -> bool:
        """Whether a file matches, by its name in messages and the folder of cases that it belongs to."""
        if not self._globs:
            return True
        key = file, folder.name
        if key not in self._files:
            self._files[key] = self._match_file(PurePosixPath(file), folder)
        return self._files[key]

    def _match_file(self, file: PurePosixPath, folder: CaseFolder) -> bool:
        within = file.relative_to(folder.name)
        names = {*_with_folders(file), *_with_folders(within)}
        if self._match_any(names):
            return True
        if not self._paths:
            return False
        path = Path(os.path.realpath(folder.path / within))
        return any(path.is_relative_to(known) for known in self._paths)

    def _match_any(self, names: Iterable[str]) -> bool:
        return any(map(self._expression.match, names))


def _with_folders(file: PurePosixPath) -> list[str]:
    """A file and the folders that it is in, as a pattern may name them."""
    return [str(file), *(str(folder) for folder in file.parents if str(folder) not in (".", "/"))]


def _exists(name: str) -> bool:
    try:
        return os.path.exists(name)
    except ValueError:  # a NUL in the name
        return False
