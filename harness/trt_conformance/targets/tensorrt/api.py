"""One flavor and version of TensorRT: its module, its logger, and what it has."""

from __future__ import annotations

import re
import threading
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.engine_cost import (
    DEVICE_MEMORY,
    NOT_OBEYED,
    SPARSE,
    SPARSE_ELIGIBLE,
    STORED_WEIGHTS,
    WORKSPACE,
)
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.types import TYPE_NAME, DataType
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.tensorrt.module import EnumName, Module

if TYPE_CHECKING:
    import tensorrt

# Types that the bindings do not know of NumPy's.
_NO_NUMPY: dict[Any, DataType] = {NUMPY_TYPE[name]: name for name in ("bfloat16", "float8")}

# Said by calls that look for a device, on a machine without one, RTX 1.4 and 1.5 with no cause; not about the network.
_NO_DEVICE = re.compile(
    r"cudaError (35|100)\b|CUDA driver version is insufficient|no CUDA-capable device|Cuda Runtime \(In catchCudaError "
)
# Said at the end of a build, by 8.6 without the unit, by TensorRT-RTX of the largest layer's scratch memory.
_MEMORY = re.compile(r"(?:Total|Max) (Weights|Activation|Scratch) Memory: (\d+)(?: bytes)?\s*$")
_MEMORY_OF = {"Weights": STORED_WEIGHTS, "Activation": DEVICE_MEMORY, "Scratch": WORKSPACE}
# Said of builds with the flag SPARSE_WEIGHTS, with the names of layers after the colon.
SPARSITY_MESSAGE = re.compile(r"\(Sparsity\) (?:(Layers eligible)|TRT inference plan picked sparse)[^:]*:\s*(.*)")
# A warning of a build that cannot keep to the precision of a layer.
NOT_OBEYED_WARNING = re.compile(r"obeys the requested constraints|[Nn]o conforming implementation")
# A warning, not an error, as kernels are left out that need more memory than the GPU has left.
_SHORTAGE = "insufficient memory"


class _Logged(threading.local):
    """What was logged in each thread that has an `Api`: errors by flavor, a warning that memory was short, and how
    much memory a build says that its engine takes.
    """

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}
        self.shortage = ""
        self.memory: dict[str, int] = {}


_LOGGED = _Logged()


class Api:
    """A TensorRT module with a logger, a builder and a runtime, for one thread at a time.

    TensorRT sends some messages to the first logger that a process gave it, whoever caused them. So an error
    belongs to the thread in which it was logged; one logged in a thread of TensorRT's own, to its logger's `Api`.
    """

    def __init__(self, flavor: str, has_gpu: bool) -> None:
        """Raises ImportError if the flavor is not installed."""
        self.flavor = flavor
        self.has_gpu = has_gpu
        self.trt = cast("Module", import_module(flavor))
        self.version: str = self.trt.__version__
        self.release = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        self.logger = _make_logger(self.trt, flavor, has_gpu)
        _LOGGED.errors.setdefault(flavor, [])  # from now on this thread's errors are collected separately
        self._builder: tensorrt.Builder | None = None
        self._runtime: tensorrt.Runtime | None = None

    @property
    def builder(self) -> tensorrt.Builder:
        """The first one of a process takes 10 to 14 seconds in TensorRT 8.6: it loads 1.2 GB."""
        if self._builder is None:
            self._builder = self.trt.Builder(self.logger)
        return self._builder

    @property
    def runtime(self) -> tensorrt.Runtime:
        if self._runtime is None:
            self._runtime = self.trt.Runtime(self.logger)
        return self._runtime

    def take_errors(self) -> tuple[str, ...]:
        """The errors logged since the last call, in this thread and in TensorRT's own."""
        found: list[str] = []
        for errors in (_LOGGED.errors.setdefault(self.flavor, []), self.logger.errors):
            found += errors
            errors.clear()
        return tuple(found)

    def take_shortages(self) -> tuple[str, ...]:
        """The last warning since the last call that memory was short, if any."""
        found, _LOGGED.shortage = _LOGGED.shortage, ""
        return (found,) if found else ()

    def take_memory(self) -> dict[str, int]:
        """The bytes that builds in this thread have logged since the last call, as figures of `core.engine_cost`."""
        found, _LOGGED.memory = _LOGGED.memory, {}
        return found

    def member(self, enum: EnumName, name: str) -> Any | None:
        """A member of an enumeration, or None if this version does not have it."""
        return getattr(getattr(self.trt, enum, None), name, None)

    def required_member(self, enum: EnumName, name: str) -> Any:
        """A member of an enumeration. Raises Unsupported if this version does not have it."""
        member = self.member(enum, name)
        if member is None:
            raise Unsupported(f"{enum}.{name} does not exist in {self.flavor} {self.version}")
        return member

    def require_attribute(self, owner: Any, name: str) -> None:
        """Raise Unsupported if an object of this version lacks an attribute."""
        if not hasattr(owner, name):
            raise Unsupported(f"`{name}` does not exist in {self.flavor} {self.version}")

    def data_type(self, name: DataType) -> tensorrt.DataType:
        """Raises Unsupported if this version does not have the type."""
        found: tensorrt.DataType = self.required_member("DataType", TYPE_NAME[name])
        return found

    def weights(self, array: Array) -> tensorrt.Weights:
        """A contiguous array as TensorRT's weights, which read its memory."""
        if array.dtype in _NO_NUMPY:
            return self.trt.Weights(self.data_type(_NO_NUMPY[array.dtype]), array.ctypes.data, array.size)
        return self.trt.Weights(array)

    def is_strongly_typed(self, case: Case) -> bool:
        """Whether a case's network is made strongly typed: as it says, else wherever that exists (9 and later, RTX)."""
        if case.is_quantized_implicitly:
            return False
        return self._has_strong_typing if case.typing is None else case.typing == "strong"

    def lacks_typing(self, case: Case) -> str | None:
        """Why this version cannot type a case's network as it must be; None if it can."""
        version = f"{self.flavor} {self.version}"
        needs = _needs_strong_typing(case)
        if (case.typing == "strong" or needs) and not self._has_strong_typing:
            return f"{version} has no strongly typed networks" + ("" if case.typing else f", which {needs} needs")
        if (case.typing == "weak" or case.is_quantized_implicitly) and not self._has_weak_typing:
            return f"{version} has no weakly typed networks"
        return None

    @property
    def _has_strong_typing(self) -> bool:
        return self.member("NetworkDefinitionCreationFlag", "STRONGLY_TYPED") is not None

    @cached_property
    def _has_weak_typing(self) -> bool:
        """TensorRT-RTX 1.4 has the flags of weakly typed networks, and yet types every network strongly."""
        if self.member("BuilderFlag", "FP16") is None:
            return False
        strong = self.member("NetworkDefinitionCreationFlag", "STRONGLY_TYPED")
        return strong is None or not _has_flag(self.create_network(strongly_typed=False), strong)

    def create_network(self, strongly_typed: bool = True) -> tensorrt.INetworkDefinition:
        """An empty network, strongly typed where that is wanted and exists."""
        flags = 0
        for name in ("EXPLICIT_BATCH", *(["STRONGLY_TYPED"] if strongly_typed else [])):
            flag = self.member("NetworkDefinitionCreationFlag", name)
            if flag is not None:
                flags |= 1 << int(flag)
        return self.builder.create_network(flags)


def _has_flag(network: tensorrt.INetworkDefinition, flag: tensorrt.NetworkDefinitionCreationFlag) -> bool:
    """Whether a network has a creation flag; one that cannot be asked has those that it was created with."""
    return hasattr(network, "get_flag") and bool(network.get_flag(flag))


def _needs_strong_typing(case: Case) -> str:
    """What of a case only a strongly typed network has; nothing for most."""
    if case.precision == "fp8":
        return "FP8"
    if case.quantize is not None and case.quantize.between is not None:
        return f"{case.quantize.between} around Q and DQ"
    return "a quantized constant" if case.quantize is not None and case.quantize.stored else ""


def _make_logger(trt: Module, flavor: str, has_gpu: bool) -> Any:
    level = trt.ILogger.Severity

    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]  # the class of the flavor
        """Keeps errors, which TensorRT reports here and nowhere else, and the memory that an engine takes."""

        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: tensorrt.ILogger.Severity, message: str) -> None:
            if severity == level.VERBOSE:  # hundreds in a build, for which each builder's thread needs Python's lock
                return
            if severity == level.INFO:
                _keep_memory(message)
            elif severity == level.WARNING:
                _keep_warning(message)
            elif has_gpu or not _NO_DEVICE.search(message):
                _LOGGED.errors.get(flavor, self.errors).append(message.strip())

    return Logger()


def _keep_memory(message: str) -> None:
    if found := _MEMORY.match(message):
        _LOGGED.memory[_MEMORY_OF[found[1]]] = int(found[2])
    elif found := SPARSITY_MESSAGE.match(message):
        names = [name for name in found[2].split(", ") if name.strip()]
        _LOGGED.memory[SPARSE_ELIGIBLE if found[1] else SPARSE] = len(names)


def _keep_warning(message: str) -> None:
    if _SHORTAGE in message:
        _LOGGED.shortage = message.strip()
    if NOT_OBEYED_WARNING.search(message):
        _LOGGED.memory[NOT_OBEYED] = 1
