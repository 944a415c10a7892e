"""CUDA's Multi-Process Service, started for a benchmark and ended after it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

COMMAND = "nvidia-cuda-mps-control"
MPS_FOLDER = "CUDA_MPS_PIPE_DIRECTORY"
LOGS = "CUDA_MPS_LOG_DIRECTORY"
ENDS_S = 30


class Mps:
    """A daemon of the service; its block gives the environment of the processes that it serves, None without it."""

    def __init__(self, folder: Path) -> None:
        """``folder`` will hold its pipes and logs: no other process of this machine is served by it."""
        self._environ = {MPS_FOLDER: str(folder / "pipe"), LOGS: str(folder / "log")}
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/nvidia/bin", "/usr/bin"])
        self._command = shutil.which(COMMAND, path=path)

    def __enter__(self) -> dict[str, str] | None:
        if self._command is None:
            print(f"no {COMMAND} on the PATH: nothing is measured under MPS", flush=True)
            return None
        for folder in self._environ.values():
            Path(folder).mkdir(parents=True)
        code, output = self._ask("-d")
        if code:
            print(f"{COMMAND} -d: exit code {code}: {output}", flush=True)
            self._command = None
            return None
        return self._environ

    def __exit__(self, *_: object) -> None:
        if self._command is not None:
            self._ask(said="quit\n")

    def _ask(self, *arguments: str, said: str = "") -> tuple[int, str]:
        """The exit code and output of a command. The output is a file, which the daemon may keep open."""
        assert self._command is not None
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self._command, *arguments],
                input=said,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environ},
                text=True,
                timeout=ENDS_S,
                check=False,
            )
            output.seek(0)
            return done.returncode, output.read().strip()
