"""Refusals of TensorRT: what it logged becomes the message, and None instead of an object is a refusal."""

from __future__ import annotations

from typing import TypeVar

from trt_conformance.core.types import RejectPhase
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.tensorrt.api import Api

T = TypeVar("T")


def refusal(api: Api, phase: RejectPhase, what: str) -> Refused:
    """A refusal with the errors logged since the last call, or with what was refused where none was logged."""
    return Refused(phase, "\n".join(api.take_errors()) or f"{what}, and nothing was logged")


def made(api: Api, thing: T | None, phase: RejectPhase, what: str) -> T:
    """What TensorRT gave. Raises Refused where it gave None."""
    if thing is None:
        raise refusal(api, phase, what)
    return thing
