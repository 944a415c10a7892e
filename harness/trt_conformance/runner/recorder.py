"""Stores the verdicts of a run: all of each in the run's record, and what the closing summary needs in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.signals import uninterrupted
from trt_conformance.core.verdict import NEUTRAL, Verdict
from trt_conformance.core.words import one_line
from trt_conformance.results.record.record import RecordWriter

# The figures that the closing summary needs.
SUMMARIZED = ("engine", "cache", "fraction", "bound_for", "uncertainty", "cost_s")


class Recorder:
    """Writes each verdict at once, and stores only what the summary shows, since a record may exceed the memory."""

    def __init__(self, root: Path | None, start: Callable[[Path], RecordWriter]) -> None:
        """``root`` is the folder of records; None writes none. ``start`` creates one there."""
        self._root, self._start = root, start
        self._writer: RecordWriter | None = None
        self._is_broken = False
        self.verdicts: list[Verdict] = []

    @property
    def path(self) -> Path | None:
        """The record's file, once there is one."""
        return self._writer.path if self._writer is not None else None

    def begin(self) -> None:
        """Start the record, if one is to be written and there is none yet."""
        if self._writer is None and self._root is not None and not self._is_broken:
            with self._recording():
                self._writer = self._start(self._root)

    def note(self, verdict: Verdict) -> None:
        """Add a verdict. Ctrl-C waits until it is both in memory and in the record."""
        self.begin()
        figures = {name: verdict.figures[name] for name in SUMMARIZED if name in verdict.figures}
        with uninterrupted():
            self.verdicts.append(replace(verdict, figures=figures, message=_interned(verdict)))
            if self._writer is not None:
                with self._recording():
                    self._writer.write(verdict)

    def close(self, end: Mapping[str, Any]) -> None:
        """Write the closing line."""
        if self._writer is not None:
            with self._recording():
                self._writer.close(end)

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """End the run if the record cannot be written, since its verdicts would be lost."""
        try:
            yield
        except (OSError, ConformanceError) as fault:
            self._writer, self._is_broken = None, True
            reason = fault.strerror or str(fault) if isinstance(fault, OSError) else str(fault)
            pytest.exit(one_line(f"{self._root}: the record cannot be written: {reason}"), returncode=2)


def _interned(verdict: Verdict) -> str:
    """Why a check has no result, for the summary: many checks share a reason. pytest shows all other messages."""
    return sys.intern(verdict.message) if verdict.status in NEUTRAL else ""
