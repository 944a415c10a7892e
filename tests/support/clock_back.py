"""A pytest plugin: the clock goes back by an hour each time it is read."""

import time
from datetime import datetime, timedelta

from trt_conformance.results.record import record

HOUR_S = 3600


def pytest_configure():
    seconds = time.time()
    began = seconds

    def back():
        nonlocal seconds
        seconds -= HOUR_S
        return seconds

    class Back(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 1, 1, tzinfo=tz) + timedelta(seconds=back() - began)

    time.time = back
    record.datetime = Back
