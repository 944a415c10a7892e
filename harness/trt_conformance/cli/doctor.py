"""``trt-conformance doctor``: lists TensorRT versions, GPU and targets, and why a target cannot run."""

from __future__ import annotations

import platform
from importlib import metadata
from textwrap import wrap
from typing import Annotated, Any

import typer

from trt_conformance.cli.output import AsJson, print_json
from trt_conformance.core.advice import install_command
from trt_conformance.core.table import columns_of_output

LABEL_WIDTH = 15


def examine() -> dict[str, Any]:
    """All findings, as JSON values."""
    from trt_conformance.targets import registry
    from trt_conformance.targets.device import machine as environment
    from trt_conformance.targets.registry import discover

    targets = []
    for found in discover():
        entry: dict[str, Any] = {"family": found.family, "usable": found.target is not None}
        if found.target is None:
            entry |= {"why": found.reason, "do": found.advice}
        else:
            entry |= {"name": found.target.name, **registry.target_facts(found.target)}
        targets.append(entry)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": environment.gpu(),
        "packages": environment.versions() | _tensorrt_packages(),
        "targets": targets,
        "advice": advice(targets),
    }


def _tensorrt_packages() -> dict[str, str]:
    found = {}
    for name in ("tensorrt", "tensorrt-rtx", "onnxruntime", "cupti-python"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def advice(targets: list[dict[str, Any]]) -> str:
    """What to do to run TensorRT on this machine; empty if it already runs."""
    from trt_conformance.targets.device import cuda

    if any(t["usable"] and t["family"].startswith("tensorrt") and "gpu" in t for t in targets):
        return ""
    gpus, reason = cuda.gpus()
    if not gpus:
        has_rtx = any(t["usable"] and t["family"] == "tensorrt_rtx" for t in targets)
        rtx = "TensorRT-RTX" if has_rtx else f"TensorRT-RTX, once it is installed ({install_command('cpu')}),"
        return (
            f"TensorRT cannot run kernels here: {reason}. {rtx} still checks networks, shapes, refusals and builds, "
            "ahead of time. To run kernels, use a machine with an NVIDIA GPU."
        )
    gpu = gpus[0]
    extra = "tensorrt10" if gpu.major == 7 else "tensorrt"
    return f"{gpu.name} ({gpu.sm.upper()}) is available, but no installed TensorRT runs on it: {install_command(extra)}"


def doctor(
    as_json: AsJson = False,
    brief: Annotated[bool, typer.Option("--brief", help="Print one line per target.")] = False,
) -> None:
    """List TensorRT versions, GPU, driver, CUDA and targets.

    For each target that cannot run, print the reason and what to do.
    """
    found = examine()
    if as_json:
        print_json(found)
        return
    if not brief:
        _print_machine(found)
    for target in found["targets"]:
        _print(target["family"], _state(target))
        if not target["usable"] and not brief:
            _print("", f"why: {target['why']}")
            _print("", f"fix: {target['do']}")
    if found["advice"]:
        typer.echo()
        _print("", found["advice"], label_width=0)


def _print_machine(found: dict[str, Any]) -> None:
    device = found["device"]
    _print("Python", f"{found['python']} on {found['platform']}")
    if device["gpu"]:
        _print("GPU", f"{device['gpu']}, compute capability {device['compute_capability']}")
        cuda = f"CUDA {device['cuda_driver']}), CUDA runtime {device['cuda_runtime']}"
        _print("driver", f"{device.get('driver', 'unknown')} ({cuda}")
    else:
        _print("GPU", f"none: {device['reason']}")
    _print("packages", ", ".join(f"{name} {version}" for name, version in found["packages"].items()))
    typer.echo()


def _print(label: str, text: str, label_width: int = LABEL_WIDTH) -> None:
    """Print a text beside its label, folded to the width of the terminal; of a file, in one line."""
    width = columns_of_output()
    lines = [text] if width is None else wrap(text, max(width - label_width, 20), break_on_hyphens=False)
    for number, line in enumerate(lines):
        typer.echo(f"{'' if number else label:<{label_width}}{line}")


def _state(target: dict[str, Any]) -> str:
    if not target["usable"]:
        return "cannot run here"
    if target["family"] == "numpy":
        return f"{target['name']}: the reference, run as a target"
    if "built_for" in target:
        return f"{target['name']}: builds ahead of time for {target['built_for']}, and cannot run engines here"
    return f"{target['name']}: ready"
