"""A pytest plugin that makes the folder UNREADABLE, a variable of the environment, unreadable, even for root."""

import errno
import os


def pytest_configure():
    scandir = os.scandir

    def refuse(folder="."):
        if os.fspath(folder).endswith(os.environ["UNREADABLE"]):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return scandir(folder)

    os.scandir = refuse
