"""``trt-conformance doctor``: lists TensorRT versions, GPU and targets, and why a target cannot run."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Annotated, Any

import typer

from trt_conformance.cli.output import AsJson, print_json


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
        return (
            f"no TensorRT can run here: {reason}. Networks, shapes, rejections and builds are still checked "
            "against TensorRT-RTX ahead of time; to run kernels, use a machine with an NVIDIA GPU"
        )
    gpu = gpus[0]
    extra = "tensorrt10" if gpu.major == 7 else "tensorrt"
    return (
        f"{gpu.name} ({gpu.sm.upper()}) is available, but no installed TensorRT runs on it: "
        f"pip install -e '.[{extra}]', or make conformance EXTRA={extra}"
    )


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
        device = found["device"]
        typer.echo(f"Python     {found['python']} on {found['platform']}")
        if device["gpu"]:
            driver = device.get("driver", "unknown")
            typer.echo(f"GPU        {device['gpu']}, compute capability {device['compute_capability']}")
            typer.echo(f"driver     {driver} (CUDA {device['cuda_driver']}), CUDA runtime {device['cuda_runtime']}")
        else:
            typer.echo(f"GPU        none: {device['reason']}")
        typer.echo("packages   " + ", ".join(f"{name} {version}" for name, version in found["packages"].items()))
        typer.echo("")
    for target in found["targets"]:
        typer.echo(_line(target))
        if not target["usable"] and not brief:
            typer.echo(f"{'':<13}  why: {target['why']}")
            typer.echo(f"{'':<13}  do:  {target['do']}")
    if found["advice"]:
        typer.echo(f"\n{found['advice']}")


def _line(target: dict[str, Any]) -> str:
    family = f"{target['family']:<13}"
    if not target["usable"]:
        return f"{family}  cannot run here"
    if target["family"] == "numpy":
        return f"{family}  {target['name']}: the reference, run as a target"
    if "built_for" in target:
        return f"{family}  {target['name']}: builds ahead of time for {target['built_for']}, runs nothing here"
    return f"{family}  {target['name']}: ready"
