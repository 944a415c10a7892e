"""Registers the suite's options with pytest before it looks for conftest files, or refuses unsafe options.

pytest takes the second word of an option that it does not know for a folder of tests: with ``--cache-dir DIR`` it
would run ``DIR/conftest.py`` and those of DIR's parents, and read its configuration from a ``pytest.ini`` there. So
the plugin is loaded by ``-p`` in the suite's ``pytest.ini``, and by the entry point below where pytest does not find
that file. ``--cache-dir=DIR`` is always safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from trt_conformance.core.paths import ROOT

PLUGIN = "trt_conformance.runner.plugin"
CONFIGURATION = ROOT / "pytest.ini"
# The options of the suite that are followed by a value.
WITH_VALUE = frozenset(
    f"--{name}"
    for name in (
        "builders", "cache-dir", "cache-limit", "case", "cases", "cold", "golden", "latency", "latency-limit",
        "latency-mode", "memory-limit",
        "min-claims", "progress", "record-root", "shard", "slow-builders", "tactic-sources", "tactics", "target",
        "tier", "time-limit",
    )
)  # fmt: skip
_KNOWN = pytest.StashKey[bool]()


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """The entry point, which every pytest of the environment loads: load the plugin only if the suite is run."""
    config = pluginmanager.get_plugin("pytestconfig")
    if isinstance(config, pytest.Config) and is_run_of_suite(config):
        pluginmanager.import_plugin(PLUGIN)


def is_run_of_suite(config: pytest.Config) -> bool:
    """Whether pytest was started in the suite's folder, or with its configuration."""
    return config.inipath == CONFIGURATION or config.invocation_params.dir.resolve().is_relative_to(ROOT)


def options_are_known(config: pytest.Config) -> None:
    """Called before pytest looks for conftest files.

    Raises:
        pytest.UsageError: the value of an option led pytest to another configuration file.
    """
    config.stash[_KNOWN] = True
    if config.inipath != CONFIGURATION and not config.known_args_namespace.inifilename:
        _refuse(config)


def refuse_late_paths(config: pytest.Config) -> None:
    """Called once pytest has loaded conftest files.

    Raises:
        pytest.UsageError: the options were not known by then, and the value of one is a path.
    """
    if not config.stash.get(_KNOWN, False):
        _refuse(config)


def _refuse(config: pytest.Config) -> None:
    for option, value in _paths_in_two_words(config):
        raise pytest.UsageError(
            f"write {option}={value} instead of {option} {value}: pytest takes the second word for a folder of tests"
        )


def _paths_in_two_words(config: pytest.Config) -> Iterator[tuple[str, str]]:
    words = [str(word) for word in config.invocation_params.args]
    for option, value in pairwise(words):
        if option in WITH_VALUE and Path(config.invocation_params.dir, value.partition("::")[0]).exists():
            yield option, value
