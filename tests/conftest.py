"""What the harness's own tests share."""

import os
import sys

import pytest

from tests.support.suite import load_shared
from trt_conformance.catalog import catalog
from trt_conformance.results import report
from trt_conformance.results.record.record import CHECK_VARIABLE

os.environ[CHECK_VARIABLE] = "1"
# Without bytecode, each process that a test starts compiles every module again, which takes longer than most tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# pytest-xdist gives its workers the width of the terminal, or 80; without it, tables are as wide as they need.
os.environ.pop("COLUMNS", None)


@pytest.fixture
def shared_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands in this process have the suite's own cases as they were read once for all tests."""
    for module in (catalog, report):
        monkeypatch.setattr(module, "load_catalog", load_shared)
