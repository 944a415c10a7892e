"""How targets build in this run: tactics, builder threads, and the folder of the build cache."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from trt_conformance.core.cpus import usable_cpus
from trt_conformance.core.paths import users_cache
from trt_conformance.core.signals import uninterrupted
from trt_conformance.runner import pool
from trt_conformance.runner.options import RunOptions
from trt_conformance.targets.options import MOST_BUILDERS, Options


class BuildOptions:
    """The build options of the targets, and the folders of caches."""

    def __init__(self, config: pytest.Config, options: RunOptions) -> None:
        self._config, self._options = config, options

    @cached_property
    def for_targets(self) -> Options:
        """How targets build. Without isolation nothing is built ahead, so that a debugger sees one thread."""
        options = self._options
        builders = options.builders
        if builders is None:
            builders = max(1, min(MOST_BUILDERS, usable_cpus() // pool.size_of(self._config)))
        return Options(
            tactics=options.tactics,
            tactic_sources=options.tactic_sources,
            cache=self.lasting_cache or self._cache_of_this_run,
            keeps=self.lasting_cache is not None,
            cache_limit=options.cache_limit,
            builders=builders if options.isolation else 0,
            slow_builders=options.slow_builders,
            sharers=pool.size_of(self._config),
            eager=self._runs_many,
        )

    @cached_property
    def lasting_cache(self) -> Path | None:
        """The folder of caches that remain after the run. None with ``--no-cache``, or where the user has no home."""
        if not self._options.cache:
            return None
        return self._options.cache_dir or users_cache()

    @cached_property
    def _cache_of_this_run(self) -> Path:
        """A folder shared by the run's workers and removed when the run ends, so that each engine is built once."""
        given = getattr(self._config, "workerinput", {}).get(pool.CACHE)
        if given is not None:
            return Path(given)
        with uninterrupted():
            made = mkdtemp(prefix="trt-conformance-")
            self._config.add_cleanup(lambda: rmtree(made, ignore_errors=True))
        return Path(made)

    @property
    def _runs_many(self) -> bool:
        """Whether this process runs tests, and no option or argument selects single cases or tests."""
        option = self._config.getoption
        if option("collectonly") or pool.is_controller(self._config):
            return False
        return not (self._options.cases or option("keyword") or any("::" in name for name in self._config.args))
