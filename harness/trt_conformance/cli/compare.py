"""``trt-conformance compare``: lists what changed between two runs, and gates CI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from trt_conformance.cli.option_groups import grouped
from trt_conformance.cli.output import AsJson, print_json
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ACCEPTED
from trt_conformance.core.words import printable

if TYPE_CHECKING:
    from trt_conformance.results.changes import Changes
    from trt_conformance.results.cost_changes import CostChanges
    from trt_conformance.results.gate_settings import LatencySettings
    from trt_conformance.results.known_today import KnownToday
    from trt_conformance.results.latency.gate import LatencyComparison
    from trt_conformance.results.record.record import Record

GATE = {
    0: "no regression",
    1: "a regression",
    3: "no regression, but not everything could be judged",
}
"""What each exit code of the gate means."""

Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="[BASE] NEW",
        help="The records of two runs, or their folders. With NEW alone, BASE is the accepted run of the same targets.",
    ),
]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, for the summary page of a CI job.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also write one self-contained HTML file.")]
Gate = Annotated[bool, typer.Option("--gate", help="Exit with 1 if there is a regression.")]
Pairs = Annotated[
    list[str] | None,
    typer.Option("--pair", metavar="OLD=NEW", help="Compare target OLD of BASE with target NEW of NEW. Repeatable."),
]
Settings = Annotated[
    Path | None,
    typer.Option(
        "--settings", metavar="FILE", help="A TOML file with these options, in tables [latency] and [engine]."
    ),
]
Accepted = Annotated[Path, typer.Option("--accepted", metavar="DIR", help="Where accepted runs are stored.")]
Shared = Annotated[bool, typer.Option("--shared", help="Only the checks that both runs have.")]
Top = Annotated[int, typer.Option("--top", metavar="N", min=0, help="How many changes of the error fraction to list.")]


@dataclass(frozen=True)
class JudgingOptions:
    """The options with which changes of latencies and of what engines cost are judged: None if none was given."""

    calibration: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RECORD",
            help="A further run of BASE's configuration, to measure how much latencies vary. Repeatable.",
        ),
    ] = None
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION", min=0.001, help="The largest tolerated change of a latency.", show_default="0.02"
        ),
    ] = None
    normalize: Annotated[
        bool | None,
        typer.Option("--normalize", help="Divide each latency by that of the reference kernel timed with it."),
    ] = None
    across_devices: Annotated[
        bool | None, typer.Option("--across-devices", help="Compare latencies of different devices.")
    ] = None
    across_modes: Annotated[
        bool | None, typer.Option("--across-modes", help="Compare latencies timed in different modes.")
    ] = None
    plan_bytes_tolerance: Annotated[
        float | None, typer.Option(metavar="FRACTION", help="How much larger each plan may be.", show_default="any")
    ] = None
    device_memory_tolerance: Annotated[
        float | None,
        typer.Option(metavar="FRACTION", help="How much more device memory each engine may need.", show_default="any"),
    ] = None
    build_time_tolerance: Annotated[
        float | None,
        typer.Option(metavar="FRACTION", help="How much longer all builds together may take.", show_default="any"),
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The options under the names of `GateSettings`."""
        calibration = None if self.calibration is None else [str(path) for path in self.calibration]
        return {**vars(self), "calibration": calibration}


@grouped
def compare(
    runs: Runs,
    markdown: AsMarkdown = False,
    html: Html = None,
    as_json: AsJson = False,
    gate: Gate = False,
    pair: Pairs = None,
    shared: Shared = False,
    top: Top = 10,
    settings: Settings = None,
    *,
    judging: JudgingOptions,
    accepted: Accepted = ACCEPTED,
) -> None:
    """List what changed from one run to another.

    This covers results, output bits, GPU kernels, precisions, fractions of
    the error bound, what engines cost, versions, and cases that only one run
    has.

    Targets of different versions are paired if the match is unambiguous.

    With --shared, only the checks that both runs have are compared. Do not
    gate with it: a missing check has not passed.

    Exit codes with --gate: 1 if a check newly fails or errs, or passed in
    BASE and is missing or not run in NEW, if a latency became longer, or if
    an engine costs more than a given tolerance allows; 3 if the only problem
    is that latencies cannot be distinguished or compared, or that no engine
    has the figure of a tolerance in both runs; 4 if BASE is omitted and no run
    has been accepted; 0 otherwise. A check that passed and is now unsupported
    is listed, and does not fail the gate.

    Exit code 2, with or without --gate, if a record cannot be read.
    """
    from trt_conformance.results import report as reports
    from trt_conformance.results.cost_changes import cost_changes
    from trt_conformance.results.gate_settings import read_gate_settings
    from trt_conformance.results.report.page import compare_page

    if shared and gate:
        raise ConformanceError("give --shared or --gate, not both: a gate must see the checks that NEW lacks")
    if markdown and as_json:
        raise ConformanceError("give --markdown or --json, not both")
    settled = read_gate_settings(settings, judging.given)
    changes, latency = _compared(*_records(runs, accepted), pair or (), shared, settled.latency)
    costs = cost_changes(changes, settled.engine)
    today = _known_today(changes)
    if html:
        reports.write(html, compare_page(changes, top, latency, costs, _lines(today)))
    _print(changes, latency, costs, today, top, "json" if as_json else "markdown" if markdown else "text")
    if not gate:
        return
    codes = {1 if changes.regressions else 0, latency.exit_code, costs.exit_code}
    code = 1 if 1 in codes else max(codes)
    if not as_json:
        typer.echo(f"{'- ' if markdown else ''}gate: exit code {code}: {GATE[code]}")
    raise typer.Exit(code)


def _records(runs: Sequence[Path], accepted: Path) -> tuple[Record, Record]:
    """The records of BASE and NEW. Ends the command where BASE is to be the accepted run, and there is none."""
    from trt_conformance.results.accepted import MISSING, NoAcceptedRun, accepted_for
    from trt_conformance.results.record.record import read_record

    if len(runs) > 2:
        raise ConformanceError(f"compare takes two runs, BASE and NEW, or NEW alone; {len(runs)} were given")
    after = read_record(runs[-1])
    try:
        return read_record(runs[0] if len(runs) == 2 else accepted_for(after, accepted)), after
    except NoAcceptedRun as missing:
        typer.echo(printable(str(missing)), err=True)
        raise typer.Exit(MISSING) from None


def _compared(
    before: Record, after: Record, pairs: Sequence[str], shared: bool, settings: LatencySettings
) -> tuple[Changes, LatencyComparison]:
    from trt_conformance.results.changes import between
    from trt_conformance.results.latency.gate import latency_section
    from trt_conformance.results.record.record import read_record

    changes = between(before, after, pairs)
    latency = latency_section(
        before,
        after,
        [read_record(Path(path)) for path in settings.calibration],
        tolerance=settings.tolerance,
        normalize=settings.normalize,
        across_devices=settings.across_devices,
        across_modes=settings.across_modes,
    )
    return changes.shared if shared else changes, latency


def _known_today(changes: Changes) -> dict[str, KnownToday]:
    """For each of the two runs how many of its checks failed, and how many of these are known differences today."""
    from trt_conformance.catalog.expectations import Expectations
    from trt_conformance.core.check_names import QUICK_LATENCY
    from trt_conformance.results import report as reports
    from trt_conformance.results.known_today import finding, known_today

    found = {}
    for name, record in (("base", changes.base), ("new", changes.new)):
        checks = [v for v in record.verdicts if v.check != QUICK_LATENCY and v.target in record.targets]
        expectations = None
        if any(v.is_fault and not v.known for v in checks):  # the case files are read for these alone
            view = reports.view_of([record])
            expectations = Expectations(view.expectations, finding(view.catalog))
        found[name] = known_today(checks, expectations)
    return found


def _lines(today: Mapping[str, KnownToday]) -> list[str]:
    return [f"the {name} run: {known.text}" for name, known in today.items() if known.failed]


def _print(
    changes: Changes,
    latency: LatencyComparison,
    costs: CostChanges,
    today: Mapping[str, KnownToday],
    top: int,
    form: Literal["json", "markdown", "text"],
) -> None:
    from trt_conformance.results.latency import kernel_groups
    from trt_conformance.results.report import compare_text

    groups = kernel_groups.slower_by_kernel(latency)
    if form == "json":
        slower = {"slower_by_kernel": [group.to_json() for group in groups]}
        known = {"failed_when_run": {n: k.failed for n, k in today.items()}} | {
            "known_today": {n: k.known for n, k in today.items()}
        }
        print_json(changes.to_json(top) | known | {"latency": latency.to_json() | slower, "engine": costs.to_json()})
        return
    say = compare_text.markdown if form == "markdown" else compare_text.terminal
    typer.echo(say(changes, top, latency.slower, costs).rstrip())
    for line in [*_lines(today), *latency.lines(), *kernel_groups.lines(groups), *costs.lines()]:
        typer.echo(f"- {compare_text.escaped(line)}" if form == "markdown" else line)
