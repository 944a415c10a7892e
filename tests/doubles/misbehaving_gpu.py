"""TensorRT on this machine's GPU, which in one case writes to an illegal address and in another never ends.

    pytest cases/test_forward.py --target tests/doubles/misbehaving_gpu.py:BreaksTwice --time-limit 30

shows that a CUDA error after which no later call succeeds, and a kernel that never ends, each cost one case.
"""

import ctypes

from trt_conformance.targets.device import cuda
from trt_conformance.targets.tensorrt import TensorRTTarget
from trt_conformance.targets.timing.yardstick import PtxKernel, Spin

ILLEGAL = "stride_nd/h2_w1-fp32"
ENDLESS = "padding_nd/h1_w0-fp32"
A_DAY = 2**31 - 1


class _Engine:
    def __init__(self, engine, act):
        self.engine, self.act = engine, act

    def run(self, feeds):
        self.act()
        return self.engine.run(feeds)

    def close(self):
        self.engine.close()


class BreaksTwice(TensorRTTarget):
    def __init__(self):
        super().__init__("tensorrt")

    def build(self, case):
        acts = {ILLEGAL: write_nowhere, ENDLESS: never_end}
        engine = super().build(case)
        return _Engine(engine, acts[case.id]) if case.id in acts else engine


POKE = b"""
.version 6.3
.target sm_70
.address_size 64
.visible .entry poke(.param .u64 address)
{
    .reg .u64 %d<2>;
    .reg .u32 %r<2>;
    ld.param.u64 %d0, [address];
    mov.u32 %r0, 1;
    st.global.u32 [%d0], %r0;
    ret;
}
\0"""


def write_nowhere():
    """Write, in a kernel, to an address that is not allocated."""
    stream = cuda.Stream()
    PtxKernel(POKE, "poke").launch(stream, 1, 1, (2**45, ctypes.c_void_p))
    stream.synchronize()


def never_end():
    stream, spin = cuda.Stream(), Spin()
    for _ in range(1000):
        spin.launch(stream, A_DAY)
    stream.synchronize()
