"""Finds: faults that the search has shrunk, each with its cause and its case file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from trt_conformance.catalog.case_file import expand, read_entries
from trt_conformance.catalog.edges import SPATIAL
from trt_conformance.catalog.source import read_sources
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.types import QUANTIZED_PRECISIONS
from trt_conformance.core.verdict import Verdict
from trt_conformance.explore.case_file import NAME, case_text, write_case_file
from trt_conformance.explore.layer import DrawnLayer, differing, fitted
from trt_conformance.explore.shrink import COUNTS, SEVERAL
from trt_conformance.results.causes import cause, reason, way

SHRUNK_AGAIN = 2
"""The first draws that a find seems to explain are shrunk too: their smallest layer may have another cause."""


OF_DATA = {"size", "content"}
"""Choices that a smallest layer may have only because a smaller layer would prove little."""


@dataclass
class Find:
    """A fault with a new cause: the smallest layer that has it, its case, its verdict, and what led to it.

    ``seen`` counts the draws that it explains, and ``faults`` are those of its case file, if it has any.
    """

    name: str
    layer: DrawnLayer
    case: Case
    verdict: Verdict
    tries: int = 0
    seen: int = 1
    faults: tuple[str, ...] = ()

    def equals(self, other: Find) -> bool:
        """Whether both have one cause: the same layer fails in the same way, or one needs what the other needs."""
        mine, theirs = (differing(replace(find.layer, seed=0)) for find in (self, other))
        if way(self.verdict) == way(other.verdict) and mine == theirs:
            return True
        needed, also = mine.keys() - OF_DATA, theirs.keys() - OF_DATA
        return cause(self.verdict) == cause(other.verdict) and (needed <= also or also <= needed)


@dataclass
class Finds:
    """The finds so far, shared by the threads of a search."""

    known: list[Find] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, find: Find) -> bool:
        """Keep a find whose cause is new, and return whether it is."""
        with self._lock:
            for other in self.known:
                if find.equals(other):
                    other.seen += 1
                    return False
            self.known.append(find)
            return True

    def like(self, layer: DrawnLayer, verdict: Verdict) -> Iterator[Find]:
        """The finds that may explain why a layer fails: it has all that they need, and fails in the same way."""
        with self._lock:
            known = list(self.known)
        for find in known:
            if way(find.verdict) == way(verdict) and needs(find.layer, layer):
                yield find

    def explain(self, find: Find) -> bool:
        """Count a draw as one of a find, unless the find has explained too few to be trusted with it."""
        with self._lock:
            if find.seen <= SHRUNK_AGAIN:
                return False
            find.seen += 1
            return True


def needs(smallest: DrawnLayer, layer: DrawnLayer) -> bool:
    """Whether a layer has all that is not simple in another: numbers as large, and the same choices."""
    if layer.rank < smallest.rank:
        return False
    smallest = smallest.of_rank(layer.rank)
    for name, value in differing(smallest).items():
        given = getattr(layer, name)
        if name in COUNTS:
            enough = given >= value
        elif name in SPATIAL:
            enough = all(map(int.__ge__, given, value))
        elif name in SEVERAL:
            enough = set(value) <= set(given)
        else:
            enough = name == "seed" or given == value
        if not enough:
            return False
    return True


def without(smallest: DrawnLayer, layer: DrawnLayer) -> DrawnLayer | None:
    """The layer with the simplest value of everything that another one needs; None if nothing is left of it."""
    plain = DrawnLayer().of_rank(layer.rank)
    wanted = sorted(differing(smallest.of_rank(layer.rank)).keys() - OF_DATA - {"seed"})
    if not wanted:
        return None
    other = fitted(replace(layer, **{name: getattr(plain, name) for name in wanted}))
    return None if other == layer else other


def written(path: Path, layer: DrawnLayer, verdict: Verdict, source: str) -> tuple[Case, tuple[str, ...]]:
    """Write the case file of a find, and read it back.

    Args:
        path: of the file.
        layer: the smallest layer.
        verdict: how it fails.
        source: where the case is from, for its file.

    Returns:
        The case as the file states it, and the faults that linting finds in the file: none, in general.
    """
    case = layer.case(f"{path.stem}/{NAME}", source=source)
    fields = layer.fields()
    if layer.precision in QUANTIZED_PRECISIONS:
        fields.pop("weights")  # a quantized case gives its kernel so, if it does not say otherwise
    doc = f"{verdict.check} fails: {reason(verdict.message).partition('; ')[0]}"
    write_case_file(path, case_text(case, fields, doc, source))
    (file,) = read_sources([path], [], CaseFolder.at(path.parent))
    read = [found for entry in read_entries(file) for found in expand(entry)]
    return read[0] if read else case, tuple(map(str, file.faults))
