"""The suite's own cases, read once a process."""

from functools import cache

from trt_conformance.catalog.catalog import Catalog, linted_files, load_catalog
from trt_conformance.core.case import Case
from trt_conformance.core.paths import users_cache


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
