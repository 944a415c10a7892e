"""Selects cases by the ids and patterns given to a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trt_conformance.core.errors import ConformanceError

if TYPE_CHECKING:
    from trt_conformance.catalog.catalog import Catalog
    from trt_conformance.core.case import Case
    from trt_conformance.core.case_folder import CaseFolder
    from trt_conformance.core.types import Tier

PATTERN_HELP = "Only these cases: an id, with or without its precision, a file, a folder, or a pattern with * and ?."


def read_catalog(folders: Sequence[CaseFolder], tier: Tier | None = "nightly", patterns: Sequence[str] = ()) -> Catalog:
    """Read the catalog of folders, with those generated cases of a tier that match the patterns: all without patterns.

    The suite's sweeps have tens of thousands of cases, and making all of them takes seconds. Files that were linted
    without a fault, by a run or another command, are not linted again until they change.

    Raises:
        CaseFileError: with every fault of the files.
    """
    from trt_conformance.catalog import catalog
    from trt_conformance.core.paths import users_cache

    return catalog.load_catalog(*folders, tier=tier, generated=patterns, linted=catalog.linted_files(users_cache()))


def select_cases(catalog: Catalog, patterns: Sequence[str]) -> tuple[Case, ...]:
    """The cases that match any of the patterns, in the catalog's order; all cases if there are no patterns.

    Raises:
        ConformanceError: a pattern matches no case.
    """
    for pattern in patterns:
        if not catalog.select([pattern]):
            folders = "".join(folder.options_of_cases for folder in catalog.folders)
            hint = catalog.similar(pattern) or f"; `trt-conformance cases list{folders}` lists them"
            raise ConformanceError(f"no case matches {pattern!r}{hint}")
    return catalog.select(patterns)


def one_case(catalog: Catalog, wanted: str) -> Case:
    """The one case of an id. The precision may be omitted if the case has only one.

    Raises:
        ConformanceError: no case or several cases have the id.
    """
    same = [case for case in catalog.cases if case.id == wanted] or catalog.by_base(wanted)
    if not same:
        raise ConformanceError(f"no case has the id {wanted!r}{catalog.similar(wanted)}")
    if len(same) > 1:
        ids = ", ".join(case.id for case in same)
        raise ConformanceError(f"{wanted} runs in several precisions; give one of {ids}")
    return same[0]
