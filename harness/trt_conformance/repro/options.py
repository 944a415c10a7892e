"""A case's options of the builder and its optimization profiles as straight-line TensorRT code."""

from __future__ import annotations

from trt_conformance.core.case import Case, Profile
from trt_conformance.core.tensors import INPUT
from trt_conformance.repro.failure import Failure
from trt_conformance.targets.tensorrt.target import AHEAD_OF_TIME


def option_lines(case: Case) -> list[str]:
    """Set the case's options on ``config``, except the compute capabilities."""
    options = case.builder
    lines = [f"config.set_flag(trt.BuilderFlag.{flag})" for flag in options.flags]
    if options.tactic_sources is not None:
        bits = " | ".join(f"1 << int(trt.TacticSource.{name})" for name in options.tactic_sources) or "0"
        lines.append(f"config.set_tactic_sources({bits})")
    if options.builder_optimization_level is not None:
        lines.append(f"config.builder_optimization_level = {options.builder_optimization_level}")
    for name, enum in (
        ("tiling_optimization_level", "TilingOptimizationLevel"),
        ("hardware_compatibility_level", "HardwareCompatibilityLevel"),
        ("default_device_type", "DeviceType"),
    ):
        if (value := getattr(options, name)) is not None:
            lines.append(f"config.{name} = trt.{enum}.{value}")
    if options.default_device_type == "DLA":
        lines.append("config.DLA_core = 0")
    if options.workspace is not None:
        lines.append(f"config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, {options.workspace})")
    if options.timing_cache:
        lines.append('config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)')
    return lines


def capability_lines(case: Case, failure: Failure) -> list[str]:
    """Choose what to build for, where the engine was built ahead of time."""
    if not failure.is_ahead_of_time:
        return []
    stated = case.builder.compute_capabilities
    names = stated if stated is not None else (failure.facts.get("built_for", AHEAD_OF_TIME),)
    chosen = [
        f"config.set_compute_capability(trt.ComputeCapability.{name}, {index})" for index, name in enumerate(names)
    ]
    return [f"config.num_compute_capabilities = {len(names)}", *chosen] if names else []


def profile_lines(case: Case) -> list[str]:
    """Add the optimization profiles, the one that is run first."""
    if case.dynamic is None:
        return []
    first: list[Profile] = [case.dynamic] if case.dynamic.profile == "first" else []
    lines = []
    for each in (*first, *case.dynamic.further_profiles):
        lines += [
            "profile = builder.create_optimization_profile()",
            f'profile.set_shape("{INPUT}", {each.min}, {each.opt}, {each.max})',
            "config.add_optimization_profile(profile)",
        ]
    return lines
