"""TensorRT as a target: on this machine's GPU, or built ahead of time where there is none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

from trt_conformance.core.case import Case
from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.tensors import INPUT, case_data
from trt_conformance.core.types import TYPE_NAME, Precision
from trt_conformance.targets.device import cuda
from trt_conformance.targets.device import machine as environment
from trt_conformance.targets.device.gpu_lock import GpuLock, lock_of_gpu
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import Configuration, NetworkFacts, Tactic, TacticChoices
from trt_conformance.targets.slow_builds import slow_processes
from trt_conformance.targets.tensorrt.ahead_of_time import AheadOfTimeEngine
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.build import PlanBuilder, check_sources
from trt_conformance.targets.tensorrt.build_cache import BuildCache
from trt_conformance.targets.tensorrt.ceilings import PRODUCT_FLOP, large_product
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.execution import TensorRTEngine
from trt_conformance.targets.tensorrt.host_memory import keep_freed
from trt_conformance.targets.tensorrt.library import loaded_version
from trt_conformance.targets.tensorrt.plans import Plan, Plans, timing_file
from trt_conformance.targets.tensorrt.processes import BuildProcesses
from trt_conformance.targets.tensorrt.shapes import infer_shapes
from trt_conformance.targets.tensorrt.timing_cache import TimingCache
from trt_conformance.targets.timing.measurement import TimingPlan
from trt_conformance.targets.timing.yardstick import copy_rate

AHEAD_OF_TIME = "SM120"
# 0 keeps NVIDIA's libraries from TF32, whatever flags a builder has: engines differ by it.
TF32_OVERRIDE = "NVIDIA_TF32_OVERRIDE"


class TensorRTTarget:
    """Target ``tensorrt-8.6.1-sm90`` or ``tensorrt_rtx-1.7.1-aot``: flavor, version, and GPU or ``aot``."""

    engine_type: type[TensorRTEngine] = TensorRTEngine

    def __init__(self, flavor: str, options: Options = Options()) -> None:  # noqa: B008 - frozen
        """Raises ConformanceError if the flavor cannot work on this machine; the message says what to do."""
        if flavor == "tensorrt_rtx":
            keep_freed()
        gpus, no_gpu = cuda.gpus()
        gpu = gpus[0] if gpus else None
        try:
            self._api = Api(flavor, has_gpu=gpu is not None)
        except ImportError as fault:
            raise ConformanceError(f"{flavor} is not installed: {fault}") from None
        check_sources(self._api, options.tactic_sources)
        # TensorRT-RTX lists the GPUs that it compiles for, and builds for each without having it.
        ahead = hasattr(self._api.trt, "ComputeCapability") and flavor == "tensorrt_rtx"
        if gpu is not None and ahead and self._api.member("ComputeCapability", gpu.sm.upper()) is None:
            no_gpu = f"{flavor} does not support {gpu.name} ({gpu.sm.upper()})"
            gpu = None
        if gpu is None and not ahead:
            raise ConformanceError(f"{flavor} {self._api.version} needs a GPU to build: {no_gpu}")
        self._gpu, self._no_gpu = gpu, no_gpu
        self._ceilings: dict[str, float] = {}
        version = ".".join(str(part) for part in self._api.release)
        self.name = str(TargetName(flavor, version, self._gpu.sm if self._gpu else "aot"))
        self._options = options
        self._identity = {k: v for k, v in self._facts().items() if k != "no_gpu"} | environment.libraries()
        self._identity[TF32_OVERRIDE] = os.environ.get(TF32_OVERRIDE, "")
        self._identity |= self._sources
        self._timings = timing_file(options.cache, self._identity) if options.cache else None
        built = DiskCache(options.cache / "engines", options.cache_limit) if options.cache else None
        processes = self._build_processes()
        # Slow builds hold each other up, so one more thread is enough for them where no processes do them.
        slow = processes.size if processes is not None else int(options.builders > 1)
        apis = [self._api, *(Api(flavor, self._api.has_gpu) for _ in range(options.builders + slow))]
        identity = self._identity | {"name": self.name, "tactics": options.tactics}
        self._exclusion = Exclusion(lock_of_gpu() if gpu is not None else GpuLock(None))
        builders = [self._builder(api) for api in apis]
        self._plans = Plans(builders, BuildCache(built), identity, self._exclusion, slow, processes)

    def supports(self, case: Case) -> str | None:
        if case.reject is not None and case.rejection_on(self.name) is None:
            return "the case states no refusal for this target"
        untyped = self._api.lacks_typing(case)
        if untyped is not None:
            return untyped
        if case.precision == "fp8" and self._gpu is not None and (self._gpu.major, self._gpu.minor) < (8, 9):
            return f"FP8 needs a GPU of SM 8.9 or newer, and {self._gpu.name} has {self._gpu.sm.upper()}"
        missing = self.missing_name(case)
        if missing is None and self._api.member("DataType", TYPE_NAME[case.data_type]) is None:
            missing = case.data_type
        return f"`{missing}` does not exist in {self._api.flavor} {self._api.version}" if missing else None

    def missing_name(self, case: Case) -> str | None:
        if case.deprecated is None:
            return None
        trt, name = self._api.trt, case.deprecated.name
        owner = trt.INetworkDefinition if name == "add_convolution" else trt.IConvolutionLayer
        return None if hasattr(owner, name) else name

    def define(self, case: Case) -> NetworkFacts:
        self._check(case)
        return self._plans.define(case)

    def infer_shapes(self, configurations: Iterable[Configuration]) -> Iterator[tuple[int, ...] | None]:
        self._plans.prepare()
        return infer_shapes(self._api, configurations)

    def warm_up(self) -> None:
        """Make the first builder: it loads TensorRT's kernels, 10 to 14 seconds in 8.6.

        If this TensorRT has built before, its engines are probably in the cache, and no builder may be needed.
        """
        self._plans.prepare(to_build=self._timings is None or not self._timings.exists())

    def expect(self, cases: Sequence[Case]) -> None:
        """Build these ahead, since they will be asked for next."""
        self._plans.expect([case for case in cases if self.supports(case) is None])

    def build(self, case: Case) -> TensorRTEngine | AheadOfTimeEngine:
        self._check(case)
        return self._engine(self._plans.get(case), case)

    def tactics(self, case: Case) -> TacticChoices:
        self._check(case)
        return self._plans.tactics(case)

    def build_with(self, case: Case, tactic: Tactic) -> TensorRTEngine | AheadOfTimeEngine:
        self._check(case)
        return self._engine(self._plans.get_with(case, tactic), case)

    def expect_tactics(self, asked: Sequence[tuple[Case, Tactic | None]]) -> None:
        self._plans.expect_tactics([(case, tactic) for case, tactic in asked if self.supports(case) is None])

    def _engine(self, plan: Plan, case: Case) -> TensorRTEngine | AheadOfTimeEngine:
        if self._gpu is None:
            return AheadOfTimeEngine(plan, f"built ahead of time for {AHEAD_OF_TIME}: {self._no_gpu}")
        return self.engine_type(self._api, plan, case, lambda: self.ceilings(case.precision), self._exclusion)

    def close(self) -> None:
        """End the builders."""
        self._plans.close()

    def ceilings(self, precision: Precision) -> dict[str, float]:
        """Bytes a second of a large copy (``memory``) and FLOP a second of a large product in the precision."""
        if "memory" not in self._ceilings:
            self._ceilings["memory"] = copy_rate()
        if precision not in self._ceilings:
            case = large_product(precision)
            engine = TensorRTEngine(self._api, self._plans.get(case), case, dict, self._exclusion)
            try:
                samples = engine.measure({INPUT: case_data(case).input}, TimingPlan("graph", limit_s=2.0)).samples
            finally:
                engine.close()
            self._ceilings[precision] = PRODUCT_FLOP / median(samples)
        return {name: self._ceilings[name] for name in ("memory", precision)}

    def environment(self) -> dict[str, Any]:
        """Version of TensorRT, the GPU or what the engines are built for, and how they are built."""
        caches = "engines and timings" if self._keeps_timings else "engines"
        is_cached = self._options.cache is not None and self._options.keeps
        return (
            self._facts() | self._sources | {"tactics": self._options.tactics, "cache": caches if is_cached else "none"}
        )

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"flavour": self._api.flavor, "version": self._api.version}
        library = loaded_version(self._api.flavor)
        if library:
            facts["library"] = library
        if self._gpu is None:
            return facts | {"built_for": AHEAD_OF_TIME, "no_gpu": self._no_gpu}
        return facts | {
            "gpu": self._gpu.name,
            "sm": self._gpu.sm,
            "gpu_memory": self._gpu.memory,
            "multiprocessors": self._gpu.multiprocessors,
        }

    @property
    def _sources(self) -> dict[str, str]:
        """The tactic sources, where the user limited them. Their order has no effect."""
        names = sorted(set(self._options.tactic_sources))
        return {"tactic_sources": ",".join(names)} if names else {}

    @property
    def _keeps_timings(self) -> bool:
        """TensorRT-RTX times no tactics when it builds: its timing cache does nothing."""
        return self._gpu is not None and self._api.flavor == "tensorrt" and not self._options.fresh

    def _builder(self, api: Api) -> PlanBuilder:
        timings = TimingCache(api, self._timings) if self._keeps_timings else None
        return PlanBuilder(api, None if self._gpu else AHEAD_OF_TIME, self._options, timings)

    def _build_processes(self) -> BuildProcesses | None:
        """The processes that build what is slow to build; None if a thread does."""
        compiles_on = self._gpu.memory if self._gpu is not None and self._api.flavor == "tensorrt" else None
        size = slow_processes(self._options, compiles_on)
        if not size or self._options.elsewhere is None:
            return None
        theirs = replace(self._options, builders=0, slow_builders=0, elsewhere=None, eager=True)
        return BuildProcesses(partial(self._options.elsewhere, theirs), size)

    def _check(self, case: Case) -> None:
        reason = self.supports(case)
        if reason is not None:
            raise Unsupported(reason)
