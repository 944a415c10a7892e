"""The schema of the figures of rebuilds and of tactics, which `trt-conformance rebuild` records."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trt_conformance.results.record.line import Line, Seconds, Size

Share = Annotated[float, Field(ge=0, le=1e12)]


class Choice(Line):
    """Builds that have the same GPU kernels: how many, their outputs' hashes, and the median latency of each."""

    kernel: str = ""
    kernels: list[str] = []
    count: Size
    outputs: list[str] = []
    latencies_s: list[Seconds] = []


class Rebuilds(Line):
    """What ``times`` builds of a case gave; fewer were ``built`` if the time was up.

    ``outputs`` is the number of different outputs. ``spread_of_choices`` is how much longer the slowest choice takes
    than the fastest, as a fraction; ``spread_within_a_choice`` the same of the builds of one choice.
    """

    times: Size
    built: Size
    ran: Size
    outputs: Size
    choices: list[Choice]
    spread_of_choices: Share | None = None
    spread_within_a_choice: Share | None = None


class TacticTrial(Line):
    """One tactic and how the output of its engine was judged."""

    implementation: str
    tactic: str
    status: str
    is_chosen: bool = False
    kernel: str = ""
    message: str = ""


class Tactics(Line):
    """The tactics of a case: how many the builder listed, how many ran, and the one that it chose (``chosen``)."""

    listed: Size
    ran: Size
    chosen: str | None = None
    trials: list[TacticTrial] = []
