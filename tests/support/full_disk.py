"""A pytest plugin that lets a run's record take three verdicts, and no more."""

import errno
import os

from trt_conformance.results.record.record import RecordWriter

LINES = 4


class _Full:
    def __init__(self, file):
        self._file, self._lines = file, 0

    def write(self, text):
        self._lines += 1
        if self._lines > LINES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(text)

    def __getattr__(self, name):
        return getattr(self._file, name)


def pytest_configure():
    line = RecordWriter._line

    def limited(self, entry):
        if not isinstance(self._file, _Full):
            self._file = _Full(self._file)
        line(self, entry)

    RecordWriter._line = limited
