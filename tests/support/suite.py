"""The suite's own cases, read once a process."""

from functools import cache

from trt_conformance.catalog.catalog import Catalog, load_catalog


@cache
def suite_catalog() -> Catalog:
    """The catalog of the suite's case files, which takes over a second to read.

    The cases of sweeps are not among its cases; `find` makes any of them.
    """
    return load_catalog(tier=None)
