"""Collects the environment for a run's record: versions, machine, targets and arguments."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trt_conformance import __version__
from trt_conformance.core.git import commit
from trt_conformance.targets.device.machine import gpu, versions
from trt_conformance.targets.protocols import Target
from trt_conformance.targets.registry import target_facts


def _without_folders(argument: str) -> str:
    """An argument; of an absolute path, also one after ``=``, only the last part, since records may be published."""
    name, equals, value = argument.partition("=")
    if equals and Path(value).is_absolute():
        return f"{name}={Path(value).name}"
    return Path(argument).name if Path(argument).is_absolute() else argument


def described(target: Target) -> tuple[str, dict[str, Any]]:
    """The name of a target, and the environment of a run of it alone."""
    return target.name, describe([target])


def describe(targets: list[Target], unavailable: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """The environment of a run, as its record stores it.

    Args:
        targets: what the run tests.
        unavailable: targets that cannot run on this machine, with the reasons.
    """
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions(),
        "source": commit(),
        "device": gpu(),
        "targets": {target.name: target_facts(target) for target in targets},
        "unavailable": dict(unavailable),
        "arguments": [_without_folders(argument) for argument in sys.argv[1:]],
    }
