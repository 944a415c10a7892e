"""Groups failures by their cause, so that many equal faults become one entry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from trt_conformance.core.verdict import Verdict

# What differs between cases that fail for the same reason: names of the case, numbers, and lists of numbers.
_NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?(?:\d[\d_]*(?:\.\d+)?(?:e[-+]?\d+)?|inf|nan)\b")
_LIST = re.compile(r"[(\[](?:\w+=)?#(?:, ?(?:\w+=)?#)*,?[)\]]")
# These lines say what a single case computed, and which GPU kernel did so.
_OF_ONE_CASE = ("actual ", "engine: ", "(cached answer ")
_PLACE = "; worst at "


class Cause(NamedTuple):
    """What failures of one cause have in common: target, status, and the reason without the figures of a case."""

    target: str
    status: str
    reason: str


def lines_of(message: str) -> list[str]:
    """The lines of a message, without the headline that names its case."""
    return [line.strip() for line in message.splitlines() if line.strip() and " FAILED in " not in line]


def reason(message: str) -> str:
    """The reason of a fault in one line. A line that only announces the next one is joined with it."""
    lines = lines_of(message)
    return " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])


def short_reason(message: str) -> str:
    """The reason without the place of the worst element, and what a wrong output is or looks like."""
    lines = lines_of(message)
    more = [line for line in lines if line.startswith("as if: ")]
    if not more and len(lines) > 2 and lines[1].startswith("actual ") and not lines[2].startswith(_OF_ONE_CASE):
        more = [lines[2]]
    return "; ".join([reason(message).partition(_PLACE)[0], *more[:1]])


def cause(verdict: Verdict) -> Cause:
    """The cause of a fault. A wrong output has the cause that its `as if` lines name, or else its description.

    Wrong outputs without a description have one cause if the same GPU kernel computed them.
    """
    lines = [line for line in lines_of(verdict.message) if not line.startswith(_OF_ONE_CASE)]
    suspected = [line for line in lines if line.startswith("as if: ")]
    text = "\n".join(_general(line, verdict.case) for line in suspected or lines)
    if len(lines) == 1 and _PLACE in lines[0]:
        text += "".join(line for line in lines_of(verdict.message) if line.startswith("engine: "))
    return Cause(verdict.target, verdict.status, text)


def reason_of_neutral(verdict: Verdict) -> str:
    """Why a check has neither passed nor failed, in one line; not the latency itself."""
    if verdict.phase == "latency" and verdict.status == "fallback":
        return "timed in a wider precision than requested"
    return "; ".join(line.strip() for line in verdict.message.splitlines() if line.strip())


class Way(NamedTuple):
    """How a check fails, independent of the case: equal for two cases that fail in the same way."""

    check: str
    phase: str
    status: str
    reason: str


def way(verdict: Verdict) -> Way:
    """How a check fails: the first reason without names and figures, and not where an output is wrong."""
    return Way(verdict.check, verdict.phase, verdict.status, _general(reason(verdict.message), verdict.case))


def _general(line: str, case: str) -> str:
    """A line without what belongs to one case alone. The frames of a traceback stay as they are."""
    if line.startswith("at "):
        return line
    name = case.rpartition("-")[0]
    for own in filter(None, (case, name, name.rpartition("/")[2])):
        line = line.replace(own, "CASE") if len(own) > 3 else line
    return _LIST.sub("#", _NUMBER.sub("#", line.partition(_PLACE)[0]))


def others(cases: Iterable[str], most: int = 8) -> str:
    """``a, b, c and 70 more``: the first cases of a group by name, and the number of the rest."""
    names = list(dict.fromkeys(cases))
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
