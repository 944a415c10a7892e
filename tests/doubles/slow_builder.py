"""TensorRT-RTX as a target's further process has it, which fails at the cases that are named for it."""

import os
import signal
import time
from pathlib import Path

from trt_conformance.targets.options import Options
from trt_conformance.targets.tensorrt import TensorRTTarget


class FailsAtSome(TensorRTTarget):
    """It builds into the folder CACHE, is killed in the build of a case named ``killed``, and waits in ``waits``."""

    def __init__(self):
        super().__init__("tensorrt_rtx", Options(cache=Path(os.environ["CACHE"])))

    def build(self, case):
        if case.name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if case.name == "waits":
            Path(os.environ["CACHE"], "waits").touch()
            time.sleep(3600)
        return super().build(case)
