"""Keys under which the plugin's modules share state in pytest's stash."""

from __future__ import annotations

import pytest

from trt_conformance.core.verdict import Verdict
from trt_conformance.runner.session import Run

RUN = pytest.StashKey[Run]()
VERDICTS = pytest.StashKey[list[Verdict]]()
