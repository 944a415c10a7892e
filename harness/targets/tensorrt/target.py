"""TensorRT as a target: on this machine's GPU, or built ahead of time where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

from harness import cuda
from harness.data import INPUT, case_data
from harness.errors import ConformanceError
from harness.latency.measurement import Plan
from harness.latency.yardstick import copy_rate
from harness.model import Case, Precision
from harness.targets.base import Configuration, NetworkFacts, Refused, Unsupported
from harness.targets.tensorrt.api import Api
from harness.targets.tensorrt.build import PlanBuilder
from harness.targets.tensorrt.ceilings import PRODUCT_FLOP, large_product
from harness.targets.tensorrt.execution import AheadOfTimeEngine, TensorRTEngine
from harness.targets.tensorrt.network import Definition, define
from harness.targets.tensorrt.shapes import infer_shapes

AHEAD_OF_TIME = "SM120"


class TensorRTTarget:
    """Target ``tensorrt-8.6.1-sm90`` or ``tensorrt_rtx-1.7.1-aot``: flavour, version, and GPU or ``aot``."""

    def __init__(self, flavour: str) -> None:
        """Raises ConformanceError where the flavour cannot work on this machine; the message says what to do."""
        gpus, no_gpu = cuda.gpus()
        gpu = gpus[0] if gpus else None
        try:
            self._api = Api(flavour, has_gpu=gpu is not None)
        except ImportError as fault:
            raise ConformanceError(f"{flavour} is not installed: {fault}") from None
        # TensorRT-RTX lists the GPUs that it compiles for, and builds for each without having it.
        ahead = hasattr(self._api.trt, "ComputeCapability") and flavour == "tensorrt_rtx"
        if gpu is not None and ahead and self._api.member("ComputeCapability", gpu.sm.upper()) is None:
            no_gpu = f"{flavour} does not support {gpu.name} ({gpu.sm.upper()})"
            gpu = None
        if gpu is None and not ahead:
            raise ConformanceError(f"{flavour} {self._api.version} needs a GPU to build: {no_gpu}")
        self._gpu, self._no_gpu = gpu, no_gpu
        self._ceilings: dict[str, float] = {}
        version = ".".join(str(part) for part in self._api.release)
        self.name = f"{flavour}-{version}-{self._gpu.sm if self._gpu else 'aot'}"
        self._plans = PlanBuilder(self._api, None if self._gpu else AHEAD_OF_TIME)

    def supports(self, case: Case) -> str | None:
        if case.reject is not None and case.rejection_on(self.name) is None:
            return "the case states no refusal for this target"
        untyped = self._api.lacks_typing(case)
        if untyped is not None:
            return untyped
        if case.precision == "fp8" and self._gpu is not None and (self._gpu.major, self._gpu.minor) < (8, 9):
            return f"FP8 needs a GPU of SM 8.9 or newer, and {self._gpu.name} has {self._gpu.sm.upper()}"
        missing = self.missing_name(case)
        return f"`{missing}` does not exist in {self._api.flavour} {self._api.version}" if missing else None

    def missing_name(self, case: Case) -> str | None:
        if case.deprecated is None:
            return None
        trt, name = self._api.trt, case.deprecated.name
        owner = trt.INetworkDefinition if name == "add_convolution" else trt.IConvolutionLayer
        return None if hasattr(owner, name) else name

    def define(self, case: Case) -> NetworkFacts:
        return self._define(case).facts

    def infer_shapes(self, configurations: Iterable[Configuration]) -> Iterator[tuple[int, ...] | None]:
        return infer_shapes(self._api, configurations)

    def build(self, case: Case) -> TensorRTEngine | AheadOfTimeEngine:
        definition = self._define(case)
        if definition.facts.errors:
            raise Refused("network", "\n".join(definition.facts.errors))
        plan = self._plans.build(definition, case)
        if self._gpu is None:
            return AheadOfTimeEngine(plan, f"built ahead of time for {AHEAD_OF_TIME}: {self._no_gpu}")
        return TensorRTEngine(self._api, plan, case, lambda: self.ceilings(case.precision))

    def ceilings(self, precision: Precision) -> dict[str, float]:
        """Bytes a second of a large copy (``memory``) and FLOP a second of a large product in the precision."""
        if "memory" not in self._ceilings:
            self._ceilings["memory"] = copy_rate()
        if precision not in self._ceilings:
            case = large_product(precision)
            engine = TensorRTEngine(self._api, self._plans.build(self._define(case), case), case, dict)
            try:
                samples = engine.measure({INPUT: case_data(case).input}, Plan("graph", limit_s=2.0)).samples
            finally:
                engine.close()
            self._ceilings[precision] = PRODUCT_FLOP / median(samples)
        return {name: self._ceilings[name] for name in ("memory", precision)}

    def environment(self) -> dict[str, Any]:
        """Version of TensorRT, and the GPU or what the engines are built for."""
        facts: dict[str, Any] = {"flavour": self._api.flavour, "version": self._api.version}
        if self._gpu is None:
            return facts | {"built_for": AHEAD_OF_TIME, "no_gpu": self._no_gpu}
        return facts | {
            "gpu": self._gpu.name,
            "sm": self._gpu.sm,
            "gpu_memory": self._gpu.memory,
            "multiprocessors": self._gpu.multiprocessors,
        }

    def _define(self, case: Case) -> Definition:
        reason = self.supports(case)
        if reason is not None:
            raise Unsupported(reason)
        return define(self._api, case)
