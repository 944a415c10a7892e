"""Targets that are right, but for what they refuse or accept when they are run."""

from trt_conformance.core.tensors import INPUT
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.numpy import NumpyEngine, NumpyTarget

ALIGNMENT = 256


class _Checking(NumpyEngine):
    """Refuses what an engine must: other names, other types, other shapes, and addresses that are not aligned."""

    def __init__(self, case):
        super().__init__(case)
        self.case = case

    def run(self, feeds):
        ((name, x),) = feeds.items()
        if name != INPUT:
            raise Refused("run", f"invalid tensor name: {name}")
        if x.dtype != self._data.kernel.dtype:
            raise Refused("run", f"the input is {x.dtype}, but the engine reads {self._data.kernel.dtype}")
        dynamic = self.case.dynamic
        if dynamic is None and x.shape != self.case.input.shape:
            raise Refused("run", "Static dimension mismatch while setting input shape.")
        if dynamic is not None and not all(
            a <= b <= c for a, b, c in zip(dynamic.min, x.shape, dynamic.max, strict=True)
        ):
            raise Refused("run", "the dimensions do not satisfy any optimization profile")
        return super().run(feeds)

    def run_misaligned(self, feeds):
        raise Refused("run", f"the address is not aligned to {ALIGNMENT} bytes")

    def run_with_null_address(self, feeds):
        raise Refused("run", f"Address is not set for input tensor {INPUT}.")


class _Careless(NumpyEngine):
    """Takes whatever it is given."""

    def run(self, feeds):
        (x,) = feeds.values()
        return super().run({INPUT: x.astype(self._data.kernel.dtype)})

    def run_misaligned(self, feeds):
        return self.run(feeds)

    def run_with_null_address(self, feeds):
        return self.run(feeds)


class _Set(NumpyTarget):
    """Has setters: it refuses attributes out of range as they are set."""

    def supports(self, case):
        return None

    def build(self, case):
        a = case.attributes
        if min(*a.stride, *a.dilation, a.groups) < 1 or min(*a.pre, *a.post) < 0 or 0 in case.kernel.shape:
            names = "stride, dilation, padding, prePadding, postPadding, groups or kernelSize"
            raise Refused(self.phase, f"Parameter check failed: {names}")
        return self.engine(case)


class Refuses(_Set):
    name = "refuses"
    phase = "set"
    engine = _Checking


class Accepts(_Set):
    name = "accepts"
    phase = "build"
    engine = _Careless
