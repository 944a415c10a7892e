"""What the harness's own tests share."""

import os
import sys

import pytest

from tests.support import helpers
from trt_conformance.results.record.record import CHECK_VARIABLE

os.environ[CHECK_VARIABLE] = "1"
# Without bytecode, each process that a test starts compiles every module again, which takes longer than most tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Only tests marked slow may start pytest in a process, so that `-m "not slow"` stays quick."""
    helpers.may_start_pytest = item.get_closest_marker("slow") is not None
