"""What a run ran on: versions, device, commit."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from trt_conformance.targets.device import cuda
from trt_conformance.targets.device.clocks import nvml_handle

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
    except Exception as fault:  # NVML is optional: the record has the reason
        return {"nvml": f"not available: {fault}"}
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        facts: dict[str, Any] = {"driver": driver.decode() if isinstance(driver, bytes) else driver}
        if not cuda.gpus()[0]:
            return facts
        handle = nvml_handle(pynvml)
        return facts | {
            "clock_sm_mhz": pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
            "clock_memory_mhz": pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM),
            "clock_sm_max_mhz": pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM),
        }
    except (pynvml.NVMLError, cuda.CudaError) as fault:
        return {"nvml": str(fault)}
    finally:
        pynvml.nvmlShutdown()


def libraries() -> dict[str, str]:
    """The driver and NVIDIA's libraries, as far as they are installed as packages: what engines depend on."""
    found = {str(one.metadata["Name"]): one.version for one in metadata.distributions() if one.metadata["Name"]}
    mine = {name: found[name] for name in sorted(found) if name.lower().startswith(("tensorrt", "nvidia"))}
    return mine | {"driver": str(_nvml().get("driver", ""))}
