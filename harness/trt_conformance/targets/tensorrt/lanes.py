"""Two runs of one engine at the same time: each in a context and on a stream of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from trt_conformance.core.arrays import Array
from trt_conformance.targets.device import cuda

if TYPE_CHECKING:
    import tensorrt

OTHERS = "other "
"""Before the names of the buffers of a second lane."""
TOGETHER = 4
"""How often each of two contexts is enqueued where both run at the same time."""
HOLD_BYTES, HOLD_FILLS = 2**25, 12
"""What both streams wait for: fills of so many bytes, about 0.3 ms on an H200, in which the host can enqueue."""


class Lane(NamedTuple):
    """A context with the stream and the inputs of one run. Its buffers have ``name`` before those of their tensors."""

    context: tensorrt.IExecutionContext
    stream: cuda.Stream
    feeds: Mapping[str, Array]
    name: str = ""


def hold(streams: Sequence[cuda.Stream], gate: cuda.Stream, scope: ExitStack) -> None:
    """Let streams, once they are done, wait for a while: until a third one has filled memory that ``scope`` frees."""
    for stream in streams:
        stream.synchronize()
    filled, opened = cuda.Buffer(HOLD_BYTES), cuda.Event()
    scope.callback(filled.close)
    scope.callback(opened.close)
    scope.callback(gate.synchronize)
    for _ in range(HOLD_FILLS):
        filled.poison(gate)
    opened.record(gate)
    for stream in streams:
        stream.wait(opened)
