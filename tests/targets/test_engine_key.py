"""The key of a cached engine covers the code that makes its network."""

from __future__ import annotations

from pathlib import Path

import pytest

import trt_conformance
from trt_conformance.targets.tensorrt import plans

PACKAGE = Path(trt_conformance.__file__).parent


@pytest.mark.parametrize("source", plans._SOURCES)
def test_every_listed_source_exists(source: str) -> None:
    path = PACKAGE / source
    assert path.is_file() or any(path.glob("*.py")), f"{source} is listed for the engine-cache key and does not exist"


def test_every_module_that_makes_a_network_is_listed() -> None:
    """What `targets/tensorrt/network.py` imports of ours is part of the key, but for what only describes or reports."""
    import ast

    tree = ast.parse((PACKAGE / "targets/tensorrt/network.py").read_text(encoding="utf-8"))
    used = {
        node.module.removeprefix("trt_conformance.").replace(".", "/")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("trt_conformance.core")
    }
    listed = {source.removesuffix(".py") for source in plans._SOURCES}
    assert used - listed <= {"core/errors", "core/words", "core/arrays", "core"}
