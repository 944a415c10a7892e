"""What a run ran on: versions, device, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import __version__, cuda
from harness.paths import ROOT
from harness.targets.base import HasEnvironment, Target

PACKAGES = ("numpy", "h5py", "cuda-bindings", "pytest", "pytest-benchmark", "pydantic", "ml_dtypes")


def versions() -> dict[str, str]:
    """Installed versions of the packages that matter to a result."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> dict[str, Any]:
    """The checkout's commit and whether its tree was clean.

    A copy without git says its commit by the variable TRT_CONFORMANCE_COMMIT; otherwise nothing is known.
    """
    try:
        head = _git("rev-parse", "HEAD")
        return {"commit": head, "clean": not _git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        said = os.environ.get("TRT_CONFORMANCE_COMMIT")
        return {"commit": said, "clean": None} if said else {}


def uncommitted(folder: Path) -> list[str] | None:
    """Files of a folder that differ from the last commit, as git names them; None outside a checkout."""
    try:
        if _git("rev-parse", "--show-toplevel") != str(ROOT):
            return None
        return _git("status", "--porcelain", "--", str(folder)).splitlines()
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def gpu() -> dict[str, Any]:
    """GPU, driver, CUDA versions and clocks in MHz; the reason where there is no GPU."""
    found, reason = cuda.gpus()
    if not found:
        return {"gpu": None, "reason": reason}
    first = found[0]
    facts: dict[str, Any] = {
        "gpu": first.name,
        "gpus": len(found),
        "compute_capability": f"{first.major}.{first.minor}",
        "memory_bytes": first.memory,
        "cuda_driver": cuda.version_text(cuda.call("cudaDriverGetVersion")),
        "cuda_runtime": cuda.version_text(cuda.call("cudaRuntimeGetVersion")),
    }
    return facts | _nvml()


def _nvml() -> dict[str, Any]:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception as fault:  # NVML is a convenience; its absence is recorded
        return {"nvml": f"not available: {fault}"}
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        driver = pynvml.nvmlSystemGetDriverVersion()
        return {
            "driver": driver.decode() if isinstance(driver, bytes) else driver,
            "clock_sm_mhz": pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
            "clock_memory_mhz": pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM),
            "clock_sm_max_mhz": pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM),
        }
    except pynvml.NVMLError as fault:
        return {"nvml": str(fault)}
    finally:
        pynvml.nvmlShutdown()


def libraries() -> dict[str, str]:
    """The driver and NVIDIA's libraries, as far as they are installed as packages: what engines depend on."""
    found = {str(one.metadata["Name"]): one.version for one in metadata.distributions()}
    mine = {name: found[name] for name in sorted(found) if name.lower().startswith(("tensorrt", "nvidia"))}
    return mine | {"driver": str(_nvml().get("driver", ""))}


def _without_folders(argument: str) -> str:
    """An argument with an absolute path cut to its last part: where a checkout lies is nobody's business."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def target_facts(target: Target) -> dict[str, Any]:
    """What a target says of its versions and device; the reason where it fails to, which ends no run."""
    try:
        return dict(target.environment()) if isinstance(target, HasEnvironment) else {}
    except Exception as fault:
        return {"environment": f"not available: {fault}"}


def describe(targets: list[Target]) -> dict[str, Any]:
    """Everything a run record says of where it ran."""
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions(),
        "source": commit(),
        "device": gpu(),
        "targets": {target.name: target_facts(target) for target in targets},
        "arguments": [_without_folders(argument) for argument in sys.argv[1:]],
    }
