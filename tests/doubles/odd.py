"""A target that breaks the protocol in several hundred ways, one a case, for fuzzing."""

import ctypes
import os
import signal
import sys
import time

import numpy as np

from trt_conformance.targets.protocols import NetworkFacts


class Unpicklable:
    def __reduce__(self):
        return os.system, ("touch /nowhere/at/all",)


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


VALUES = {
    "true": True,
    "zero": 0,
    "float": 1.5,
    "nan": float("nan"),
    "bytes": b"x",
    "empty": "",
    "list": [],
    "dict": {},
    "object": Unpicklable(),
    "type": int,
    "nested": nested(5000),
    "deep dict": {"a": nested(40)},
    "set": {1},
    "big int": 10**400,
    "array": np.zeros(3),
    "objects": {"output": np.array([Unpicklable()], dtype=object)},
    "strings": {"output": np.array(["a"])},
    "dates": {"output": np.array(["2020"], dtype="M8[D]")},
    "not arrays": {"output": [1.0]},
    "int keys": {1: np.zeros(3)},
    "odd key": {"\ud800": np.zeros(3)},
    "axes": {"output": np.zeros((1,) * 32)},
    "empty array": {"output": np.zeros((0, 3))},
    "scalar": {"output": np.float32(1)},
    "zero axes": {"output": np.float32(1).reshape(())},
    "swapped": {"output": np.zeros(3, ">f4")},
    "many": {str(n): np.zeros(1) for n in range(1000)},
    "large": {"output": np.zeros(2**26)},
    "surrogate": "\ud800",
    "nul": "a\0b",
    "long": "x" * 10**6,
    "escape": "\x1b[2J",
    "lambda": lambda: None,
}


class Nameless(Exception):
    def __str__(self):
        raise RuntimeError("no message either")


RAISED = {
    "value error": ValueError("bad"),
    "exit": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "memory": MemoryError(),
    "stop": StopIteration(),
    "generator exit": GeneratorExit(),
    "recursion": RecursionError(),
    "assert": AssertionError(),
    "os error": OSError(5, "io"),
    "broken pipe": BrokenPipeError(),
    "eof": EOFError(),
    "timeout": TimeoutError(),
    "nameless": Nameless(),
    "base": BaseException("base"),
    "attribute": AttributeError("x"),
    "unicode": ValueError("\ud800\0"),
    "long message": ValueError("x" * 10**6),
    "group key": KeyError("x"),
    "import": ImportError("x"),
}


def fork_and_return():
    child = os.fork()
    if child:
        os.waitpid(child, 0)


def socket_of_the_worker():
    for number in range(3, 64):
        try:
            if os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
                return number
        except OSError:
            continue
    raise AssertionError("no socket")


ACTS = {
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "os exit": lambda: os._exit(0),
    "exit 7": lambda: os._exit(7),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "term": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "bus": lambda: os.kill(os.getpid(), signal.SIGBUS),
    "hang": lambda: time.sleep(3600),
    "print": lambda: print("noise"),
    "stderr": lambda: print("noise", file=sys.stderr),
    "close stdout": lambda: os.close(1),
    "fork": fork_and_return,
    "surplus": lambda: os.write(socket_of_the_worker(), b"TRTc"),
    "half answer": lambda: (os.write(socket_of_the_worker(), b"TRT"), time.sleep(3600)),
    "garbage": lambda: os.write(socket_of_the_worker(), b"x" * 4096),
    "huge announced": lambda: os.write(socket_of_the_worker(), b"TRTc" + (2**62).to_bytes(8, "big")),
    "close socket": lambda: os.close(socket_of_the_worker()),
}


MEMBERS = ("supports", "define", "build", "run", "close", "describe", "origin")
KINDS = [
    (member, f"{kind}: {which}")
    for member in MEMBERS
    for kind, some in (("return", VALUES), ("raise", RAISED), ("act", ACTS))
    for which in some
]
"""Every misbehavior that there is. The case ``example/odd_17`` gets the one of index 17; any other gets none."""


def misbehave(case, member, right):
    """What the case's misbehavior makes of a member; what is right if it is about another."""
    number = case.name.removeprefix("odd_")
    odd, act = KINDS[int(number)] if number.isdigit() else ("", "")
    if odd != member:
        return right()
    kind, _, which = act.partition(": ")
    if kind == "return":
        return VALUES[which]
    if kind == "raise":
        raise RAISED[which]
    ACTS[which]()
    return right()


class _Engine:
    def __init__(self, case):
        self.case = case
        self.origin = misbehave(case, "origin", dict)

    def run(self, feeds):
        return misbehave(self.case, "run", lambda: {"output": feeds["input"]})

    def close(self):
        return misbehave(self.case, "close", lambda: None)

    def describe(self):
        return misbehave(self.case, "describe", lambda: None)


class Odd:
    name = "odd"

    def supports(self, case):
        return misbehave(case, "supports", lambda: None)

    def build(self, case):
        return misbehave(case, "build", lambda: _Engine(case))

    def define(self, case):
        return misbehave(case, "define", lambda: NetworkFacts((1, 1, 4, 7)))
