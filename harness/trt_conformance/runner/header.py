"""The header of a run's record: environment, targets and options."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

from trt_conformance import __version__
from trt_conformance.core.git import commit
from trt_conformance.targets.device.machine import gpu, versions
from trt_conformance.targets.protocols import Target
from trt_conformance.targets.registry import target_facts


def _without_folders(argument: str) -> str:
    """An argument with an absolute path cut to its last part: where a checkout lies is nobody's business."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def describe(targets: list[Target]) -> dict[str, Any]:
    """Everything a run record says of where it ran."""
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions(),
        "source": commit(),
        "device": gpu(),
        "targets": {target.name: target_facts(target) for target in targets},
        "arguments": [_without_folders(argument) for argument in sys.argv[1:]],
    }
