"""``trt-conformance compare``: lists what changed between two runs, and gates CI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.output import AsJson, print_json
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ACCEPTED
from trt_conformance.core.words import printable

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
Calibration = Annotated[
    list[Path] | None,
    typer.Option(
        "--calibration",
        metavar="RECORD",
        help="A further run of BASE's configuration, to measure how much latencies vary. Repeatable.",
    ),
]
Settings = Annotated[
    Path | None,
    typer.Option(
        "--settings", metavar="FILE", help="A TOML file with these options, in tables [latency] and [engine]."
    ),
]
PlanTolerance = Annotated[
    float | None,
    typer.Option("--plan-bytes-tolerance", help="How much larger each plan may be, as a fraction.", show_default="any"),
]
MemoryTolerance = Annotated[
    float | None,
    typer.Option(
        "--device-memory-tolerance", help="How much more device memory each engine may need.", show_default="any"
    ),
]
BuildTolerance = Annotated[
    float | None,
    typer.Option("--build-time-tolerance", help="How much longer all builds together may take.", show_default="any"),
]
Tolerance = Annotated[
    float | None,
    typer.Option(min=0.001, help="The change of a latency that is tolerated, as a fraction.", show_default="0.02"),
]
Normalise = Annotated[
    bool | None,
    typer.Option("--normalise", help="Divide latencies by that of the reference kernel timed along with them."),
]
AcrossDevices = Annotated[bool | None, typer.Option("--across-devices", help="Compare latencies of different devices.")]
AcrossModes = Annotated[bool | None, typer.Option("--across-modes", help="Compare latencies timed in different modes.")]
Accepted = Annotated[Path, typer.Option("--accepted", metavar="DIR", help="Where accepted runs are stored.")]
Shared = Annotated[bool, typer.Option("--shared", help="Only the checks that both runs have.")]
Top = Annotated[int, typer.Option("--top", metavar="N", min=0, help="How many changes of the error fraction to list.")]


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
    calibration: Calibration = None,
    tolerance: Tolerance = None,
    normalise: Normalise = None,
    across_devices: AcrossDevices = None,
    across_modes: AcrossModes = None,
    plan_bytes_tolerance: PlanTolerance = None,
    device_memory_tolerance: MemoryTolerance = None,
    build_time_tolerance: BuildTolerance = None,
    accepted: Accepted = ACCEPTED,
) -> None:
    """List what changed from one run to another.

    This covers results, output bits, GPU kernels, precisions, use of the
    error bound, what engines cost, versions, and cases that only one run has.

    Targets of different versions are paired if the match is unambiguous.

    With --shared, runs that chose different cases are compared in those that
    both chose. Do not gate with it: a check that is missing is no pass.

    Exit codes with --gate: 1 if a check newly fails or errs, or passed in
    BASE and is missing or not run in NEW, a latency became longer, or an
    engine costs more than a tolerance that was stated; 3 if the only problem
    is latencies that cannot be distinguished or compared, or a tolerance for
    what no engine of both runs tells; 4 if BASE is omitted and no run has been
    accepted; 0 otherwise. A pass that becomes unsupported is listed and does
    not fail the gate.

    Exit code 2, with or without --gate, if a record cannot be read.
    """
    from trt_conformance.results import report as reports
    from trt_conformance.results.accepted import MISSING, NoAcceptedRun, accepted_for
    from trt_conformance.results.changes import between
    from trt_conformance.results.cost_changes import cost_changes
    from trt_conformance.results.gate_settings import read_gate_settings
    from trt_conformance.results.latency import kernel_groups
    from trt_conformance.results.latency.gate import latency_section
    from trt_conformance.results.record.record import read_record
    from trt_conformance.results.report import compare_text
    from trt_conformance.results.report.page import compare_page

    if shared and gate:
        raise ConformanceError("give --shared or --gate, not both: a gate must see the checks that NEW lacks")
    if markdown and as_json:
        raise ConformanceError("give --markdown or --json, not both")
    options = {
        "calibration": [str(path) for path in calibration] if calibration else None,
        "tolerance": tolerance,
        "normalise": normalise,
        "across_devices": across_devices,
        "across_modes": across_modes,
        "plan_bytes_tolerance": plan_bytes_tolerance,
        "device_memory_tolerance": device_memory_tolerance,
        "build_time_tolerance": build_time_tolerance,
    }
    settled = read_gate_settings(settings, options)
    judging = settled.latency
    if len(runs) > 2:
        raise ConformanceError(f"compare takes two runs, BASE and NEW, or NEW alone; {len(runs)} were given")
    after = read_record(runs[-1])
    try:
        before = read_record(runs[0] if len(runs) == 2 else accepted_for(after, accepted))
    except NoAcceptedRun as missing:
        typer.echo(printable(str(missing)), err=True)
        raise typer.Exit(MISSING) from None
    changes = between(before, after, pair or ())
    if shared:
        changes = changes.shared
    costs = cost_changes(changes, settled.engine)
    latency = latency_section(
        before,
        after,
        [read_record(Path(path)) for path in judging.calibration],
        tolerance=judging.tolerance,
        normalise=judging.normalise,
        across_devices=judging.across_devices,
        across_modes=judging.across_modes,
    )
    groups = kernel_groups.slower_by_kernel(latency)
    if html:
        reports.write(html, compare_page(changes, top, latency, costs))
    if as_json:
        slower = {"slower_by_kernel": [group.to_json() for group in groups]}
        print_json(changes.to_json(top) | {"latency": latency.to_json() | slower, "engine": costs.to_json()})
    else:
        say = compare_text.markdown if markdown else compare_text.terminal
        typer.echo(say(changes, top, len(latency.regressions), costs).rstrip())
        for line in [*latency.lines(), *kernel_groups.lines(groups), *costs.lines()]:
            typer.echo(f"- {compare_text.escaped(line)}" if markdown else line)
    codes = {1 if changes.regressions else 0, latency.exit_code, costs.exit_code}
    if gate and codes != {0}:
        raise typer.Exit(1 if 1 in codes else max(codes))
