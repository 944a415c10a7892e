"""Runs pytest several times in one process, which takes a fraction of the time of as many processes.

Reads a JSON list of argument lists from stdin, and writes a JSON list of exit codes and outputs.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest


def main() -> None:
    """Run them in turn."""
    runs = []
    for arguments in json.load(sys.stdin):
        output = io.StringIO()
        with redirect_stdout(output), redirect_stderr(output):
            code = pytest.main(["-p", "no:cacheprovider", *arguments])
        runs.append([int(code), output.getvalue()])
    json.dump(runs, sys.stdout)


if __name__ == "__main__":
    main()
