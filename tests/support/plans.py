"""Builders that stand for TensorRT's, and the target of TensorRT-RTX."""

import threading
import time

import pytest

from tests.support.helpers import make_case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import NetworkFacts
from trt_conformance.targets.tensorrt import TensorRTTarget
from trt_conformance.targets.tensorrt.build import Built
from trt_conformance.targets.tensorrt.build_cache import BuildCache
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.network import Definition
from trt_conformance.targets.tensorrt.plans import Plans


def target(**options):
    try:
        return TensorRTTarget("tensorrt_rtx", Options(**options))
    except ConformanceError as fault:  # no TensorRT-RTX for this platform
        pytest.skip(str(fault))


class Builder:
    """Stands for TensorRT where only the order of builds counts; says when it builds."""

    def __init__(self, log, delay=0.0):
        self.log, self.delay = log, delay

    def prepare(self, to_build):
        self.log.append((f"ready to {'build' if to_build else 'load'}", "", threading.current_thread().name))

    def define(self, case):
        return Definition(None, None, NetworkFacts((1, 1, 4, case.kernel.shape[2])))

    def build(self, definition, case):
        self.log.append(("begin", case.id, threading.current_thread().name))
        time.sleep(self.delay)
        if case.kernel.shape[2] > 5:
            raise Refused("build", f"no implementation for {case.id}")
        self.log.append(("end", case.id, threading.current_thread().name))
        return Built(case.id.encode(), {"workspace_bytes": 64})

    def load(self, content, case):
        return None

    def close(self):
        self.log.append(("closed", "", threading.current_thread().name))


def plans(log, builders=0, cached=None, delay=0.0):
    return Plans(
        [Builder(log, delay) for _ in range(1 + builders)],
        BuildCache(cached),
        {"version": "1"},
        Exclusion(GpuLock(None)),
    )


def case(number):
    return make_case(id=f"example/case_{number}", set={"dilation_nd": [1, number]})
