"""Validates a user's own target: its name, and what its members return. An exception in it says where it was raised.

Every violation is a single fault of that target or case, which names the member and the class. The same wrapper serves
a target in its own process and one in pytest's.
"""

from __future__ import annotations

import inspect
import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Mode
from trt_conformance.targets.device.cuda import CudaError
from trt_conformance.targets.errors import NotRun, Refused, TargetFault, Unsupported
from trt_conformance.targets.protocols import (
    CAPABILITIES,
    Engine,
    EngineFacts,
    LayerFacts,
    NetworkFacts,
    TacticChoices,
)
from trt_conformance.targets.timing.measurement import Measurement

MOST_NAME = 100
MOST_REASON = 2**14
MOST_JSON = 2**20
MOST_DEPTH = 16
MOST_FRAMES = 5

_PROTOCOL = (Refused, Unsupported, NotRun, ConformanceError, CudaError, TargetFault, KeyboardInterrupt)
_PACKAGE = str(Path(__file__).parents[1])


def check_name(name: object, where: str) -> str:
    """A target's name, which becomes part of file names, records and terminal output.

    Raises:
        ConformanceError: it is not a str of 1 to ``MOST_NAME`` printable characters without white space and path
            separators, or begins with a dot or a hyphen.
    """
    if not isinstance(name, str):
        raise ConformanceError(f"{where}: a target's name must be a str, not {_kind(name)}")
    if not 0 < len(name) <= MOST_NAME:
        raise ConformanceError(f"{where}: a target's name must have 1 to {MOST_NAME} characters; this has {len(name)}")
    bad = sorted({c for c in name if not c.isprintable() or c.isspace() or c in '/\\:*?"<>|'})
    if bad:
        raise ConformanceError(f"{where}: a target's name must not contain {', '.join(map(ascii, bad))}: {name!a}")
    if name[0] in ".-" or ".." in name:
        raise ConformanceError(f"{where}: a target's name must not begin with '.' or '-', or contain '..': {name!r}")
    return str(name)


def location(thing: object) -> str:
    """``Class (file.py:12)`` of an object, as far as its source is known."""
    cls = thing if isinstance(thing, type) else type(thing)
    try:
        return f"{cls.__name__} ({Path(inspect.getsourcefile(cls) or '').name}:{inspect.getsourcelines(cls)[1]})"
    except (OSError, TypeError):
        return cls.__name__


def described(fault: BaseException) -> str:
    """An exception's type and message, and the frames of the user's own files, outermost first."""
    try:
        said = f"{type(fault).__name__}: {fault}"
    except Exception:  # a message may be computed by the user's code
        said = f"{type(fault).__name__}, whose message cannot be shown"
    frames = [one for one in traceback.extract_tb(fault.__traceback__) if not one.filename.startswith(_PACKAGE)]
    lines = [f"  at {one.name} ({one.filename}:{one.lineno}): {one.line or ''}".rstrip(": ") for one in frames]
    left_out = [f"  ({len(lines) - MOST_FRAMES} frames left out)"] if len(lines) > MOST_FRAMES else []
    return "\n".join([said, *left_out, *lines[-MOST_FRAMES:]])


class _Checked:
    """Wraps an object of the user. Optional members appear exactly where the object has them."""

    def __init__(self, given: Any) -> None:
        self._given, self._where = given, location(given)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = self._guarded(name, lambda: getattr(self._given, name))
        check = _RETURNS.get(name)
        if name in CAPABILITIES and name != "origin" and not callable(value):
            raise self._wrong(name, "be a method", value)
        if not callable(value):
            return value
        return lambda *arguments: self._returned(name, self._guarded(name, lambda: value(*arguments)), check)

    def _returned(self, name: str, value: Any, check: Callable[[Any], str] | None) -> Any:
        """A returned value that keeps what `Capabilities` says of it."""
        wanted = check(value) if check is not None else ""
        if wanted:
            raise self._wrong(name, f"return {wanted}", value)
        return value

    def _wrong(self, name: str, wanted: str, value: object) -> TargetFault:
        return TargetFault(f"`{name}` of {self._where} must {wanted}; it is {_kind(value)}")

    def _guarded(self, name: str, action: Callable[[], Any]) -> Any:
        """Run the user's code. What is not of the protocol becomes a TargetFault that says where it was raised."""
        try:
            return action()
        except AttributeError as fault:
            if fault.name == name and fault.obj is self._given:
                raise
            raise TargetFault(described(fault)) from None
        except _PROTOCOL:
            raise
        except BaseException as fault:  # SystemExit and pytest's own outcomes, too
            raise TargetFault(described(fault)) from None


class CheckedTarget(_Checked):
    """A user's target whose members return what they must."""

    def __init__(self, given: Any) -> None:
        """Raises ConformanceError if its name is not usable."""
        super().__init__(given)
        self.name = check_name(self._guarded("name", lambda: given.name), self._where)

    def supports(self, case: Case) -> str | None:
        reason = self._guarded("supports", lambda: self._given.supports(case))
        if reason is None:
            return None
        if not isinstance(reason, str):
            raise TargetFault(
                f"`supports` of {self._where} must return None or a reason (str); it returned {_kind(reason)}"
            )
        return str(reason)[:MOST_REASON]

    def build(self, case: Case) -> CheckedEngine:
        return self._engine("build", self._guarded("build", lambda: self._given.build(case)))

    def _returned(self, name: str, value: Any, check: Callable[[Any], str] | None) -> Any:
        return self._engine(name, value) if name == "build_with" else super()._returned(name, value, check)

    def _engine(self, member: str, engine: Any) -> CheckedEngine:
        if not callable(getattr(engine, "run", None)):
            raise TargetFault(
                f"`{member}` of {self._where} must return an engine, an object with `run`; it returned {_kind(engine)}"
            )
        return CheckedEngine(engine)


class CheckedEngine(_Checked):
    """A user's engine whose members return what they must."""

    def __init__(self, given: Engine) -> None:
        super().__init__(given)
        if hasattr(given, "origin"):
            self.origin = self._guarded("origin", lambda: given.origin)
            wanted = _json_table(self.origin)
            if wanted:
                raise TargetFault(f"`origin` of {self._where} must be {wanted}; it is {_kind(self.origin)}")

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        outputs = self._guarded("run", lambda: self._given.run(feeds))
        result: dict[str, Array] = self._returned("run", outputs, _outputs)
        return result

    def close(self) -> None:
        close = getattr(self._given, "close", None)
        if close is not None:
            self._guarded("close", close)


def _kind(value: object) -> str:
    """A value for a message: its type, and the value itself where it is small."""
    if value is None or isinstance(value, bool | int | float):
        return repr(value)[:40]
    return (
        f"{type(value).__name__} {ascii(value)[:40]}" if isinstance(value, str | bytes) else f"a {type(value).__name__}"
    )


def _outputs(value: Any) -> str:
    if not isinstance(value, dict):
        return "a dictionary of NumPy arrays by tensor name"
    for name, array in value.items():
        if not isinstance(name, str):
            return "a dictionary whose keys are tensor names (str)"
        if not isinstance(array, np.ndarray):
            return f"NumPy arrays, but {name!r} is {_kind(array)}"
    return ""


def _json_table(value: Any) -> str:
    """Empty if the value is a dictionary that JSON can hold, of bounded size and depth; else what it must be."""
    if not isinstance(value, Mapping):
        return "a dictionary of JSON values"
    if _depth(value, MOST_DEPTH) > MOST_DEPTH:
        return f"a dictionary of JSON values, at most {MOST_DEPTH} levels deep"
    try:
        size = len(json.dumps(dict(value)))
    except (TypeError, ValueError, RecursionError) as fault:
        return f"a dictionary of JSON values ({fault})"
    return "" if size <= MOST_JSON else f"at most {MOST_JSON} characters of JSON, not {size}"


def _depth(value: Any, most: int) -> int:
    if most < 0 or not isinstance(value, Mapping | list | tuple):
        return 0
    parts: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
    return 1 + max((_depth(part, most - 1) for part in parts), default=0)


def _network(value: Any) -> str:
    if not isinstance(value, NetworkFacts):
        return "NetworkFacts"
    if not isinstance(value.output_shape, tuple) or not all(isinstance(n, int) for n in value.output_shape):
        return "NetworkFacts whose output_shape is a tuple of int"
    if not _are_texts(value.errors) or not _are_texts(value.warnings):
        return "NetworkFacts whose errors and warnings are tuples of str"
    return _json_table(value.attributes)


def _engine_facts(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, EngineFacts) or not isinstance(value.precision, str):
        return "None or EngineFacts"
    layers = [*value.layers, *([] if value.convolution is None else [value.convolution])]
    if not all(isinstance(layer, LayerFacts) and isinstance(layer.kernel, str) for layer in layers):
        return "EngineFacts whose layers are LayerFacts"
    return ""


def _are_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


def _timing_modes(value: Any) -> str:
    known = get_args(Mode)
    right = isinstance(value, tuple) and value and all(mode in known for mode in value)
    return "" if right else f"a tuple of timing modes, out of {', '.join(known)}"


def _measurement(value: Any) -> str:
    if not isinstance(value, Measurement):
        return "a Measurement"
    if not all(isinstance(sample, float) for sample in value.samples):
        return "a Measurement whose samples are seconds (float)"
    return _json_table(value.facts)


_RETURNS: dict[str, Callable[[Any], str]] = {
    "define": _network,
    "infer_shapes": lambda value: "" if isinstance(value, Iterator | list | tuple) else "an iterator or list of shapes",
    "missing_name": lambda value: "" if value is None or isinstance(value, str) else "None or a name (str)",
    "environment": _json_table,
    "tactics": lambda value: "" if isinstance(value, TacticChoices) else "a TacticChoices",
    "describe": _engine_facts,
    "reports": _json_table,
    "execution_modes": lambda value: "" if _are_texts(value) else "a tuple of names (str)",
    "run_in_mode": _outputs,
    "run_together": _outputs,
    "run_misaligned": _outputs,
    "run_with_null_address": _outputs,
    "timing_modes": _timing_modes,
    "measure": _measurement,
}
"""What a member must return, for those that return something: empty if a value is right, else what it must be."""
