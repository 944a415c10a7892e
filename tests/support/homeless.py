"""A pytest plugin: the system does not know the user, and so no home folder."""

import pwd


def pytest_configure():
    def unknown(user):
        raise KeyError(f"getpwuid(): uid not found: {user}")

    pwd.getpwuid = unknown
