"""Finds targets: the registered ones on this machine, and users' own by ``path/to/file.py:Class``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from trt_conformance.core.advice import install_command
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.target_name import TargetName
from trt_conformance.targets.errors import TargetFault, TargetOptionError
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import Target, offers
from trt_conformance.targets.validation import CheckedTarget, described

TO_GET_IT = "; to get it: "
"""What is between the reason why a target cannot work here and the advice, which is about this machine alone."""

# The extra that installs each family, and where it works.
_EXTRAS = {
    "tensorrt": ("tensorrt", " (or tensorrt10, tensorrt8), given an NVIDIA GPU"),
    "tensorrt_rtx": ("cpu", " (on Linux and Windows, x86-64)"),
    "onnxruntime": ("cpu", ""),
    "torch": ("torch", ""),
}


def _numpy(options: Options) -> Target:
    from trt_conformance.targets.numpy import NumpyTarget

    return NumpyTarget()


def _onnxruntime(options: Options) -> Target:
    from trt_conformance.targets.onnxruntime import OnnxRuntimeTarget

    return OnnxRuntimeTarget()


def _torch(options: Options) -> Target:
    from trt_conformance.targets.torch.target import TorchTarget

    return TorchTarget()


def _tensorrt(options: Options) -> Target:
    from trt_conformance.targets.tensorrt import TensorRTTarget

    return TensorRTTarget("tensorrt", options)


def _tensorrt_rtx(options: Options) -> Target:
    from trt_conformance.targets.tensorrt import TensorRTTarget

    return TensorRTTarget("tensorrt_rtx", options)


REGISTERED: dict[str, Callable[[Options], Target]] = {
    "tensorrt": _tensorrt,
    "tensorrt_rtx": _tensorrt_rtx,
    "onnxruntime": _onnxruntime,
    "torch": _torch,
    "numpy": _numpy,
}


@dataclass(frozen=True)
class Found:
    """A registered family on this machine: the target, or why it cannot work here and what to do."""

    family: str
    target: Target | None
    reason: str = ""
    advice: str = ""


def discover() -> tuple[Found, ...]:
    """Every registered family, in order of interest."""
    return tuple(_find(family, Options()) for family in REGISTERED)


def _find(family: str, options: Options) -> Found:
    try:
        return Found(family, REGISTERED[family](options))
    except TargetOptionError:  # no package to install would help
        raise
    except ConformanceError as fault:
        return Found(family, None, str(fault), _advice(family))
    except (Exception, SystemExit) as fault:  # a package that is installed and broken fails in any way it likes
        told = " ".join(str(fault).split())
        return Found(family, None, f"{family} does not load: {type(fault).__name__}: {told}", _advice(family))


def _advice(family: str) -> str:
    """How to install a family; empty for one that needs no package."""
    if family not in _EXTRAS:
        return ""
    extra, where = _EXTRAS[family]
    return f"{install_command(extra)}{where}"


def resolve(spec: str, options: Options = Options()) -> Target:  # noqa: B008 - frozen
    """The target a user asked for: a family, a full name, or ``path/to/file.py:Class``, which knows no options.

    Raises:
        ConformanceError: there is no such target, or it cannot work on this machine.
    """
    path, colon, attribute = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return _load(Path(path), attribute)
    family = TargetName.parse(spec).flavor
    if family not in REGISTERED:
        close = get_close_matches(family, REGISTERED, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConformanceError(
            f"--target {spec}: no such target{hint} (there are {', '.join(REGISTERED)}, and path/to/file.py:Class)"
        )
    found = _find(family, options)
    if found.target is None:
        raise ConformanceError(f"--target {spec}: {found.reason}{TO_GET_IT}{found.advice}")
    if spec not in (family, found.target.name):
        raise ConformanceError(f"--target {spec}: this machine has {found.target.name}")
    return found.target


def _load(path: Path, attribute: str) -> Target:
    where = f"--target {path}:{attribute}"
    if not path.is_file():
        raise ConformanceError(f"{where}: there is no file {path}")
    name = f"_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (ConformanceError, KeyboardInterrupt):
        raise
    except BaseException as fault:  # a module may call sys.exit
        raise ConformanceError(f"{where}: importing it raised {described(fault)}") from fault
    factory = getattr(module, attribute, None)
    if factory is None:
        classes = [n for n, c in vars(module).items() if inspect.isclass(c) and c.__module__ == name]
        has = f"it has {', '.join(classes)}" if classes else "it has no class"
        raise ConformanceError(f"{where}: the file has no class {attribute}; {has}")
    try:
        target = factory()
        missing = [part for part in ("name", "supports", "build") if not hasattr(target, part)]
    except (ConformanceError, KeyboardInterrupt):
        raise
    except BaseException as fault:
        raise ConformanceError(f"{where}: {attribute}() raised {described(fault)}") from fault
    if missing:
        lacks = ", ".join(missing)
        raise ConformanceError(f"{where}: a target has name, supports(case) and build(case); missing: {lacks}")
    try:
        return CheckedTarget(target)
    except (ConformanceError, TargetFault) as fault:
        raise ConformanceError(f"{where}: {fault}") from fault


def target_facts(target: Target) -> dict[str, Any]:
    """A target's versions and device for the record; the reason where it cannot report them, which ends no run."""
    try:
        return dict(target.environment()) if offers(target, "environment") else {}
    except Exception as fault:
        return {"environment": f"not available: {next(iter(str(fault).splitlines()), type(fault).__name__)}"}
