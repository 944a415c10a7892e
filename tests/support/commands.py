"""Case files for the commands that read them, and the command as people start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.helpers import DYNAMIC_CASE, SMALL_FILE, run_command
from trt_conformance.core.paths import ROOT

CASES = (
    SMALL_FILE
    + """\
[[case]]
id = "stride"
doc = "stride 2 on H and W [sic]"
claims = ["stride_nd.h2_w2"]
precision = ["fp32", "fp16"]
set.stride_nd = [2, 2]
expect.printed = \"\"\"
12345.679 31264.598 23156.49 12345.679
78912.34  97831.27  89723.16 78912.34
\"\"\"
"""
    + DYNAMIC_CASE
    + """\
[[case]]
id = "refused"
doc = "a window that does not fit"
kernel.shape = [1, 1, 7, 7]
set = { stride_nd = [2, 2] }
reject = { phase = "build", error = "image size is smaller", neighbor = "one/stride" }
"""
)
CLAIMS = """\
[[claim]]
id = "stride_nd.h2_w2"
section = "stride_nd (步长)"
statement = "Stride 2 – 步长 – halves H and W."
"""


def written(folder: Path) -> Path:
    """The folder, with the case files in it."""
    (folder / "one.toml").write_text(CASES, encoding="utf-8")
    (folder / "claims.toml").write_text(CLAIMS, encoding="utf-8")
    return folder


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as people start it, with its output captured. Variables of the environment need a new Python."""
    if environment:
        command = [sys.executable, "-m", "trt_conformance.cli", *map(str, arguments)]
        given = {**os.environ, "COLUMNS": "80", **environment}
        result = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", cwd=ROOT, env=given, check=False
        )
    else:
        result = run_command(*arguments, COLUMNS="80")
    assert "Traceback" not in result.stderr + result.stdout, result.stderr
    return result
