"""The suite's own cases, read once a process; and a small folder of cases, for runs that need no more."""

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.helpers import SMALL_FILE
from trt_conformance.catalog.case_patterns import CasePatterns
from trt_conformance.catalog.catalog import Catalog, linted_files, load_catalog
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.paths import users_cache
from trt_conformance.core.types import Tier
from trt_conformance.golden import update


def suite_case(case_id: str) -> Case:
    """A case of the suite by its full id."""
    found = suite_catalog().find(case_id)
    assert found is not None, case_id
    return found


@cache
def suite_catalog() -> Catalog:
    """The catalog of the suite's case files, which takes half a second to read, and seconds to lint after a change.

    The cases of sweeps are not among its cases; `find` makes any of them.
    """
    return load_catalog(tier=None, linted=linted_files(users_cache()))


def load_shared(
    *folders: CaseFolder, tier: Tier | None = "nightly", generated: Iterable[str] = (), **others: Any
) -> Catalog:
    """As `load_catalog`, but the suite's own cases are those of `suite_catalog`."""
    if folders not in ((), (SUITE,)):
        return load_catalog(*folders, tier=tier, generated=generated, **others)
    shared = suite_catalog()
    if tier is None:
        return shared
    patterns = CasePatterns(generated)
    made = [sweep.case(name) for sweep in shared.sweeps for name in sweep.matching(tier, patterns)]
    return replace(shared, cases=(*shared.cases, *made))


SMALL = """
[[case]]
id = "stride"
doc = "stride 2 on H and W"
precision = ["fp32", "tf32", "fp16", "bf16"]
claims = ["stride_nd.h2_w2"]
input.fill = "exact_integers"
kernel.fill = "exact_integers"
set.stride_nd = [2, 2]
"""
"""What `small_cases` has: one case in four precisions."""


@cache
def small_cases() -> str:
    """A folder of cases of its own with goldens, which a run reads much more quickly than the suite."""
    path = Path(tempfile.mkdtemp(prefix="small-cases-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    (path / "small.toml").write_text(SMALL_FILE + SMALL, encoding="utf-8")
    update(load_catalog(CaseFolder.at(path)))
    return str(path)


def know_as_linted(caches: Path) -> None:
    """Let a run with this folder of caches know the suite's files as free of faults, so that it need not lint them."""
    suite_catalog()
    known = users_cache()
    if known is not None:
        shutil.copytree(known / "linted", caches / "linted")
