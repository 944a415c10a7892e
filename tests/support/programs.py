"""Runs the programs of `repro`: on the fake TensorRT, which computes with NumPy, or on the installed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.support.helpers import run_python
from tests.support.runs import record, verdict
from tests.support.suite import suite_case
from trt_conformance.core.case import Case
from trt_conformance.core.paths import ROOT
from trt_conformance.repro.failure import find_failure

FAKE = ROOT / "tests" / "doubles" / "fake_tensorrt"


def run_program(text, folder, fault=None, *, forked=True):
    """Run a program, on the fake TensorRT with this fault, or the installed one. Returns exit code and output.

    Its process is forked from one that has imported what most programs import, or starts from nothing.
    """
    path = folder / "repro.py"
    path.write_text(text)
    if forked:
        done = run_python(str(path), **fake(fault))
    else:
        command = [sys.executable, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | fake(fault))
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def fake(fault):
    """The variables with which a program finds the fake TensorRT with a fault; with None, the installed one."""
    if fault is None:
        return {}
    return {"PYTHONPATH": os.pathsep.join([str(FAKE), str(ROOT / "harness")]), "FAKE_FAULT": fault}


DRIVER = """
import json, runpy, sys
codes = {}
for path in sys.argv[1:]:
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        codes[path] = end.code
print("\\n" + json.dumps(codes))
"""


def failure_on(case: Case, message="1/12 elements beyond the bound", *, target="", **fields):
    """The failure of a value check: on TensorRT 8.6, or on 10 where the case needs strong typing."""
    weak = case.precision in ("fp32", "tf32", "fp16", "int8") and case.typing != "strong"
    target = target or ("tensorrt-8.6.1-sm90" if weak else "tensorrt-10.1.0-sm90")
    given = {"status": "fail", "message": f"{case.id} FAILED\n  {message}"} | fields
    found = verdict(case.id, target=target, **given)
    return find_failure(record(found, targets={target: {"version": target.split("-")[1], "gpu": "NVIDIA H200"}}), case)


def exit_codes(programs, folder, fault=None):
    """The exit codes of programs, which all run in one process; see `run_program`."""
    paths = {}
    for name, text in programs.items():
        paths[name] = folder / f"{name.replace('/', '_')}.py"
        paths[name].write_text(text)
    driver = folder / "driver.py"
    driver.write_text(DRIVER)
    done = run_python(str(driver), *map(str, paths.values()), **fake(fault))
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    return {name: codes[str(path)] for name, path in paths.items()}


def accepted(case_id: str) -> Case:
    """A case that must be refused, as if it were valid."""
    return suite_case(case_id).model_copy(update={"reject": None})
