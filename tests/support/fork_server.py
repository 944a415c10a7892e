"""Runs pytest and the command in processes forked from this one, which has imported what they import.

A run that starts from nothing spends two seconds of processor time on imports and on reading the suite's case files,
which is most of what a small run takes. A forked run has its own memory, environment, folder and streams, and ends as
``python -m MODULE`` does.

Reads one `Request` a line from stdin, in JSON, and answers each with the exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypedDict

import pytest

from trt_conformance.catalog import catalog, expectations
from trt_conformance.catalog.source import Fault
from trt_conformance.checks.padding import sample
from trt_conformance.checks.padding.tiers import tier_of
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE
from trt_conformance.core.paths import GOLDEN, ROOT
from trt_conformance.golden import manifest
from trt_conformance.golden.loaded import Version, manifest_lines
from trt_conformance.targets.device import cuda

PATIENCE_S = 600


class Request(TypedDict):
    """A run of a module or of a file of Python: its arguments, folder and environment, and files for its streams."""

    module: str
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    stdout: str
    stderr: str


class ForkServer:
    """The server as another process uses it. It starts with the first run, and ends with the process that uses it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a module, such as ``pytest``, or a file of Python, in a folder.

        Raises:
            TimeoutExpired: the run took longer than `PATIENCE_S`. It is killed, with the server.
        """
        with tempfile.TemporaryDirectory() as written:
            files = Path(written, "stdout"), Path(written, "stderr")
            code = self._ask(
                {
                    "module": module,
                    "arguments": list(arguments),
                    "folder": str(folder),
                    "environment": dict(environment),
                    "stdout": str(files[0]),
                    "stderr": str(files[1]),
                }
            )
            stdout, stderr = (file.read_text(encoding="utf-8", errors="replace") for file in files)
        return subprocess.CompletedProcess(arguments, code, stdout, stderr)

    def close(self) -> None:
        """End the server, and wait for it."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _ask(self, request: Request) -> int:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            atexit.register(self.close)
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(PATIENCE_S, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        print(json.dumps(request), file=process.stdin, flush=True)
        answer = process.stdout.readline()
        timer.cancel()
        if not answer:
            self.close()
            raise subprocess.TimeoutExpired(request["arguments"], PATIENCE_S)
        return int(answer)


def main() -> int:
    """Serve until stdin ends."""
    import_ahead()
    share_suite()
    for line in sys.stdin:
        request: Request = json.loads(line)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads; those here are idle
            child = os.fork()
        if child == 0:
            _end(_run(request))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return 0


def import_ahead() -> None:
    """Import and prepare what most runs need."""
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["-p", "no:cacheprovider", "--markers", "cases"])  # imports the suite as a run does
    for name in ("cli", "golden", "mutants.diagnosis"):
        importlib.import_module(f"trt_conformance.{name}")
    page = importlib.import_module("trt_conformance.results.report.page")
    for name in page.environment().list_templates(extensions=["j2"]):
        page.environment().get_template(name)  # compiled once, here
    benchmark = importlib.import_module("pytest_benchmark.plugin")
    tag = benchmark.get_tag()  # asks git seven times
    setattr(benchmark, "get_tag", lambda: tag)  # noqa: B010 - the module declares no type of it
    with contextlib.suppress(ImportError):
        cuda.runtime()


def share_suite() -> None:
    """Read the suite's own cases here, for all runs that ask for them as pytest does; others read for themselves."""
    from tests.support.suite import load_shared, suite_catalog  # which import this module

    # the configurations without a case file are made once
    expectations.load_expectations(suite_catalog(), sample.ids(tier_of(None, "")))
    load, read = catalog.load_catalog, expectations.read_expectations
    stated = read(SUITE.expectations, None)
    manifest_lines(Version.of(GOLDEN / manifest.NAME))

    def read_shared(
        root: Path, ids: Sequence[str] | None, *cases: Sequence[Case]
    ) -> tuple[list[expectations.Expectation], list[Fault]]:
        return stated if root == SUITE.expectations and not cases else read(root, ids, *cases)

    setattr(expectations, "read_expectations", read_shared)  # noqa: B010
    for module in list(sys.modules.values()):
        if getattr(module, "load_catalog", None) is load and module.__name__ != load_shared.__module__:
            setattr(module, "load_catalog", load_shared)  # noqa: B010 - modules declare no such attribute
    gc.collect()
    gc.freeze()


def _run(request: Request) -> int:
    names = (os.devnull, os.O_RDONLY), *((request[name], os.O_WRONLY | os.O_CREAT) for name in ("stdout", "stderr"))
    for number, (name, flags) in enumerate(names):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    tempfile.tempdir = None
    module = request["module"]
    sys.argv = [module, *request["arguments"]]
    sys.path[:0] = filter(None, request["environment"].get("PYTHONPATH", "").split(os.pathsep))
    try:
        if module.endswith(".py"):
            for name in [name for name in sys.modules if name.partition(".")[0] == "cuda"]:
                del sys.modules[name]  # a program may find another on its path
            runpy.run_path(module, run_name="__main__")
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def _end(code: int) -> NoReturn:
    """End as Python does, but leave the memory to the system: to free it object by object takes longer than a run."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
