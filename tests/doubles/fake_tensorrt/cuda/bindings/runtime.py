"""The functions of CUDA's runtime that a program of `repro` calls, on host memory."""

from __future__ import annotations

import ctypes
from enum import Enum
from typing import Any

_BUFFERS: list[Any] = []


class Success:
    name = "cudaSuccess"

    def __int__(self) -> int:
        return 0


class cudaMemcpyKind(Enum):
    cudaMemcpyDefault = 4


def cudaMalloc(size: int) -> tuple[Any, int]:
    _BUFFERS.append((ctypes.c_uint8 * size)())
    return Success(), ctypes.addressof(_BUFFERS[-1])


def cudaMemcpy(target: int, source: int, size: int, kind: cudaMemcpyKind) -> tuple[Any]:
    ctypes.memmove(target, source, size)
    return (Success(),)


def cudaStreamCreate() -> tuple[Any, int]:
    return Success(), 1


def cudaStreamSynchronize(stream: int) -> tuple[Any]:
    return (Success(),)
