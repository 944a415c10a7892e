"""The store that the tests of goldens change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.golden_store import catalog
from trt_conformance.golden import (
    update,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store that is whole and right."""
    path = tmp_path / "golden"
    update(catalog(), root=path)
    return path
