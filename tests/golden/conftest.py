"""The stores that the tests of goldens change: copies of ones that are written once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.golden_damage import make_store
from tests.support.golden_store import catalog
from trt_conformance.golden import update


@pytest.fixture(scope="session")
def whole_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is whole and right, which no test changes."""
    path = tmp_path_factory.mktemp("whole") / "golden"
    update(catalog(), root=path)
    return path


@pytest.fixture(scope="session")
def store_of_every_kind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of `make_store`, which no test changes."""
    path = tmp_path_factory.mktemp("every_kind") / "golden"
    make_store(path)
    return path


@pytest.fixture
def root(tmp_path: Path, whole_store: Path) -> Path:
    """A store that is whole and right."""
    return Path(shutil.copytree(whole_store, tmp_path / "golden"))
