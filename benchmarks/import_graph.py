"""Prints the size of the package and the shape of its import graph.

    python benchmarks/import_graph.py
    python benchmarks/import_graph.py --source CHECKOUT --package harness     # of an older checkout

Needs grimp, which import-linter brings (`pip install -e '.[dev]'`). A room is a direct child of the package, a module
or a subpackage. An arrow leads from one room to another that it imports, however often. A back edge is an arrow
that the layers in pyproject.toml forbid. Floors is the length of the longest chain of rooms that import one another,
where rooms that import one another in a circle count once. Imports for type checking alone do not count.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import grimp
import tomli

ROOT = Path(__file__).resolve().parents[1]


class Arrow(NamedTuple):
    """One module or room imports another."""

    importer: str
    imported: str


class Length(NamedTuple):
    """How many lines something has."""

    lines: int
    name: str


def imports_of(package: str) -> tuple[set[str], set[Arrow]]:
    """The modules of a package, and which imports which."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    arrows = {Arrow(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}
    return set(graph.modules), arrows


def room_of(module: str) -> str:
    """The room of a module: the second part of its name; empty for the package itself."""
    return ".".join(module.split(".")[1:2])


def room_arrows(arrows: set[Arrow]) -> set[Arrow]:
    """The imports between rooms. Those of the package itself, which has the version, do not count."""
    pairs = {Arrow(room_of(arrow.importer), room_of(arrow.imported)) for arrow in arrows}
    return {pair for pair in pairs if pair.importer != pair.imported and pair.importer and pair.imported}


def reachable(arrows: set[Arrow]) -> dict[str, set[str]]:
    """What each node imports, directly or not."""
    found = {node: {a.imported for a in arrows if a.importer == node} for arrow in arrows for node in arrow}
    changed = True
    while changed:
        before = sum(map(len, found.values()))
        for below in found.values():
            below.update(*(found[other] for other in list(below)))
        changed = sum(map(len, found.values())) != before
    return found


def floors(arrows: set[Arrow]) -> int:
    """The longest chain of imports."""
    below = reachable(arrows)
    height: dict[str, int] = {}
    for node in sorted(below, key=lambda name: len(below[name])):
        height[node] = 1 + max((height.get(other, 0) for other in below[node] if node not in below[other]), default=0)
    return max(height.values(), default=0)


def circular(arrows: set[Arrow]) -> list[Arrow]:
    """Arrows that are part of a circle."""
    below = reachable(arrows)
    return sorted(arrow for arrow in arrows if arrow.importer in below[arrow.imported])


def back_edges(arrows: set[Arrow], layers: list[str]) -> list[Arrow]:
    """Arrows that do not lead down, by the layers from top to bottom; those that a ``|`` joins are one layer."""
    level = {room_of(name.strip()): n for n, line in enumerate(layers) for name in line.split("|")}
    return sorted(arrow for arrow in arrows if level[arrow.importer] >= level[arrow.imported])


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
    modules, arrows = imports_of(given.package)
    between = room_arrows(arrows)
    measured = list(lengths(given.source / given.package))
    print(f"modules           {len(modules)}")
    print(f"imports           {len(arrows)}, {len(circular(arrows))} of them in a circle")
    print(f"rooms             {len({room for module in modules if (room := room_of(module))})}")
    print(f"arrows            {len(between)}, {len(circular(between))} of them in a circle")
    print(f"floors            {floors(between)} of rooms, {floors(arrows)} of modules")
    if given.package == "trt_conformance":
        project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        (contract,) = (c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
        against = back_edges(between, contract["layers"])
        print(f"back edges        {len(against)}")
        for arrow in against:
            print(f"    {arrow.importer} -> {arrow.imported}")
    module, function = max(m for m, _ in measured), max(f for _, functions in measured for f in functions)
    print(f"longest module    {module.lines} lines: {module.name}")
    print(f"longest function  {function.lines} lines: {function.name}")


if __name__ == "__main__":
    main()
