"""Conformance suite and golden-data harness for TensorRT's convolution layer."""

__version__ = "0.1.0"
