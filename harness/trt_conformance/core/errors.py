"""Errors meant for people: one line that says what was wrong, where, and what to do."""

from __future__ import annotations


class ConformanceError(Exception):
    """A fault in what the user gave; shown without a traceback, exit code 2."""


class InvalidConvolution(ValueError):
    """A configuration that is no convolution: its shapes and attributes do not go together."""
