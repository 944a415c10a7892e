"""Damages run records at random and gives them to everything that reads records.

A damaged record is either refused by the reader, in one message with file and line, or every reader copes with it:
there is no third outcome. Run it at length with ``python -m tests.support.record_fuzz --count 5000 --seed 1``.
"""

from __future__ import annotations

import argparse
import copy
import csv
import io
import json
import random
import re
import resource
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.support.suite import suite_catalog
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.results.changes import between
from trt_conformance.results.history import history
from trt_conformance.results.latency.gate import latency_section
from trt_conformance.results.record.merge import merge
from trt_conformance.results.record.record import Record, read_record, record_content, save_record
from trt_conformance.results.report import compare_text
from trt_conformance.results.report.exports import FORMATS
from trt_conformance.results.report.page import compare_page, report_page
from trt_conformance.results.report.trend import history_page
from trt_conformance.results.report.view import View

LINES = 14
"""Verdicts of a record that is damaged: enough for every kind, few enough to be quick."""

NASTY = (
    "", "x", "inf", "-inf", "nan", "NaN", "1", "../../x", "=1+1", "+1", "@SUM(A1)", "-2", "\t=1", "\x1b[31m",
    "\r\n", "\0", "<script>alert(1)</script>", "</title><b>", "`|*_[x](y)", "\ud800", "\u202e", "\x9b2J",
    "x" * 5000, "a\nb", "-", "a-b-c",
)  # fmt: skip
WEIRD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 1.0, -0.0, 0.5, 5e-324, 1e-300, -1e-6, 1e6, 1e300, -1e308,
    1.7976931348623157e308, 10**18, 2**63, -(2**70), 10**400, float("nan"), float("inf"), [], {}, [[]], [{}],
    {"": []}, [None], [0] * 48, [1000] * 48, [1e308, 1e308, -1e308], [float("nan")], ["a"], [1, "a"], [True],
    {"a": {"b": {"c": []}}}, [[[[[[[[1]]]]]]]], *NASTY,
)  # fmt: skip
INTERESTING = {
    "fraction": ["inf", "nan", 0, 5e-324, 1e308, -1], "mode": ["x", ["x"], "cold"],
    "samples": [[0.0], [1e-13], [-1.0, 1.0], 5],
    "facts": [5, {"ceilings": 5}, {"placements": [0.0, 0.0]}, {"ceilings": {"memory": 0}}],
    "kernels": [5, [5], [{}]], "shape": [[1] * 48, [0, 9, 9], [1, 3, 3], [10**9, 1, 1]],
    "w_at": [[], [0], [-1, 0, 0], [10**18, 0, 0]], "x_at": [[], [1]], "yardstick": [[], [0.0], [1e-12], "x"],
    "work": [5, {"flops": -1}, {"flops": 10**400}], "floor": [{}, 1, {"seconds": "x"}],
    "started": ["2026-02-30T00:00:00+00:00", "0000-01-01T00:00:00+00:00", "2026-01-01"],
    "shard": [{"index": 1, "of": 10**12}], "memory_bytes": [10**400, "much"], "schema_version": [2, 1.0, True],
    "environment": [{}, {"device": {}}, {"targets": {"x": 5}}],
}  # fmt: skip


def samples_of(source: Path, rng: random.Random) -> list[dict[str, Any]]:
    """The header, a few verdicts of every kind, and the end of a record."""
    lines = record_content(source).splitlines()
    verdicts = [line for line in lines if line.startswith(b'{"kind": "verdict"')]
    rich = [line for line in verdicts if b'"evidence": ' in line or b'"samples": ' in line]
    drawn = rng.sample(rich, min(len(rich), 4)) + rng.sample(verdicts, min(len(verdicts), LINES - 4))
    chosen = [json.loads(line) for line in drawn]  # parsing all of them would take most of a fuzzer's time
    for line in chosen:
        if "samples" in line["figures"]:
            line["figures"]["samples"] = line["figures"]["samples"][:40]
    first, last = json.loads(lines[0]), json.loads(lines[-1])
    return [first, *chosen, *([last] if last["kind"] == "end" else [])]


def sources() -> list[Path]:
    """The published records, and those of tests."""
    return [
        *sorted((ROOT / "reports" / "published").glob("*/record.jsonl.gz")),
        *sorted((ROOT / "tests/data").glob("*.jsonl")),
    ]


def places(value: Any, depth: int = 12) -> Iterator[tuple[Any, Any]]:
    """Every container of a line with a key in it, as far as ``depth`` levels."""
    if not depth:
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(parts)[:60]:
        yield value, key
        yield from places(part, depth - 1)


def damage(lines: list[dict[str, Any]], rng: random.Random) -> None:
    """Change one or a few values of a record in place."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        line = rng.choice(lines)
        found = list(places(line))
        telling = [(at, key) for at, key in found if key in INTERESTING]
        at, key = rng.choice(telling if telling and rng.random() < 0.4 else found)
        what = rng.random()
        if key in INTERESTING and what < 0.4:
            at[key] = copy.deepcopy(rng.choice(INTERESTING[key]))
        elif what < 0.7:
            at[key] = copy.deepcopy(rng.choice(WEIRD))
        elif what < 0.8:
            del at[key]
        elif what < 0.85:
            at[key] = [at[key]]
        elif what < 0.9 and isinstance(at, dict):
            at[rng.choice(NASTY)] = copy.deepcopy(rng.choice(WEIRD))
        elif what < 0.94 and isinstance(at, dict):
            at[rng.choice(NASTY)] = at.pop(key)
        elif isinstance(at, list):
            at += [copy.deepcopy(at[key])] * rng.choice((1, 7))
        else:
            at[key] = nested(rng.choice((20, 40, 200)))


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def text_of(lines: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, lines)).encode() + b"\n"


def damage_bytes(content: bytes, rng: random.Random) -> bytes:
    """The same at the level of bytes and lines."""
    at, kind = rng.randrange(len(content)), rng.randrange(7)
    lines = content.splitlines(keepends=True)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
    if kind == 2:
        return (
            content[:at]
            + rng.choice((b"\n", b"\0", b"\xff", b"}", b'"', b",", b"NaN", b"1" * 5000, b"[" * 5000))
            + content[at:]
        )
    if kind == 3:
        rng.shuffle(lines)
    elif kind == 4:
        lines.append(rng.choice(lines))
    elif kind == 5:
        del lines[rng.randrange(len(lines))]
    else:
        line = rng.randrange(len(lines))
        lines[line] = re.sub(rb'("\w+": )', rb'\1"again", \1', lines[line], count=1)
    return b"".join(lines)


def damaged_lines(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Single lines, damaged in their values alone, that JSON can express."""
    rng = random.Random(seed)
    templates = [line for source in sources() for line in samples_of(source, rng)]
    for _ in range(count):
        lines = [copy.deepcopy(rng.choice(templates))]
        damage(lines, rng)
        with suppress(ValueError):
            yield json.loads(json.dumps(lines[0], allow_nan=False))


class Readers:
    """Everything that reads a record, one method a command."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._folder, self._catalog = folder, catalog
        self._base = read_record(ROOT / "reports/published/2026-11-22-tensorrt-8.6.1-h200-latency-stem")
        self._base_file = save_record(folder / "base", self._base)

    def report(self, path: Path, record: Record, n: int) -> None:
        page = report_page(View((record,), self._catalog if n % 25 == 0 else None))
        assert "<script>alert" not in page
        assert "</title><b>" not in page

    def compare(self, path: Path, record: Record, n: int) -> None:
        for base, new in ((self._base, record), (record, self._base), (record, record)):
            changes, latency = between(base, new), latency_section(base, new, across_devices=bool(n % 2))
            json.dumps(changes.to_json(10) | {"latency": latency.to_json()})
            page = compare_page(changes, 10, latency)
            assert "<script>alert" not in page
            text = compare_text.terminal(changes, 10) + "\n".join(latency.lines())
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text), "control characters"
            assert "<script" not in compare_text.markdown(changes, 10)

    def history(self, path: Path, record: Record, n: int) -> None:
        found = history([path, self._base_file])
        json.dumps(found.to_json(), allow_nan=False)
        assert "<script>alert" not in history_page(found)

    def export(self, path: Path, record: Record, n: int) -> None:
        view = View((record,), None)
        made = {name: write(view) for name, write in FORMATS.items()}
        ET.fromstring(made["junit"].encode())
        json.loads(made["github-benchmark"], parse_constant=_no_constant)
        for row in csv.reader(io.StringIO(made["csv"])):
            assert not any(cell[:1] in "=+-@\t\r" for cell in row if cell and not _is_number(cell)), row
        assert "<script" not in made["markdown"]

    def merge(self, path: Path, record: Record, n: int) -> None:
        merged = merge({str(path): record}).record
        assert read_record(save_record(self._folder / "merged", merged)).verdicts == merged.verdicts

    def all(self) -> tuple[Callable[[Path, Record, int], None], ...]:
        return (self.report, self.compare, self.history, self.export, self.merge)


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} in JSON")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", text) is not None


def _read(path: Path) -> Record | None:
    """The record; None where the reader refuses it in one message with file and line."""
    message = ""
    try:
        return read_record(path)
    except ConformanceError as fault:
        message = str(fault)
    assert re.match(rf"{re.escape(str(path))}:\d+: .", message), message
    return None


def fuzz(count: int, seed: int, folder: Path, catalog: Catalog) -> tuple[Counter[str], list[str]]:
    """Damage ``count`` records. Returns how many were read and refused, and what failed."""
    rng = random.Random(seed)
    readers, path = Readers(folder, catalog), folder / "damaged.jsonl"
    templates = [samples_of(source, rng) for source in sources() for _ in range(2)]
    counts: Counter[str] = Counter()
    failures = []
    for n in range(count):
        lines = copy.deepcopy(rng.choice(templates))
        if rng.random() < 0.85:
            damage(lines, rng)
        content = text_of(lines)
        if rng.random() < 0.25:
            content = damage_bytes(content, rng)
        path.write_bytes(content)
        began, step = time.process_time(), "read"
        try:
            record = _read(path)
            counts["read" if record else "refused"] += 1
            for reader in readers.all() if record else ():
                step = reader.__name__
                with suppress(ConformanceError):  # not a pair to compare, say
                    reader(path, record, n)
        except Exception as fault:
            counts["failed"] += 1
            last = traceback.extract_tb(fault.__traceback__)[-1]
            failures.append(f"{n} {step}: {fault!r:.200} at {last.filename}:{last.lineno}")
            (folder / f"failed{n}.jsonl").write_bytes(content)
        counts["slow"] += time.process_time() - began > 10
    return counts, failures


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz at length, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    warnings.simplefilter("error")
    folder = Path(tempfile.mkdtemp(prefix="record_fuzz_"))
    counts, failures = fuzz(given.count, given.seed, folder, suite_catalog())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{given.count} records, seed {given.seed}: {dict(counts)}; peak memory {peak} MiB; {folder}")
    print("\n".join(failures))
    return 1 if failures or counts["slow"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
