"""What a target's process sends back: JSON, and arrays as raw bytes with their dtype and shape.

The process runs code of the target, so nothing that it sends is trusted. Nothing is unpickled: every value is
validated against the type that the call returns, and the size of every part is checked before memory is allocated.

A frame is a header (four magic bytes and the length of the JSON text), the JSON text, and the bytes of its arrays.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np
from pydantic import BaseModel, ConfigDict, StrictInt, TypeAdapter, ValidationError

from trt_conformance.core.arrays import Array
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Mode, RejectPhase
from trt_conformance.targets.errors import NotRun, Refused, TargetFault, Unsupported
from trt_conformance.targets.isolation.channel import Channel
from trt_conformance.targets.protocols import EngineFacts, NetworkFacts, TacticChoices
from trt_conformance.targets.timing.measurement import Measurement

HEADER = struct.Struct("!4sQ")
MAGIC = b"TRTc"
MOST_JSON = 2**28
"""Bytes of JSON in an answer. The largest is the list of inferred shapes of the table of paddings."""
MOST_ARRAYS = 64
MOST_AXES = 32
MOST_TEXT = 2**16
"""Characters of a message; the rest is cut off."""

Kind = Literal["result", "refused", "unsupported", "not run", "invalid", "fault", "sticky"]

_PLAIN = [np.dtype(code) for code in "?bBhHiIqQefdFD"]
_NARROW = (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4, ml_dtypes.uint4)
_DTYPES: dict[str, np.dtype[Any]] = {
    **{dtype.str: dtype for plain in _PLAIN for dtype in (plain, plain.newbyteorder())},
    **{np.dtype(narrow).name: np.dtype(narrow) for narrow in _NARROW},
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}

_BUILT: TypeAdapter[Any] = TypeAdapter(tuple[int, list[str], dict[str, Any], EngineFacts | None])
_RESULTS: dict[str, TypeAdapter[Any]] = {
    "hello": TypeAdapter(tuple[str, list[str]]),
    "supports": TypeAdapter(str | None),
    "missing_name": TypeAdapter(str | None),
    "expect": TypeAdapter(list[str | None]),
    "expect_tactics": TypeAdapter(None),
    "define": TypeAdapter(NetworkFacts),
    "infer_shapes": TypeAdapter(list[tuple[int, ...] | None]),
    "environment": TypeAdapter(dict[str, Any]),
    "build": _BUILT,
    "build_with": _BUILT,
    "tactics": TypeAdapter(TacticChoices),
    "reports": TypeAdapter(dict[str, Any]),
    "execution_modes": TypeAdapter(tuple[str, ...]),
    "timing_modes": TypeAdapter(tuple[Mode, ...]),
    "measure": TypeAdapter(Measurement),
}
_OUTPUTS = TypeAdapter(dict[str, int])
_OF_EACH = TypeAdapter(tuple[list[dict[str, int]], list[int]])
RUNS = ("run", "run_in_mode", "run_together", "run_misaligned", "run_with_null_address")
"""The calls whose result is a dictionary of arrays."""


class Malformed(Exception):
    """The other end sent something other than an answer to the call. Nothing that follows can be trusted."""


class _Refusal(BaseModel):
    model_config = ConfigDict(strict=True)
    phase: RejectPhase
    message: str
    remembered: bool


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: StrictInt
    kind: Kind
    value: Any
    arrays: tuple[tuple[str, tuple[StrictInt, ...]], ...]


@dataclass(frozen=True)
class Answer:
    """An answer to the call of this number. ``value`` is JSON in which arrays stand for themselves by index."""

    number: int
    kind: Kind
    value: Any
    arrays: tuple[Array, ...] = ()


def encode(answer: Answer) -> list[bytes | memoryview]:
    """The parts of a frame. Arrays may be anywhere in the value; they are replaced by their index.

    Raises:
        TypeError, ValueError, RecursionError: the value contains something that cannot be sent.
    """
    arrays: list[Array] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(_sendable(value))
            return len(arrays) - 1
        if is_dataclass(value) and not isinstance(value, type):
            return {one.name: getattr(value, one.name) for one in fields(value)}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Mapping):
            return dict(value)
        raise TypeError(f"a {type(value).__name__} cannot be sent")

    value = json.dumps(answer.value, default=plain)
    announced = json.dumps([[_NAMES[array.dtype], array.shape] for array in arrays])
    text = f'{{"number": {answer.number}, "kind": {json.dumps(answer.kind)}, "value": {value}, "arrays": {announced}}}'
    header = HEADER.pack(MAGIC, len(text))
    return [header, text.encode("ascii"), *(_bytes_of(array) for array in arrays)]


def receive(channel: Channel, deadline: float | None, most_bytes: int) -> Answer:
    """The next answer, whose arrays take ``most_bytes`` at most.

    Raises:
        Malformed: it is not a frame, or announces more than it may contain.
        TimeoutError, EOFError, OSError: as `Channel` does.
    """
    magic, size = HEADER.unpack(channel.receive(HEADER.size, deadline))
    if magic != MAGIC:
        raise Malformed(f"it sent {bytes(magic)!r} where an answer begins")
    if size > MOST_JSON:
        raise Malformed(f"it announced {size} bytes of JSON; at most {MOST_JSON} are accepted")
    try:
        frame = _Frame.model_validate(json.loads(channel.receive(size, deadline)))
    except ValidationError as fault:
        raise Malformed(f"it sent a malformed answer: {_first(fault)}") from None
    except (ValueError, RecursionError) as fault:
        raise Malformed(f"it sent an answer that is not JSON: {fault}") from None
    if len(frame.arrays) > MOST_ARRAYS:
        raise Malformed(f"it announced {len(frame.arrays)} arrays; at most {MOST_ARRAYS} are accepted")
    total = 0
    for name, shape in frame.arrays:
        if name not in _DTYPES or len(shape) > MOST_AXES or any(n < 0 for n in shape):
            raise Malformed(f"it announced an array of dtype {name!r} with {len(shape)} axes")
        # Axes are counted as 1 at least: NumPy multiplies all of them, even where one is 0.
        total += math.prod(max(n, 1) for n in shape) * _DTYPES[name].itemsize
    if total > most_bytes:
        raise Malformed(f"it announced arrays of {total} bytes; at most {most_bytes} are accepted")
    arrays = []
    for name, shape in frame.arrays:
        array = np.empty(shape, _DTYPES[name])
        channel.receive_into(_bytes_of(array), deadline)
        arrays.append(array)
    return Answer(frame.number, frame.kind, frame.value, tuple(arrays))


def result(answer: Answer, method: str) -> Any:
    """The value that a call of ``method`` returned.

    Raises:
        Refused, Unsupported, NotRun, ConformanceError, TargetFault: as the target did.
        TargetFault: the value does not have the type that the method returns.
    """
    value = answer.value
    if answer.kind == "result":
        return _typed(answer, method)
    try:
        if answer.kind == "refused":
            refusal = _Refusal.model_validate(value)
            raise _marked(Refused(refusal.phase, text_of(refusal.message)), refusal.remembered)
        if answer.kind == "unsupported":
            message, remembered = TypeAdapter(tuple[str, bool]).validate_json(json.dumps(value), strict=True)
            raise _marked(Unsupported(text_of(message)), remembered)
    except ValidationError as fault:
        raise TargetFault(f"`{method}` failed, and its error is malformed: {_first(fault)}") from None
    if answer.kind == "not run":
        raise NotRun(text_of(value))
    if answer.kind == "invalid":
        raise ConformanceError(text_of(value))
    raise TargetFault(text_of(value))


def text_of(message: object) -> str:
    """A message as text that can be written anywhere: bounded, and without surrogates or NUL."""
    text = str(message)
    if len(text) > MOST_TEXT:
        text = f"{text[:MOST_TEXT]} ... ({len(text)} characters)"
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _typed(answer: Answer, method: str) -> Any:
    if method in RUNS or method == "run_each":
        try:
            return _runs_of(answer) if method == "run_each" else _outputs(answer, answer.value)
        except (ValidationError, IndexError):
            raise TargetFault(f"`{method}` must return a dictionary of NumPy arrays by tensor name") from None
    adapter = _RESULTS.get(method)
    if adapter is None:
        return answer.value
    try:
        # Strict JSON: no number in a string is taken for a number, but a list serves as a tuple.
        return adapter.validate_json(json.dumps(answer.value), strict=True)
    except ValidationError as fault:
        raise TargetFault(f"`{method}` returned a value of the wrong type: {_first(fault)}") from None


def _outputs(answer: Answer, value: Any) -> dict[str, Array]:
    indices = _OUTPUTS.validate_python(value, strict=True)
    return {name: answer.arrays[index] for name, index in indices.items() if index >= 0}


def _runs_of(answer: Answer) -> list[dict[str, Array]]:
    """The outputs of each run of `run_each`, which sends equal ones once."""
    different, given = _OF_EACH.validate_json(json.dumps(answer.value), strict=True)
    outputs = [_outputs(answer, value) for value in different]
    if any(place < 0 for place in given):
        raise IndexError
    return [outputs[place] for place in given]


def _marked(fault: Refused | Unsupported, remembered: bool) -> Refused | Unsupported:
    fault.remembered = remembered
    return fault


def _first(fault: ValidationError) -> str:
    error = fault.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}" if place else error["msg"]


def _sendable(array: Array) -> Array:
    if array.dtype not in _NAMES:
        raise TypeError(f"an array of dtype {array.dtype} cannot be sent")
    plain = np.asarray(array)
    return plain if plain.flags.c_contiguous else plain.copy(order="C")


def _bytes_of(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def known_fault(fault: BaseException) -> tuple[Kind, Any] | None:
    """How an exception of the protocol is sent; None for any other."""
    if isinstance(fault, Refused):
        return "refused", {"phase": fault.phase, "message": str(fault.message), "remembered": bool(fault.remembered)}
    if isinstance(fault, Unsupported):
        return "unsupported", [str(fault), bool(fault.remembered)]
    if isinstance(fault, NotRun):
        return "not run", str(fault)
    if isinstance(fault, ConformanceError):
        return "invalid", str(fault)
    return None


def method_of(message: Sequence[Any]) -> str:
    """The name of the method that a call is for: ("target", "define", case), ("engine", 3, "run", feeds)."""
    return str(message[{"target": 1, "engine": 2}.get(message[0], 0)])
