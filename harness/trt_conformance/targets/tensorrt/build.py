"""Builds a defined network into a serialized engine, with every option set explicitly."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from trt_conformance.core.builder_fields import OBEY, PREFER
from trt_conformance.core.case import Case, Profile
from trt_conformance.core.tensors import INPUT
from trt_conformance.targets.device import cuda
from trt_conformance.targets.errors import NotRun, Refused, TargetOptionError, Unsupported
from trt_conformance.targets.options import Options, Tactics
from trt_conformance.targets.protocols import TacticChoices
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.configuration import capabilities, configure
from trt_conformance.targets.tensorrt.keyed_lock import KeyedLock
from trt_conformance.targets.tensorrt.loading import Loaded, load
from trt_conformance.targets.tensorrt.network import Definition, define
from trt_conformance.targets.tensorrt.refusal import refusal
from trt_conformance.targets.tensorrt.tactics import Forcing, Selector, TacticListing, TacticSelection
from trt_conformance.targets.tensorrt.timing_cache import TimingCache

if TYPE_CHECKING:
    import tensorrt

# Preferred, not obeyed: where TensorRT has no kernel of the precision it falls back, and the verdict says so.
WEAK_FLAGS = {"fp16": ("FP16", PREFER), "bf16": ("BF16",), "int8": ("INT8",)}

# Versions differ in the types that a memory layout holds; a case that is to be refused so says it.
UNBOUND_FORMAT = "unsupported by tensor's allowed TensorFormats"
# Said by builds ahead of time whose weights TensorRT-RTX arranges on a GPU, because they are to be refitted.
ASKS_FOR_GPU = "CHECK(status == CUDA_SUCCESS) failed"
NO_LEAN_RUNTIME = "Unable to load library: libnvinfer_lean"


# 0 ignores the timing cache and takes the first GPU kernel that works; 5 compiles and times all of them.
LEVELS: dict[Tactics, int] = {"fast": 1, "exhaustive": 5}
LOW_LEVEL = LEVELS["fast"]
# TensorRT 8.5 has no levels, but its tactic sources can be limited.
FAST_SOURCES = ("CUDNN", "CUBLAS")


class Built(NamedTuple):
    """A serialized engine, and the memory that TensorRT says it takes, as figures of `core.engine_cost`."""

    content: bytes
    memory: dict[str, int]


_COMPUTE_CAPABILITIES = KeyedLock()


class PlanBuilder:
    """Builds engines with one `Api`, in its thread."""

    def __init__(self, api: Api, ahead_for: str | None, options: Options, timings: TimingCache | None) -> None:
        """``ahead_for`` names a compute capability (``SM120``) to build for without a GPU, else None."""
        self._api = api
        self._ahead_for = ahead_for
        self._options = options
        self._timings = timings
        self._stream: cuda.Stream | None = None

    def prepare(self, to_build: bool) -> None:
        """Call TensorRT's constructors: of what engines are loaded with and, if need be, built with."""
        if self._ahead_for is None:
            _ = self._api.runtime
        if to_build:
            _ = self._api.builder
            if self._ahead_for is None and self._stream is None:
                self._stream = cuda.Stream()

    def define(self, case: Case) -> Definition:
        """A case's network. Raises Refused and Unsupported as `network.define` does."""
        return define(self._api, case)

    def build(self, definition: Definition, case: Case) -> Built:
        """A case's network as a serialized engine.

        Raises:
            Refused: TensorRT refused the network, or built nothing; with its logged errors.
            Unsupported: this version has no setting for what the case needs.
            NotRun: this machine lacks what the build needs.
        """
        return self._serialized(definition, case, None, self._options.tactics)

    def tactics(self, definition: Definition, case: Case) -> TacticChoices:
        """What the builder can choose from for the convolution. Raises as `build` does.

        A builder may offer tactics, and yet build nothing: what it says then is the ``refusal`` of the choices.
        """
        listing = TacticListing()
        try:
            self._selected(definition, case, listing)
        except Refused as refusal:
            if not listing.has_offers:
                raise
            return replace(listing.found(), refusal=refusal.message)
        return listing.found()

    @property
    def has_low_level(self) -> bool:
        """Whether this version has levels of optimization, and one below that of the target's builds."""
        has_levels = hasattr(getattr(self._api.trt, "IBuilderConfig", None), "builder_optimization_level")
        return has_levels and self._options.tactics != "fast"

    def build_with(self, definition: Definition, case: Case, forcing: Forcing, low_level: bool = False) -> Built:
        """As `build`, with the tactic of ``forcing``, which also keeps what was offered.

        Raises NotRun if the builder did not use it; it may offer fewer at a low level of optimization.
        """
        built = self._selected(definition, case, forcing, low_level)
        forcing.check()
        return built

    def load(self, plan: bytes, case: Case) -> Loaded | None:
        """A case's plan where it can run; None if it was built for another machine's GPU. Raises Refused."""
        return load(self._api, plan, case) if self._ahead_for is None else None

    def close(self) -> None:
        """Save the timings of tactics."""
        if self._timings is not None:
            self._timings.save()
        if self._stream is not None:
            with suppress(cuda.CudaError):  # of an error that ended the context
                self._stream.close()

    def _selected(
        self, definition: Definition, case: Case, selection: TacticSelection, low_level: bool = False
    ) -> Built:
        if self._ahead_for is not None:
            raise Unsupported(f"{self._api.flavor} times no tactics without the GPU that it builds for")
        selector = Selector(self._api, selection)
        built = self._serialized(definition, case, selector, "fast" if low_level else self._options.tactics)
        selector.check()
        return built

    def _serialized(self, definition: Definition, case: Case, selector: Selector | None, tactics: Tactics) -> Built:
        if definition.facts.errors:
            raise Refused("network", "\n".join(definition.facts.errors))
        api, builder = self._api, self._api.builder
        api.take_errors()
        api.take_shortages()
        api.take_memory()
        config = builder.create_builder_config()
        config.profiling_verbosity = api.trt.ProfilingVerbosity.DETAILED
        if self._stream is not None:
            # Without it, all builders of a process time their kernels on its default stream, one after another.
            config.profile_stream = self._stream.handle
        if selector is None and self._timings is not None and not self._options.fresh:
            self._timings.attach(config)
        self._set_flag(config, "TF32", case.precision == "tf32")
        if not api.is_strongly_typed(case):
            for name in weak_flags(case):
                self._set_flag(config, name, True)
        choose_tactics(api, config, tactics)
        choose_sources(api, config, self._options.tactic_sources)
        configure(api, config, case)
        chosen = capabilities(api, case.builder, self._ahead_for)
        if chosen:
            config.num_compute_capabilities = len(chosen)
        for index, capability in enumerate(chosen):
            config.set_compute_capability(capability, index)
        if selector is not None:
            selector.attach(api, config)
        elif self._options.fresh:
            self._set_flag(config, "DISABLE_TIMING_CACHE", True)
        for shapes in _profiles(case):
            profile = builder.create_optimization_profile()
            profile.set_shape(INPUT, shapes.min, shapes.opt, shapes.max)
            if config.add_optimization_profile(profile) < 0:
                raise refusal(api, "build", "the optimization profile was refused")
        with _COMPUTE_CAPABILITIES.on(tuple(map(int, chosen))):
            plan = builder.build_serialized_network(definition.network, config)
        return Built(self._content(plan, case), api.take_memory())

    def _content(self, plan: tensorrt.IHostMemory | None, case: Case) -> bytes:
        """The serialized engine that a build gave. Raises as `build` does where it gave None."""
        api = self._api
        errors = api.take_errors()
        unstated = case.reject is None and not case.formats.stated
        if plan is None and unstated and any(UNBOUND_FORMAT in error for error in errors):
            raise Unsupported("\n".join(errors))
        if plan is None and self._ahead_for is not None and any(ASKS_FOR_GPU in error for error in errors):
            raise NotRun("\n".join([f"{api.flavor} {api.version} needs a GPU to build this", *errors]))
        if plan is None:
            check_lean_runtime(api.flavor, errors)
            said = "\n".join(errors) or "no engine was built, and nothing was logged"
            raise Refused("build", "\n".join([said, *api.take_shortages()]))
        return bytes(plan)

    def _set_flag(self, config: tensorrt.IBuilderConfig, name: str, on: bool) -> None:
        flag = self._api.member("BuilderFlag", name)
        if flag is None:
            if on:
                raise Unsupported(f"BuilderFlag.{name} does not exist in {self._api.flavor} {self._api.version}")
        elif on:
            config.set_flag(flag)
        else:
            config.clear_flag(flag)


def check_lean_runtime(flavor: str, errors: Sequence[str]) -> None:
    """Raise NotRun if a build failed because TensorRT's lean runtime, a separate package, is missing.

    TensorRT-RTX has no such package: what needs one cannot be built anywhere.
    """
    if flavor == "tensorrt" and any(NO_LEAN_RUNTIME in error for error in errors):
        raise NotRun("TensorRT's lean runtime (the package tensorrt_lean) is not installed")


def weak_flags(case: Case) -> tuple[str, ...]:
    """The flags of a weakly typed network for the precision of a case, except where it states that it be obeyed."""
    flags = WEAK_FLAGS.get(case.precision, ())
    return tuple(name for name in flags if name != PREFER or OBEY not in case.builder.flags)


def _profiles(case: Case) -> tuple[Profile, ...]:
    """The optimization profiles of a case, the one that is run first."""
    if case.dynamic is None:
        return ()
    return (*([case.dynamic] if case.dynamic.profile == "first" else []), *case.dynamic.further_profiles)


def choose_tactics(api: Api, config: tensorrt.IBuilderConfig, tactics: Tactics) -> None:
    """Set how long a build searches for GPU kernels."""
    if tactics == "default":
        return
    if hasattr(config, "builder_optimization_level"):
        config.builder_optimization_level = LEVELS[tactics]
        return
    sources = api.trt.TacticSource.__members__
    names = FAST_SOURCES if tactics == "fast" else tuple(sources)
    config.set_tactic_sources(_mask(api, [name for name in names if name in sources]))


def choose_sources(api: Api, config: tensorrt.IBuilderConfig, names: Sequence[str]) -> None:
    """Limit a build to these tactic sources; none leaves what `choose_tactics` set.

    Raises:
        Refused: TensorRT does not accept the combination.
    """
    if names and not config.set_tactic_sources(_mask(api, names)):
        raise refusal(api, "build", f"the tactic sources {', '.join(names)} were refused")


def check_sources(api: Api, names: Sequence[str]) -> None:
    """Raise TargetOptionError for a tactic source that this version does not have."""
    known = getattr(getattr(api.trt, "TacticSource", None), "__members__", {})
    for name in names:
        if name not in known:
            version = f"{api.flavor} {api.version}"
            raise TargetOptionError(f"--tactic-sources: {version} does not have {name} (it has {', '.join(known)})")


def _mask(api: Api, names: Sequence[str]) -> int:
    return sum(1 << int(getattr(api.trt.TacticSource, name)) for name in set(names))
