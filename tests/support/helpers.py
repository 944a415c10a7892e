"""Builds cases, convolves in the plainest way, and runs pytest, for tests."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from tests.support.fork_server import ForkServer
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.paths import ROOT
from trt_conformance.core.types import PaddingMode

SMALL_FILE = """\
section = "a section"
source = "a source"
[defaults]
input = { shape = [1, 1, 6, 9], fill = "tiled_1_to_9" }
kernel = { shape = [1, 1, 3, 3], fill = "powers_of_ten" }
"""
"""How a small case file of a test begins."""
DYNAMIC_CASE = """\
[[case]]
id = "runs"
doc = "a dynamic height"
[case.dynamic]
shape = [1, 1, -1, 9]
min = [1, 1, 3, 9]
opt = [1, 1, 6, 9]
max = [1, 1, 12, 9]
run = [[1, 1, 3, 9], [1, 1, 6, 9]]
"""
"""A case of such a file that runs two shapes."""
slow = partial(pytest.param, marks=pytest.mark.slow)
"""Values of a parametrized test for which it takes long."""
EXPECTATION = """\
[[expectation]]
id = "{id}"
cause = "deviation"
doc = "a known difference"
targets = ["tensorrt-*"]
checks = ["forward"]
phase = "compare"
difference = "as if: .*"
"""
"""An expectation of a test, for cases that are to be appended."""
PADDING_MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)


def make_case(**fields: Any) -> Case:
    """A case with the document's first example for whatever is not given.

    Example: ``make_case(set={"stride_nd": [2, 2]}, precision="fp16")``. An ``id`` without a precision gets it.
    """
    precision = fields.get("precision", "fp32")
    base_id = fields.pop("id", "example/values").removesuffix(f"-{precision}")
    given: dict[str, Any] = {
        "id": f"{base_id}-{precision}",
        "name": base_id.rpartition("/")[2],
        "file": "cases/convolution/example.toml",
        "line": 1,
        "section": "example",
        "doc": "the first example of the document",
        "input": {"shape": [1, 1, 6, 9], "fill": "tiled_1_to_9"},
        "kernel": {"shape": [1, 1, 3, 3], "fill": "powers_of_ten"},
    }
    if precision == "int8":
        given |= {"quantize": {"input": 1.0, "kernel": [1.0]}, "weights": "set_input"}
    return Case.model_validate(given | fields)


def sampled(values: Sequence[Any], step: int) -> list[Any]:
    """Values of a parametrized test, of which each but every ``step``-th is marked slow."""
    return [value if index % step == 0 else slow(value) for index, value in enumerate(values)]


def table_axis(size: int, window: int, stride: int, pre: int, post: int, dilation: int, mode: str) -> tuple[int, int]:
    """Output size of an axis and the zeros before it, by NVIDIA's table of padding modes, written out once more.

    SAME modes crop nothing where their padding would be negative.
    """
    dk = 1 + dilation * (window - 1)
    if mode == "EXPLICIT_ROUND_DOWN":
        return math.floor(Fraction(size + pre + post - dk, stride)) + 1, pre
    if mode == "EXPLICIT_ROUND_UP":
        return math.ceil(Fraction(size + pre + post - dk, stride)) + 1, pre
    if mode == "CAFFE_ROUND_DOWN":
        return math.floor(Fraction(size + 2 * pre - dk, stride)) + 1, pre
    if mode == "CAFFE_ROUND_UP":
        return math.ceil(Fraction(size + 2 * pre - dk, stride)) + 1, pre
    padding = math.floor(Fraction(size - 1, stride)) * stride + dk - size
    smaller = math.floor(Fraction(padding, 2))
    before = smaller if mode == "SAME_UPPER" else padding - smaller
    return math.ceil(Fraction(size, stride)), before if padding > 0 else 0


def run_pytest(
    *arguments: str, root: Path = ROOT, path: Sequence[Path] = (), fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, in a folder, as if no other pytest were running.

    ``path`` comes before the harness on Python's path. In another checkout, or if it is to be ``fresh``, the process
    starts from nothing. Else it is forked from one that has imported the suite and read its cases, which is quicker.
    """
    is_checkout = not root.is_relative_to(ROOT) and (root / "harness").is_dir()
    packages = (root / "harness",) if is_checkout else (*path, ROOT / "harness")
    environment = pytest_environment() | {"PYTHONPATH": os.pathsep.join(map(str, packages))}
    given = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments)
    if hasattr(os, "fork") and not fresh and not is_checkout:
        return _fork_server().run("pytest", given, root, environment)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *given],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def run_command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``trt-conformance`` in a process of its own, in the checkout, with these variables of the environment."""
    return run_python("trt_conformance.cli", *map(str, arguments), PYTHONPATH=str(ROOT / "harness"), **environment)


def run_python(what: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a module, or a file of Python, in a process of its own, with these variables of the environment."""
    given = pytest_environment() | environment
    if hasattr(os, "fork"):
        return _fork_server().run(what, arguments, ROOT, given)
    command = [sys.executable, *(() if what.endswith(".py") else ("-m",)), what, *arguments]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=600, check=False)


def pytest_environment() -> dict[str, str]:
    """The environment for a pytest that a test starts: without what the outer pytest put there for itself."""
    outer = ("PYTEST_XDIST", "PYTEST_CURRENT_TEST", "PYTEST_ADDOPTS")
    return {name: value for name, value in os.environ.items() if not name.startswith(outer)}


@cache
def _fork_server() -> ForkServer:
    return ForkServer(pytest_environment() | {"PYTHONPATH": str(ROOT / "harness")})


def run_pytest_often(
    runs: Sequence[Sequence[str]], root: Path = ROOT, path: Sequence[Path] = (), fresh: bool = False
) -> list[tuple[int, str]]:
    """As `run_pytest`, once for each list of arguments. Returns exit codes, and stdout followed by stderr."""
    found = (run_pytest(*arguments, root=root, path=path, fresh=fresh) for arguments in runs)
    return [(done.returncode, done.stdout + done.stderr) for done in found]


def brute_force(x: Any, kernel: Any, bias: Any, attributes: Attributes) -> Any:
    """The convolution of an input ``(*batch, C, *spatial)`` by plain loops over Python numbers."""
    rank, groups = len(kernel.shape) - 2, attributes.groups
    spatial, window = x.shape[-rank:], kernel.shape[2:]
    settings = zip(spatial, window, attributes.axes(), strict=True)
    axes = [table_axis(i, f, *axis, attributes.mode) for i, f, axis in settings]
    images, per_group = x.reshape(-1, *x.shape[-rank - 1 :]), kernel.shape[1]
    out = np.empty((len(images), kernel.shape[0], *(size for size, _ in axes)), dtype=object)
    for n, k, *place in np.ndindex(*out.shape):
        first_channel = k // (kernel.shape[0] // groups) * per_group
        total = _number(bias[k]) if bias is not None else 0
        for c, *tap in np.ndindex(*kernel.shape[1:]):
            read = [
                o * s + f * d - before
                for o, f, s, d, (_, before) in zip(
                    place, tap, attributes.stride, attributes.dilation, axes, strict=True
                )
            ]
            if all(0 <= r < size for r, size in zip(read, spatial, strict=True)):
                total += _number(images[(n, first_channel + c, *read)]) * _number(kernel[(k, c, *tap)])
        out[(n, k, *place)] = total
    return out.reshape(*x.shape[: -rank - 1], *out.shape[1:])


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
