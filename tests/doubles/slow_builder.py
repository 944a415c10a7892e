"""TensorRT-RTX that fails at the cases that are named for it, as a target's further process or as the target itself."""

import os
import signal
import time
from functools import partial
from pathlib import Path

from trt_conformance.targets.isolation.proxy import start_elsewhere
from trt_conformance.targets.options import Options
from trt_conformance.targets.tensorrt import TensorRTTarget
from trt_conformance.targets.tensorrt.build import PlanBuilder


class _Builder(PlanBuilder):
    def build(self, definition, case):
        if case.name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if case.name == "waits":
            Path(os.environ["CACHE"], "waits").touch()
            time.sleep(3600)
        return super().build(definition, case)


class FailsAtSome(TensorRTTarget):
    """It builds into the folder CACHE, is killed in the build of a case named ``killed``, and waits in ``waits``."""

    def __init__(self, **further):
        super().__init__("tensorrt_rtx", Options(cache=Path(os.environ["CACHE"]), **further))

    def _builder(self, api):
        return _Builder(api, "SM120", self._options, None)


class FailsHereAndThere(FailsAtSome):
    """It has two such processes build what is slow to build, and fails in the same way itself."""

    def __init__(self):
        super().__init__(builders=2, slow_builders=2, elsewhere=partial(start_elsewhere, f"{__file__}:FailsAtSome"))
