"""What a user may ask of every target alike; a target heeds what it has a use for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Tactics = Literal["fast", "default", "exhaustive"]
TACTICS: tuple[Tactics, ...] = get_args(Tactics)
CACHE_LIMIT = 4 * 2**30


@dataclass(frozen=True)
class Options:
    """How a target builds.

    Attributes:
        tactics: how long to look for the fastest kernels.
        cache: the folder of built engines and of tactics' timings; None for none.
        keeps: whether that folder outlasts the run.
        cache_limit: bytes that built engines may take there.
        builders: engines built at once, ahead of being asked for; 0 to build each when it is asked for.
        eager: make ready to build before the first case asks, since many will.
    """

    tactics: Tactics = "default"
    cache: Path | None = None
    keeps: bool = True
    cache_limit: int = CACHE_LIMIT
    builders: int = 0
    eager: bool = False
