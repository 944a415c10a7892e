"""What pytest sends to a target's process: numbered calls, pickled, followed by their arrays.

Only the worker unpickles them, and it trusts pytest, which started it.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import Any

from trt_conformance.targets.isolation.channel import Channel


@dataclass(frozen=True)
class Expected:
    """Stands for the case of this id that the worker was told to expect: it has it, with what it knows of it."""

    id: str


_HEADER = struct.Struct("!QI")
_SIZE = struct.Struct("!Q")


def encode(number: int, message: tuple[Any, ...]) -> list[bytes | memoryview]:
    """The parts of a request. Contiguous arrays are sent from where they are."""
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps((number, message), protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    sizes = b"".join(_SIZE.pack(view.nbytes) for view in views)
    return [_HEADER.pack(len(content), len(views)) + sizes + content, *views]


def receive(channel: Channel) -> tuple[int, tuple[Any, ...]]:
    """The next request's number and message. Raises EOFError or OSError if pytest is gone."""
    size, count = _HEADER.unpack(channel.receive(_HEADER.size))
    sizes = [_SIZE.unpack(channel.receive(_SIZE.size))[0] for _ in range(count)]
    content = channel.receive(size)
    buffers = [channel.receive(nbytes) for nbytes in sizes]
    number, message = pickle.loads(content, buffers=buffers)  # noqa: S301 - from pytest's own process
    return number, message
