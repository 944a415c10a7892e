"""The suite's own cases, read once a process."""

from functools import cache

from trt_conformance.catalog.catalog import Catalog, linted_files, load_catalog
from trt_conformance.core.paths import users_cache


@cache
def suite_catalog() -> Catalog:
    """The catalog of the suite's case files, which takes half a second to read, and seconds to lint after a change.

    The cases of sweeps are not among its cases; `find` makes any of them.
    """
    return load_catalog(tier=None, linted=linted_files(users_cache()))
