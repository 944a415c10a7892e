"""Applies a case's builder options to a configuration, and reads what builder and configuration say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trt_conformance.core.builder_fields import Builder
from trt_conformance.core.case import Case
from trt_conformance.targets.errors import NotRun, Unsupported
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.refusal import made, refusal

if TYPE_CHECKING:
    import tensorrt


def configure(api: Api, config: tensorrt.IBuilderConfig, case: Case) -> None:
    """Set the case's options, except the compute capabilities, which `capabilities` gives.

    Raises:
        Unsupported: this version does not have an option.
        Refused: TensorRT does not accept one.
        NotRun: this machine has no DLA.
    """
    options = case.builder
    for flag in options.flags:
        config.set_flag(api.required_member("BuilderFlag", flag))
    if options.tactic_sources is not None:
        sources = sum(1 << int(api.required_member("TacticSource", name)) for name in options.tactic_sources)
        if not config.set_tactic_sources(sources):
            raise refusal(api, "build", "the tactic sources were refused")
    if options.builder_optimization_level is not None:
        _assign(api, config, "builder_optimization_level", options.builder_optimization_level)
    if options.tiling_optimization_level is not None:
        level = api.required_member("TilingOptimizationLevel", options.tiling_optimization_level)
        _assign(api, config, "tiling_optimization_level", level)
    if options.hardware_compatibility_level is not None:
        if api.flavor == "tensorrt_rtx":
            raise Unsupported("TensorRT-RTX ignores the hardware compatibility level")
        level = api.required_member("HardwareCompatibilityLevel", options.hardware_compatibility_level)
        _assign(api, config, "hardware_compatibility_level", level)
    if options.workspace is not None:
        config.set_memory_pool_limit(api.required_member("MemoryPoolType", "WORKSPACE"), options.workspace)
    if options.timing_cache:
        cache = made(api, config.create_timing_cache(b""), "build", "an empty timing cache was refused")
        config.set_timing_cache(cache, ignore_mismatch=False)
    if options.default_device_type is not None:
        if not api.builder.num_DLA_cores:
            raise NotRun(f"{api.flavor} {api.version} finds no DLA on this machine")
        config.default_device_type = api.required_member("DeviceType", options.default_device_type)
        config.DLA_core = 0


def capabilities(api: Api, options: Builder, ahead_for: str | None) -> list[tensorrt.ComputeCapability]:
    """The compute capabilities to build for; none for TensorRT's own choice.

    Args:
        api: the version.
        options: the case's.
        ahead_for: the compute capability that the suite builds for where it has no GPU that fits.

    Raises:
        Unsupported: an engine is built for this machine's GPU, or this version does not have one of them.
    """
    names = options.compute_capabilities
    if names is not None and ahead_for is None:
        raise Unsupported("compute capabilities are chosen only where engines are built ahead of time")
    chosen = names if names is not None else () if ahead_for is None else (ahead_for,)
    return [api.required_member("ComputeCapability", name) for name in chosen]


def builder_facts(api: Api, case: Case, layer: tensorrt.IConvolutionLayer) -> dict[str, Any]:
    """What the case states of builder and configuration, as it is, under the names of `BuilderFacts`."""
    stated = case.expect.builder
    if stated is None:
        return {}
    config = api.builder.create_builder_config()
    for flag in case.builder.flags:
        config.set_flag(api.required_member("BuilderFlag", flag))
    found: dict[str, Any] = {
        f"flags.{flag}": config.get_flag(api.required_member("BuilderFlag", flag)) for flag in stated.flags
    }
    if stated.num_DLA_cores is not None:
        found["num_DLA_cores"] = api.builder.num_DLA_cores
    if stated.can_run_on_DLA is not None:
        found["can_run_on_DLA"] = config.can_run_on_DLA(layer)
    return found


def _assign(api: Api, config: tensorrt.IBuilderConfig, name: str, value: Any) -> None:
    api.require_attribute(config, name)
    setattr(config, name, value)
