"""Writes the tables of the docs that say what ran, from the records in `reports/published`.

    python -m trt_conformance.results.report.published          # writes them
    python -m trt_conformance.results.report.published --check  # says which are not what the records give

A fault that an expectation explains today counts as known, as in `trt-conformance matrix`. A table stands between two
comments, `<!-- published: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from packaging.version import Version

from trt_conformance.catalog.expectations import Expectations
from trt_conformance.core.check_names import QUICK_LATENCY
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.core.target_name import TargetName
from trt_conformance.results.known_today import explained, finding
from trt_conformance.results.record.own_targets import posing
from trt_conformance.results.record.record import Record, read_record, record_path
from trt_conformance.results.report import view_of, write
from trt_conformance.results.report.answer import counted
from trt_conformance.results.report.compare_text import markdown_table
from trt_conformance.results.summary import outcome, table
from trt_conformance.results.versions.columns import number

PUBLISHED = ROOT / "reports" / "published"
PAGES = (Path("README.md"), Path("reports/README.md"), Path("docs/running.md"))

_TABLE = re.compile(r"(<!-- published: (\w+) -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)
# Arguments that say where files are, or what is shown: without and with a value.
_PLAIN = frozenset(("-q", "--no-header", "--no-cache"))
_ASIDE = frozenset(
    ("--record-root", "--cache-dir", "--progress", "--durations", "-p", "--meter", "-n", "-c", "--rootdir", "-o")
)
_NAMES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX", "torch": "PyTorch", "onnxruntime": "ONNX Runtime"}


@dataclass(frozen=True)
class Published:
    """What one published run says about one target: the outcomes of its checks, and of how many cases.

    ``latencies``: the number of full latencies. ``command``: without the options that only name folders or change what
    is printed. ``seconds``: how long it took; None if it did not end. ``is_search``: its cases were drawn by a search,
    so its checks say nothing about the suite's cases.
    ``phases``: the lines of the summary at the end of a run.
    """

    run: str
    target: str
    gpu: str
    counts: Mapping[str, int]
    cases: int
    latencies: int
    command: str = ""
    seconds: float | None = None
    is_double: bool = False
    is_search: bool = False
    phases: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """``TensorRT-RTX 1.7.1``."""
        return title_of(self.target)


def title_of(target: str) -> str:
    """What people call a target without its GPU: ``TensorRT-RTX 1.7.1``."""
    name = TargetName.parse(target)
    return f"{_NAMES.get(name.flavor, name.flavor)} {name.version}".rstrip()


def published(folder: Path = PUBLISHED, expectations: Expectations | None = None) -> list[Published]:
    """Every published run, one entry for each of its targets, by name of the run.

    Args:
        folder: the folder of the runs.
        expectations: what explains a fault today that was not known in its run; without them, it stays a fault.

    Raises:
        ConformanceError: a folder has no record, or one that cannot be read.
    """
    found: list[Published] = []
    for run in sorted(path for path in folder.iterdir() if path.is_dir()):
        record = read_record(record_path(run) or run)
        for target in record.targets:
            mine = [v for v in record.verdicts if v.target == target and v.check != QUICK_LATENCY]
            checks = [explained(v, expectations) for v in mine if v.phase != "latency"]
            timed = sum(v.phase == "latency" for v in mine)
            gpu = record.header.environment.device.gpu or ""
            counts = Counter(map(outcome, checks))
            cases = len({v.case for v in mine})
            command, took = command_of(record), seconds_of(record)
            found.append(
                Published(
                    run.name,
                    target,
                    gpu,
                    counts,
                    cases,
                    timed,
                    command,
                    took,
                    bool(posing(record)),
                    is_search(record),
                    tuple(table(checks)) if checks else (),
                )
            )
    return found


def targets_table(entries: Sequence[Published]) -> list[str]:
    """For each target, the run of cases with the most passing checks: where it ran, and its results."""
    rows = [
        (
            f"{entry.title}, {_where(entry)}",
            ", ".join(f"{n:,} {name}" for name in ("pass", "known", "fail", "error") if (n := entry.counts.get(name))),
        )
        for entry in _largest(entries)
    ]
    return markdown_table(("target", "checks"), rows)


def runs_table(entries: Sequence[Published]) -> list[str]:
    """For each published run and target the outcomes of its checks."""
    columns = ("pass", "known", "fallback", "unsupported", "not run", "fail", "error")
    rows = [
        (
            f"`{entry.run}`",
            entry.target,
            str(entry.cases),
            *(str(entry.counts.get(name, 0) or "") for name in columns),
            str(entry.latencies or ""),
        )
        for entry in entries
    ]
    lines = markdown_table(("run", "target", "cases", *columns, "latencies"), rows)
    return [line.replace("\\_", "_").replace("\\`", "`") for line in lines]


def commands_table(entries: Sequence[Published]) -> list[str]:
    """The command, the duration and the results of each published run in which a check passed, without test doubles."""
    rows = []
    for entry in sorted(entries, key=_order):
        if entry.is_double or not entry.counts.get("pass"):
            continue
        took = "" if entry.seconds is None else f"{entry.seconds:,.0f} s"
        link = f"[{_results(entry.counts)}](../reports/published/{entry.run})"
        rows.append((entry.title, _where(entry), f"`{entry.command}`", took, link))
    lines = markdown_table(("target", "where", "command", "took", "result"), rows)
    return [line.replace("\\", "") for line in lines]


def summaries(entries: Sequence[Published]) -> list[str]:
    """The summary of one run of the newest version of each flavor: the run in which most checks passed."""
    newest = {TargetName.parse(entry.target).flavor: entry for entry in _largest(entries) if not entry.is_double}
    lines = []
    for entry in newest.values():
        lines += ["", f"{entry.title}, {_where(entry)}, `{entry.command}`:", "", "```", *entry.phases, "```"]
    return [*lines, ""]


def command_of(record: Record) -> str:
    """The command of a run, without options that only name folders or change what is printed.

    Of many patterns of cases, only the first two are given.
    """
    words, cases, kept = iter(record.header.environment.arguments), [], []
    for word in words:
        name, _, value = word.partition("=")
        if name in _PLAIN:
            continue
        if name in _ASIDE or name == "--case":
            value = value or next(words, "")
            cases += [value] if name == "--case" else []
            continue
        kept.append(word)
    shown = [f"--case {shlex.quote(case)}" for case in cases[:2]]
    return " ".join(
        [
            "trt-conformance" if kept[:1] in (["explore"], ["rebuild"]) else "pytest",
            *kept,
            *shown,
            *(["…"] if len(cases) > 2 else []),
        ]
    )


def is_search(record: Record) -> bool:
    """Whether `trt-conformance explore` wrote a record."""
    return record.header.environment.arguments[:1] == ["explore"]


def seconds_of(record: Record) -> float | None:
    """How long a run took; None if it was killed or stopped."""
    if record.end is None or record.end.stopped:
        return None
    began, ended = (datetime.fromisoformat(text) for text in (record.header.started, record.end.ended))
    return (ended - began).total_seconds()


TABLES: Mapping[str, Callable[[Sequence[Published]], list[str]]] = {
    "targets": targets_table,
    "runs": runs_table,
    "commands": commands_table,
    "summaries": summaries,
}


def updated(text: str, entries: Sequence[Published]) -> str:
    """A page with its tables written from the records.

    Raises:
        ConformanceError: the page names a table that does not exist.
    """

    def made(match: re.Match[str]) -> str:
        begin, name, _, end = match.groups()
        if name not in TABLES:
            raise ConformanceError(f"published: {name}: there is no such table; there are {', '.join(TABLES)}")
        return begin + "\n".join(TABLES[name](entries)) + "\n" + end

    return _TABLE.sub(made, text)


def stale(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """The pages with stale tables, with their new text."""
    view = view_of(())
    entries = published(root / "reports" / "published", Expectations(view.expectations, finding(view.catalog)))
    for page in PAGES:
        text = (root / page).read_text(encoding="utf-8")
        if (now := updated(text, entries)) != text:
            yield page, now


def main(arguments: Sequence[str]) -> int:
    """Write the tables, or with ``--check`` say which pages are stale. Returns the exit code."""
    found = list(stale())
    for page, text in found:
        if "--check" in arguments:
            print(f"{page}: the tables of published runs are stale; run `make docs-tables`")
        else:
            write(ROOT / page, text)
            print(page)
    return 1 if found and "--check" in arguments else 0


def _results(counts: Mapping[str, int]) -> str:
    """``4,929 pass, 625 known differences``; what neither passes nor fails is left out."""
    parts = [f"{counts.get('pass', 0):,} pass"]
    words = {"known": "known difference", "fallback": "fallback", "fail": "failure", "error": "error"}
    return ", ".join([*parts, *(counted(counts[name], word) for name, word in words.items() if counts.get(name))])


def _largest(entries: Sequence[Published]) -> list[Published]:
    """For each target the run of cases in which most checks passed, by version."""
    largest: dict[str, Published] = {}
    for entry in sorted(entries, key=lambda entry: entry.counts.get("pass", 0)):
        if entry.counts.get("pass") and not entry.is_search:
            largest[entry.target] = entry
    return sorted(largest.values(), key=_order)


def _where(entry: Published) -> str:
    return entry.gpu.removeprefix("NVIDIA ") if entry.gpu else "no GPU"


def _order(entry: Published) -> tuple[str, Version, str]:
    name = TargetName.parse(entry.target)
    return name.flavor, number(name.version), name.gpu


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
