"""What a check returns. The decorator of the check makes a verdict of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trt_conformance.core.types import Phase, RejectPhase
from trt_conformance.core.verdict import Status


@dataclass(frozen=True)
class Finding:
    """What a check of one case on one target found.

    ``lines`` explain the status to people; a fault's lines come below a headline that names the case.
    ``figures`` are JSON values. ``phase`` is set only where the finding belongs to another phase than the check's.
    """

    status: Status
    lines: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    phase: Phase | RejectPhase | None = None


def finding(faults: Sequence[str], **figures: Any) -> Finding:
    """A fail with these lines, or a pass where there are none."""
    return Finding("fail" if faults else "pass", faults, figures)
