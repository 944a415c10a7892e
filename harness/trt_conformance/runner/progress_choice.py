"""Whether a run shows its progress, and how: the option ``--progress``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from trt_conformance.core.live import live_console

if TYPE_CHECKING:
    from trt_conformance.runner.progress import Progress

CHOICES = ("auto", "plain", "off")


def progress_for(config: pytest.Config, choice: str) -> Progress | None:
    """The progress display for the value of ``--progress``; None if it would disturb: with -v, -s and --pdb."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    disturbs = config.getoption("capture") == "no" or config.getoption("usepdb", False)
    if choice == "off" or reporter is None or reporter.verbosity > 0 or disturbs:
        return None
    console = live_console(sys.stdout) if choice == "auto" else None
    if choice == "auto" and console is None:
        return None
    from trt_conformance.runner.progress import Progress  # rich takes a tenth of a second to import

    return Progress(config, reporter, console)
