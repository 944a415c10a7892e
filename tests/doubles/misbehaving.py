"""Targets that really crash, hang or exhaust memory on one case, and are right on all others."""

import ctypes
import os
import threading
import time

from trt_conformance.numerics.reference.shape import output_shape
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import NetworkFacts

VICTIM = "stride_nd/h2_w1-fp32"


class _Engine:
    def __init__(self, engine, case, act):
        self.engine, self.case, self.act = engine, case, act

    def run(self, feeds):
        if self.case.id == VICTIM:
            self.act()
        return self.engine.run(feeds)

    def close(self):
        self.engine.close()


class _Target:
    def __init__(self):
        self.right = NumpyTarget()

    def supports(self, case):
        return self.right.supports(case)

    def build(self, case):
        return _Engine(self.right.build(case), case, self.act)


class Segfaults(_Target):
    name = "segfaults"

    @staticmethod
    def act():
        ctypes.string_at(0)


class SegfaultsExpecting(Segfaults):
    """The same, and asked to build ahead."""

    name = "segfaults_expecting"

    def expect(self, cases):
        assert all(case.kernel.shape for case in cases)


class Aborts(_Target):
    name = "aborts"

    @staticmethod
    def act():
        os.abort()


class Exits(_Target):
    name = "exits"

    @staticmethod
    def act():
        os._exit(3)


class Hangs(_Target):
    name = "hangs"

    @staticmethod
    def act():
        time.sleep(3600)


class Exhausts(_Target):
    """Allocates past a limit of its own, as a container's would be."""

    name = "exhausts"

    @staticmethod
    def act():
        import resource

        limit = 4 * 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
        bytearray(8 * 2**30)


class Sticky(_Target):
    """Raises the CUDA error after which no later call of the process can succeed."""

    name = "sticky"
    broken = False

    @classmethod
    def act(cls):
        from trt_conformance.targets.device.cuda import CudaError

        cls.broken = True
        raise CudaError("cudaErrorIllegalAddress", "cudaStreamSynchronize")

    def build(self, case):
        if self.broken:
            raise RuntimeError("the process is beyond help and should have been replaced")
        return super().build(case)


class CrashesWhenBuilding(_Target):
    name = "crashes-building"

    def build(self, case):
        if case.id == VICTIM:
            ctypes.string_at(0)
        return self.right.build(case)


class CrashesAhead:
    """Builds ahead, and dies of the victim's build: soon where it is expected, at once where it is requested."""

    name = "crashes_ahead"

    def __init__(self):
        self.right = NumpyTarget()

    def supports(self, case):
        return self.right.supports(case)

    def expect(self, cases):
        if any(case.id == VICTIM for case in cases):
            threading.Timer(0.05, ctypes.string_at, (0,)).start()

    def build(self, case):
        if case.id == VICTIM:
            ctypes.string_at(0)
        return _Engine(self.right.build(case), case, lambda: None)

    def define(self, case):
        time.sleep(0.3)
        return NetworkFacts(output_shape(case.input.shape, case.kernel.shape, case.attributes))


class BreaksWhenClosed(NumpyTarget):
    """Its first engine's end is a fault."""

    name = "breaks_when_closed"
    built = 0

    def build(self, case):
        self.built += 1
        engine = super().build(case)
        if self.built == 1:
            engine.close = self.fail
        return engine

    @staticmethod
    def fail():
        raise RuntimeError("the memory is gone")


class HangsWhenClosed(NumpyTarget):
    """Its engines never end."""

    name = "hangs_when_closed"

    def build(self, case):
        engine = super().build(case)
        engine.close = lambda: time.sleep(3600)
        return engine

    def infer_shapes(self, configurations):
        return [None] * len(configurations)


class CountsQuestions(NumpyTarget):
    """Counts how often it is asked what it supports."""

    name = "counts_questions"
    asked = 0

    def expect(self, cases):
        return None

    def supports(self, case):
        self.asked += 1
        return f"question {self.asked - 1}"


class KnowsItsCases(NumpyTarget):
    """Says of a network whether its case is the very one that it was told to expect."""

    name = "knows_its_cases"
    expected = ()

    def expect(self, cases):
        self.expected = cases

    def define(self, case):
        shape = output_shape(case.input.shape, case.kernel.shape, case.attributes)
        return NetworkFacts(
            shape, warnings=("expected" if any(case is one for one in self.expected) else "not expected",)
        )
