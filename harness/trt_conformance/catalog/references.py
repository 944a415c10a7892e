"""Checks across entries and files: ids and docs are unique, and the case that a relation names exists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trt_conformance.catalog.case_file import Entry
from trt_conformance.catalog.source import Source
from trt_conformance.core.case import Case
from trt_conformance.core.words import closest, shown


def check_duplicates(every: Iterable[Entry]) -> None:
    """Record a fault for each id used twice in any file, and each doc used twice in one file."""
    ids: dict[str, Entry] = {}
    docs: dict[tuple[str, str], Entry] = {}
    for entry in every:
        name, doc = entry.data.get("id"), entry.data.get("doc")
        for base_id in entry.base_ids if isinstance(name, str) else ():
            if (first := ids.setdefault(base_id, entry)) is not entry:
                entry.fault(("id",), f"duplicate id {shown(name)}: {base_id} is already at {first.location}")
        if isinstance(doc, str):
            same = " ".join(doc.lower().split())
            if (first := docs.setdefault((entry.source.file, same), entry)) is not entry:
                entry.fault(("doc",), f"duplicate doc {shown(doc)}: already at {first.location}")


def check_sweep_names(case_files: Iterable[Source], sweeps: Iterable[Source]) -> None:
    """Record a fault for each sweep named like another file: ids begin with the file's name."""
    names = {source.stem: source.file for source in case_files}
    for source in sweeps:
        first = names.setdefault(source.stem, source.file)
        if first != source.file:
            source.fault((), f"the name {shown(source.stem)} is also that of {first}: case ids would be ambiguous")


def check_relations(cases: Sequence[tuple[Entry, Case]], every: Iterable[Entry], unread: set[str]) -> None:
    """Record a fault for each relation to a case that does not exist in the same precision, or has no output.

    Relations to the files ``unread`` (their stems), which have faults of their own, are not checked.
    """
    entries_by_id = {base_id: entry for entry in every for base_id in entry.base_ids}
    refused = {case.id for _, case in cases if case.reject and case.reject.phase}
    for entry, case in cases:
        for index, relation in enumerate(case.relations):
            if relation.to is None or relation.to.partition("/")[0] in unread:
                continue
            path, what = ("relations", index, "to"), f"relation to {shown(relation.to)}:"
            other = entries_by_id.get(relation.to)
            if other is None:
                entry.fault(path, f"{what} no such case{closest(relation.to, entries_by_id)}")
            elif case.precision not in other.precisions:
                there = ", ".join(map(str, other.precisions))
                entry.fault(path, f"{what} that case runs in {there}, not in {case.precision}")
            elif f"{relation.to}-{case.precision}" in refused:
                entry.fault(path, f"{what} that case is refused, so it has no output")
