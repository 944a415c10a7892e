"""The report's tables of rebuilds and of tactics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from trt_conformance.core.words import percent, seconds
from trt_conformance.results.report.view import Row, View


@dataclass(frozen=True)
class RebuiltRow:
    """A case that was built many times: its choices of GPU kernels, each with its count and latency."""

    row: Row
    built: int
    times: int
    outputs: int
    spread: float | None
    within: float | None
    choices: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class TacticsRow:
    """A case that was built with each tactic: how many are listed, ran, are wrong and were refused."""

    row: Row
    listed: int
    ran: int
    wrong: int
    refused: int
    kernels: int

    @property
    def share(self) -> str:
        return percent(self.ran / self.listed) if self.listed else "–"


def rebuilt_rows(view: View) -> list[RebuiltRow]:
    """Those whose choices differ most first."""
    found = [_rebuilt(row, figures) for row, figures in _of_check(view, "rebuild")]
    return sorted(found, key=lambda one: (-(one.spread or 0.0), -len(one.choices)))


def tactics_rows(view: View) -> list[TacticsRow]:
    """Those with wrong tactics first."""
    found = [_tactics(row, figures) for row, figures in _of_check(view, "tactics")]
    return sorted(found, key=lambda one: (-one.wrong, -one.listed))


def tactics_total(rows: list[TacticsRow]) -> str:
    """``2310 of 2401 tactics ran: 96 %``, over all cases."""
    ran, listed = sum(one.ran for one in rows), sum(one.listed for one in rows)
    return f"{ran} of {listed} listed tactics ran: {percent(ran / listed) if listed else '–'}"


def _of_check(view: View, check: str) -> Iterator[tuple[Row, dict[str, Any]]]:
    for row in view.rows:
        for verdict in row.verdicts:
            if verdict.check == check and verdict.figures.get(check):
                yield row, verdict.figures[check]


def _rebuilt(row: Row, figures: dict[str, Any]) -> RebuiltRow:
    choices = []
    for choice in figures["choices"]:
        latencies = choice.get("latencies_s", [])
        took = seconds(median(latencies)) if latencies else ""
        choices.append((choice.get("kernel", "") or "not reported", choice["count"], took))
    return RebuiltRow(
        row=row,
        built=figures["built"],
        times=figures["times"],
        outputs=figures["outputs"],
        spread=figures.get("spread_of_choices"),
        within=figures.get("spread_within_a_choice"),
        choices=tuple(choices),
    )


def _tactics(row: Row, figures: dict[str, Any]) -> TacticsRow:
    trials = figures.get("trials", [])
    return TacticsRow(
        row=row,
        listed=figures["listed"],
        ran=figures["ran"],
        wrong=sum(one["status"] in ("fail", "error") for one in trials),
        refused=sum(one["status"] == "refused" for one in trials),
        kernels=len({one["kernel"] for one in trials if one.get("kernel")}),
    )
