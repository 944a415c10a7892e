"""Prints the size of the package and the shape of its import graph.

    python benchmarks/import_graph.py
    python benchmarks/import_graph.py --source CHECKOUT --package harness     # of an older checkout

Needs grimp, which import-linter brings (`pip install -e '.[dev]'`). A room is a direct child of the package, a module
or a subpackage. An edge leads from one room to another room that it imports; several imports are one edge. A back edge
is an edge that the layers in pyproject.toml forbid. Levels is the length of the longest chain of rooms that import one
another; a cycle of rooms counts as one room. Imports for type checking only do not count.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tomli

from trt_conformance.core.advice import install_command

try:
    import grimp
except ImportError:
    sys.exit(f"grimp is not installed, which import-linter brings: {install_command('dev')}")

ROOT = Path(__file__).resolve().parents[1]


class Edge(NamedTuple):
    """One module or room imports another."""

    importer: str
    imported: str


class Length(NamedTuple):
    """How many lines something has."""

    lines: int
    name: str


def imports_of(package: str) -> tuple[set[str], set[Edge]]:
    """The modules of a package, and which imports which."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    edges = {Edge(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}
    return set(graph.modules), edges


def room_of(module: str) -> str:
    """The room of a module: the second part of its name; empty for the package itself."""
    return ".".join(module.split(".")[1:2])


def room_edges(edges: set[Edge]) -> set[Edge]:
    """The imports between rooms. Imports of the package itself, which has the version, do not count."""
    pairs = {Edge(room_of(edge.importer), room_of(edge.imported)) for edge in edges}
    return {pair for pair in pairs if pair.importer != pair.imported and pair.importer and pair.imported}


def reachable(edges: set[Edge]) -> dict[str, set[str]]:
    """All that each node imports, directly or indirectly."""
    found = {node: {a.imported for a in edges if a.importer == node} for edge in edges for node in edge}
    changed = True
    while changed:
        before = sum(map(len, found.values()))
        for below in found.values():
            below.update(*(found[other] for other in list(below)))
        changed = sum(map(len, found.values())) != before
    return found


def levels(edges: set[Edge]) -> int:
    """The longest chain of imports."""
    below = reachable(edges)
    height: dict[str, int] = {}
    for node in sorted(below, key=lambda name: len(below[name])):
        height[node] = 1 + max((height.get(other, 0) for other in below[node] if node not in below[other]), default=0)
    return max(height.values(), default=0)


def cyclic(edges: set[Edge]) -> list[Edge]:
    """Edges that are part of a cycle."""
    below = reachable(edges)
    return sorted(edge for edge in edges if edge.importer in below[edge.imported])


def back_edges(edges: set[Edge], layers: list[str]) -> list[Edge]:
    """Edges that do not lead down, given the layers from top to bottom; ``|`` joins rooms of one layer."""
    level = {room_of(name.strip()): n for n, line in enumerate(layers) for name in line.split("|")}
    return sorted(edge for edge in edges if level[edge.importer] >= level[edge.imported])


def lengths(folder: Path) -> Iterator[tuple[Length, list[Length]]]:
    """The length of each module, and those of its functions, decorators and docstrings included."""
    for path in sorted(folder.rglob("*.py")):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(folder).as_posix()
        functions = [
            Length(node.end_lineno - min(n.lineno for n in [node, *node.decorator_list]) + 1, f"{name}: {node.name}")
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
        ]
        yield Length(len(text.splitlines()), name), functions


def main() -> None:
    """Measure, and print one figure a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=ROOT / "harness", help="the folder that contains the package")
    parser.add_argument("--package", default="trt_conformance")
    given = parser.parse_args()
    sys.path.insert(0, str(given.source))
    modules, edges = imports_of(given.package)
    between = room_edges(edges)
    measured = list(lengths(given.source / given.package))
    print(f"modules           {len(modules)}")
    print(f"imports           {len(edges)}, {len(cyclic(edges))} of them in a cycle")
    print(f"rooms             {len({room for module in modules if (room := room_of(module))})}")
    print(f"edges             {len(between)}, {len(cyclic(between))} of them in a cycle")
    print(f"levels            {levels(between)} of rooms, {levels(edges)} of modules")
    if given.package == "trt_conformance":
        project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        (contract,) = (c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
        against = back_edges(between, contract["layers"])
        print(f"back edges        {len(against)}")
        for edge in against:
            print(f"    {edge.importer} -> {edge.imported}")
    module, function = max(m for m, _ in measured), max(f for _, functions in measured for f in functions)
    print(f"longest module    {module.lines} lines: {module.name}")
    print(f"longest function  {function.lines} lines: {function.name}")


if __name__ == "__main__":
    main()
