"""What the threads of a run's processes do: sampled from ``/proc``, so that it needs no tool and stops no thread.

A thread that waits is in a system call, or in a fault of a page. ``futex`` is a lock, one of TensorRT, of CUDA or of
Python; Python's lock of the interpreter is waited for with a time limit. ``ioctl`` is the driver, ``flock`` the
lock of the GPU or of a file. The kernel's own word for what is waited for follows where it tells this user.
"""

from __future__ import annotations

import os
import platform
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from trt_conformance.targets.tensorrt.ahead import IDLE
from trt_conformance.targets.tensorrt.plans import THREAD_NAME

SAMPLING_S = 0.2
LEAST = 0.05
"""The average number of threads for which a state is printed."""
_CALLS = {
    0: "read", 7: "poll", 9: "mmap", 11: "munmap", 16: "ioctl", 23: "select", 24: "sched_yield", 28: "madvise",
    35: "nanosleep", 45: "recvfrom", 47: "recvmsg", 61: "wait4", 73: "flock", 202: "futex", 230: "clock_nanosleep",
    232: "epoll_wait", 270: "pselect6", 271: "ppoll", 281: "epoll_pwait",
}  # fmt: skip
"""Linux's numbers on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl)."""
_FUTEX = "futex"
_BUILDERS = (THREAD_NAME, f"slow {THREAD_NAME}")
_TIMEOUT = 4
"""The place of a futex call's time limit among the words of ``/proc/PID/syscall``; 0x0 is none."""


def family(pid: int) -> Iterator[int]:
    """A process and those that descend from it."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from family(int(child))


class Waiting:
    """Samples the threads of a process and its descendants until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._pid, self._ended = pid, threading.Event()
        self._samples = 0
        self._states: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._cpu: dict[tuple[str, int, int], tuple[float, float]] = {}
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> dict[str, Any]:
        """By kind of thread: seconds of CPU, and how many threads were in each state on average."""
        self._ended.set()
        self._thread.join()
        found: dict[str, Any] = {}
        for kind, states in self._states.items():
            times = [spent for (one, *_), spent in self._cpu.items() if one == kind]
            means = {state: count / self._samples for state, count in states.most_common()}
            found[kind] = {
                "user_s": sum(user for user, _ in times),
                "system_s": sum(system for _, system in times),
                "threads": {state: mean for state, mean in means.items() if mean >= LEAST},
            }
        return found

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLING_S):
            self._samples += 1
            for pid in family(self._pid):
                with suppress(OSError):
                    role = _role(pid)
                    for thread in Path(f"/proc/{pid}/task").iterdir():
                        with suppress(OSError):  # it may end meanwhile
                            self._look(role, pid, thread)

    def _look(self, role: str, pid: int, thread: Path) -> None:
        name, state, user, system = _stat(thread)
        is_main = int(thread.name) == pid
        kind = f"{role}, main thread" if is_main else f"{role}, {name if name in _BUILDERS else 'other threads'}"
        if name == IDLE:
            kind = f"{role}, builder"
        self._cpu[kind, pid, int(thread.name)] = user, system
        self._states[kind]["no work" if name == IDLE else "running" if state == "R" else _call(thread)] += 1


def _role(pid: int) -> str:
    """What a process is for; ``slow builder`` is one that a target has started to build."""
    if not _is_spawned(pid):
        return "pytest"
    text = Path(f"/proc/{pid}/stat").read_text()
    return "slow builder" if _is_spawned(int(text.rpartition(")")[2].split()[1])) else "target"


def _is_spawned(pid: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _stat(thread: Path) -> tuple[str, str, float, float]:
    """The name, the state, and the seconds of CPU of a thread (proc_pid_stat(5))."""
    text = (thread / "stat").read_text()
    name, _, rest = text.partition("(")[2].rpartition(")")
    words, tick = rest.split(), os.sysconf("SC_CLK_TCK")
    return name, words[0], int(words[11]) / tick, int(words[12]) / tick


def _call(thread: Path) -> str:
    """The system call that a thread waits in (proc_pid_syscall(5)), and what the kernel calls the place."""
    try:
        words = (thread / "syscall").read_text().split()
        place = (thread / "wchan").read_text().strip()
    except OSError:
        return "not readable"
    if words[0] == "running":
        return "running"
    number = int(words[0])
    call = _CALLS.get(number, f"call {number}") if platform.machine() == "x86_64" else f"call {number}"
    if number < 0:
        call = "page fault"
    elif call == _FUTEX and int(words[_TIMEOUT], 16):
        call = f"{_FUTEX} with a time limit"
    return f"{call} ({place})" if place not in ("", "0") and call != _FUTEX else call


def lines_of(found: dict[str, Any]) -> list[str]:
    """A line for each kind of thread, for people."""
    lines = []
    for kind, one in sorted(found.items()):
        states = ", ".join(f"{mean:.1f} {state}" for state, mean in one["threads"].items())
        lines.append(f"{kind}: {one['user_s']:.0f} s user, {one['system_s']:.0f} s system; on average {states}")
    return lines
