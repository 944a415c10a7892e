"""TensorRT 8.5 to 11 and TensorRT-RTX behind one adapter, which probes what a version has."""

from __future__ import annotations

from trt_conformance.targets.tensorrt.target import TensorRTTarget

__all__ = ["TensorRTTarget"]
