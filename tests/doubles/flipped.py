"""A target that convolves as a mathematician does: it flips the kernel, and TensorRT does not."""

import numpy as np

from trt_conformance.core.tensors import INPUT, OUTPUT, case_data
from trt_conformance.numerics.reference.blocked import convolve


class _Engine:
    def __init__(self, case):
        data = case_data(case)
        self.attributes, self.bias = case.attributes, data.bias
        self.kernel = np.flip(data.kernel, range(2, data.kernel.ndim))

    def run(self, feeds):
        return {OUTPUT: convolve(feeds[INPUT], self.kernel, self.bias, self.attributes)}

    def close(self):
        pass


class FlippedKernel:
    """Target ``flipped-kernel``."""

    name = "flipped-kernel"

    def supports(self, case):
        if case.reject or case.deprecated or case.precision != "fp32":
            return "only float32 networks that TensorRT accepts"
        return None

    def build(self, case):
        return _Engine(case)
