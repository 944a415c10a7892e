"""What the harness's own tests share."""

import pytest

from tests.support import helpers


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Only tests marked slow may start pytest in a process, so that `-m "not slow"` stays quick."""
    helpers.may_start_pytest = item.get_closest_marker("slow") is not None
