"""A quick loop, `pytest -m "not slow"`, starts no pytest in a process."""

import pytest

from tests.support.helpers import run_pytest


def test_only_a_test_marked_slow_starts_pytest():
    with pytest.raises(RuntimeError, match="mark a test that starts pytest"):
        run_pytest("--version")


@pytest.mark.slow
def test_a_slow_test_starts_pytest():
    assert "pytest" in run_pytest("--version").stdout
