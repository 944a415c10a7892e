"""Cases as a user of the command names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trt_conformance.core.errors import ConformanceError

if TYPE_CHECKING:
    from trt_conformance.catalog.catalog import Catalog
    from trt_conformance.core.case import Case
    from trt_conformance.core.types import Tier


def load(root: Path, tier: Tier = "nightly") -> Catalog:
    """The catalog under a folder. Raises CaseFileError with every fault."""
    from trt_conformance.catalog import catalog

    return catalog.load_catalog(root, tier)


def select(catalog: Catalog, globs: Sequence[str]) -> tuple[Case, ...]:
    """As `Catalog.select`; a glob that matches nothing is an error."""
    for glob in globs:
        if not catalog.select([glob]):
            raise ConformanceError(f"no case matches {glob!r}{_closest(glob, catalog)}")
    return catalog.select(globs)


def find(catalog: Catalog, wanted: str) -> Case:
    """The one case of an id, whose precision may be left out where there is one. Raises ConformanceError."""
    same = [case for case in catalog.cases if case.id == wanted] or catalog.by_base(wanted)
    if not same:
        raise ConformanceError(f"no case {wanted!r}{_closest(wanted, catalog)}")
    if len(same) > 1:
        raise ConformanceError(f"{wanted} runs in several precisions, name one: {', '.join(case.id for case in same)}")
    return same[0]


def _closest(word: str, catalog: Catalog) -> str:
    from trt_conformance.core.words import closest

    return closest(word, [name for case in catalog.cases for name in (case.base_id, case.id)])
