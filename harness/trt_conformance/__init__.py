"""Conformance suite and golden-data harness for TensorRT's convolution layer."""

from __future__ import annotations

__version__ = "0.1.0"
