"""Merges the records of a run's shards, from one machine or from machines of different kinds, into one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import Verdict
from trt_conformance.results import summary
from trt_conformance.results.record.keys import keyed
from trt_conformance.results.record.record import Record
from trt_conformance.results.record.schema import SCHEMA_VERSION, EndLine, Environment, Part, RunLine, Shard

# Facts that identify the kind of machine on which a target ran; others may differ between machines of one kind.
DEVICE = ("gpu", "compute_capability", "memory_bytes", "driver", "cuda_driver", "cuda_runtime")
NOT_OF_THE_KIND = ("no_gpu", "cache")
SHOWN = 10


@dataclass(frozen=True)
class Merged:
    """The merged record, and a line for each shard that is missing or was cut short."""

    record: Record
    missing: tuple[str, ...]


def merge(records: Mapping[str, Record]) -> Merged:
    """Merge records, given by the names under which the user knows them, into one.

    If a target ran on machines of different kinds, its name gets a suffix per kind: ``@`` and the facts that differ.

    Raises:
        ConformanceError: the records are not parts of one run, come from different commits, or contradict each other.
    """
    _check_whole(records)
    names = _target_names(records)
    verdicts: dict[tuple[str, str, str, int], tuple[str, Verdict]] = {}
    contradictions: list[str] = []
    for file, record in records.items():
        for key, verdict in keyed(record, names[file]).items():
            first_file, first = verdicts.setdefault(key, (file, replace(verdict, target=key[0])))
            if _outcome_of(first) != _outcome_of(verdict):
                contradictions.append(
                    f"{verdict.case}, {verdict.check} on {key[0]}: "
                    f"{_text(first)} in {first_file}, {_text(verdict)} in {file}"
                )
    if contradictions:
        more = [f"and {len(contradictions) - SHOWN} more"] if len(contradictions) > SHOWN else []
        lines = "\n  ".join([*contradictions[:SHOWN], *more])
        raise ConformanceError(f"the records contradict each other:\n  {lines}")
    found = tuple(verdict for _, verdict in verdicts.values())
    missing = tuple(_missing(records, names))
    return Merged(Record(_header(records, names), found, None if missing else _end(records, found)), missing)


def _check_whole(records: Mapping[str, Record]) -> None:
    shards = _shards(records)
    for what, values in (
        ("shards of different runs", {file: shard.tests for file, shard in shards.items()}),
        ("shards of runs with different numbers of parts", {file: shard.of for file, shard in shards.items()}),
        ("runs of different commits", {file: r.header.environment.source.commit for file, r in records.items()}),
        ("runs with different goldens", {file: _goldens(r) for file, r in records.items() if r.header.goldens}),
    ):
        if len(set(values.values())) > 1:
            lines = "\n  ".join(f"{file}: {value}" for file, value in values.items())
            raise ConformanceError(f"these are {what}, so they are not parts of one run:\n  {lines}")


def _goldens(record: Record) -> str:
    """A hash that is the same for equal goldens."""
    text = " ".join(f"{file} {digest}" for file, digest in sorted(record.header.goldens.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shards(records: Mapping[str, Record]) -> dict[str, Shard]:
    """The shards of the records; records of whole runs have none."""
    return {file: record.header.shard for file, record in records.items() if record.header.shard}


def _kind(record: Record, target: str) -> dict[str, str]:
    """The facts that identify the kind of machine on which a target ran."""
    environment = record.header.environment
    device = {name: getattr(environment.device, name) for name in DEVICE}
    facts = environment.targets.get(target, {})
    return {k: str(v) for k, v in (device | facts).items() if k not in NOT_OF_THE_KIND}


def _target_names(records: Mapping[str, Record]) -> dict[str, dict[str, str]]:
    """Each record's targets with their merged names: their own names if they ran on machines of one kind."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for record in records.values():
        for target in record.targets:
            kinds.setdefault(target, []).append(_kind(record, target))
    chosen = {target: _distinguishing(found) for target, found in kinds.items()}

    def name(record: Record, target: str) -> str:
        kind = _kind(record, target)
        suffix = "-".join(kind.get(fact, "unknown") for fact in chosen[target])
        return f"{target}@{suffix.replace(' ', '_')}" if suffix else target

    return {file: {target: name(record, target) for target in record.targets} for file, record in records.items()}


def _distinguishing(kinds: Sequence[Mapping[str, str]]) -> list[str]:
    """The facts that distinguish these kinds: in order, each one that separates more kinds than those before it."""
    chosen: list[str] = []

    def groups(facts: Sequence[str]) -> int:
        return len({tuple(kind.get(fact) for fact in facts) for kind in kinds})

    for fact in dict.fromkeys(fact for kind in kinds for fact in kind):
        if groups([*chosen, fact]) > groups(chosen):
            chosen.append(fact)
    return chosen


def _outcome_of(verdict: Verdict) -> tuple[Any, ...]:
    return (verdict.phase, verdict.status, verdict.known, verdict.figures.get("output_sha256"))


def _text(verdict: Verdict) -> str:
    bits = verdict.figures.get("output_sha256")
    return f"{verdict.known or verdict.status} in {verdict.phase}" + (f" with output {bits}" if bits else "")


def _missing(records: Mapping[str, Record], names: Mapping[str, Mapping[str, str]]) -> Iterable[str]:
    """Yield what is missing. One job array may use machines of several kinds; several arrays must each be complete."""
    shards = _shards(records)
    arrays: dict[str, list[Shard]] = {}
    numbers = Counter(shard.index for shard in shards.values())
    for file, shard in shards.items():
        for owner in names[file].values() if max(numbers.values()) > 1 else [""]:
            arrays.setdefault(owner, []).append(shard)
    for owner, found in arrays.items():
        absent = sorted(set(range(1, found[0].of + 1)) - {shard.index for shard in found})
        if absent:
            listed = ", ".join(f"{index}/{found[0].of}" for index in absent[:SHOWN])
            more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
            yield f"{owner + ': ' if owner else ''}shard {listed}{more} is missing"
    for file, record in records.items():
        if record.end is None or record.end.stopped:
            yield f"{file}: the run was cut short"


def _header(records: Mapping[str, Record], names: Mapping[str, Mapping[str, str]]) -> RunLine:
    headers = [record.header for record in records.values()]
    facts: dict[str, Any] = {}
    for file, record in records.items():
        for target, name in names[file].items():
            device = record.header.environment.device.to_json()
            own_device = {k: device[k] for k in DEVICE if k in device} if name != target else {}
            facts.setdefault(name, record.header.environment.targets.get(target, {}) | own_device)
    shared = _shared([header.environment.to_json() for header in headers])
    if any(header.environment.source.clean is False for header in headers):
        shared.setdefault("source", {})["clean"] = False
    gpus = dict.fromkeys(str(header.environment.device.gpu) for header in headers)
    if len(gpus) > 1:
        shared.setdefault("device", {})["gpu"] = ", ".join(gpus)
    header = RunLine(
        kind="run",
        schema_version=SCHEMA_VERSION,
        started=min(header.started for header in headers),
        targets=list(dict.fromkeys(name for own in names.values() for name in own.values())),
        environment=Environment.model_validate(shared | {"targets": facts}),
        merged=[
            Part(
                started=record.header.started,
                ended=record.end.ended if record.end else None,
                shard=record.header.shard,
                targets=dict(names[file]),
                environment=record.header.environment,
            )
            for file, record in records.items()
        ],
    )
    stated = {"case_folders": headers[0].case_folders, "goldens": _stated_goldens(headers)}
    return header.model_copy(update={name: value for name, value in stated.items() if value})


def _stated_goldens(headers: Sequence[RunLine]) -> dict[str, str]:
    """The goldens that all parts state; nothing if one does not."""
    return headers[0].goldens if all(header.goldens for header in headers) else {}


def _shared(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts that are equal in all environments."""
    first, *others = environments
    shared: dict[str, Any] = {}
    for key, value in first.items():
        every = [other.get(key) for other in others]
        if isinstance(value, Mapping):
            shared[key] = _shared([value, *(v if isinstance(v, Mapping) else {} for v in every)])
        elif all(value == other for other in every):
            shared[key] = value
    return shared


def _end(records: Mapping[str, Record], verdicts: Sequence[Verdict]) -> EndLine:
    ends = [record.end for record in records.values() if record.end]
    engines = {target: dict(counted) for target, counted in summary.engines(verdicts).items()}
    end = EndLine(
        kind="end",
        ended=max(end.ended for end in ends),
        counts=dict(summary.counts(verdicts)),
        exit=max(end.exit or 0 for end in ends),
    )
    return end.model_copy(update={"engines": engines}) if engines else end
