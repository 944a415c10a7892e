"""Every exception of the package is in the tree of `core.errors`, under its base class."""

from __future__ import annotations

import ast
import re

from trt_conformance.core import errors
from trt_conformance.core.paths import ROOT

PACKAGE = ROOT / "harness" / "trt_conformance"
BUILT_IN = {"Exception", "ValueError", "RuntimeError"}


def tree():
    """Each name of the tree with the name above it."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:│   |    )*(?:[├└]── )?)(\w+)(?: {2,}|$)", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            if depth:
                parents[found[2]] = above[depth - 1]
    return parents


def defined():
    """Each exception class of the package with its first base, found by name."""
    classes = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.bases and isinstance(node.bases[0], ast.Name):
                classes[node.name] = node.bases[0].id
    found = set(BUILT_IN)
    while more := {name for name, base in classes.items() if base in found} - found:
        found |= more
    return {name: classes[name] for name in found - BUILT_IN}


def test_the_tree_is_complete_and_right():
    listed = {name: base for name, base in tree().items() if name not in BUILT_IN}
    assert listed == defined()
    assert len(listed) > 10
