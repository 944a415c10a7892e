"""A target that is right and takes its time."""

import os
import time
from pathlib import Path

from trt_conformance.targets.numpy import NumpyTarget


class _Engine:
    def __init__(self, engine, pause_s):
        self.engine, self.pause_s = engine, pause_s

    def run(self, feeds):
        time.sleep(self.pause_s)
        return self.engine.run(feeds)

    def close(self):
        self.engine.close()


class Slow(NumpyTarget):
    """Target ``slow``."""

    name = "slow"
    pause_s = 0.1

    def build(self, case):
        return _Engine(super().build(case), self.pause_s)


class Stuck(Slow):
    """Target ``stuck``: its first run outlasts anybody's patience."""

    name = "stuck"
    pause_s = 3600.0


class Halting(Slow):
    """Target ``halting``: its runs after the first four outlast anybody's patience."""

    name = "halting"
    runs = 4

    def build(self, case):
        self.runs -= 1
        return _Engine(NumpyTarget.build(self, case), self.pause_s if self.runs >= 0 else 3600.0)


class Starting(Slow):
    """Target ``starting``: cold before `warm_up`, warm after it."""

    name = "starting"
    is_warm = False

    def warm_up(self):
        self.is_warm = True

    def supports(self, case):
        return "warm" if self.is_warm else "cold"


class Awaiting(Slow):
    """Target ``awaiting``: opens once the file that the variable AWAITED names exists."""

    name = "awaiting"

    def __init__(self):
        while not Path(os.environ["AWAITED"]).exists():
            time.sleep(0.01)


class FailsToWarm(Slow):
    """Target ``fails_to_warm``."""

    name = "fails_to_warm"

    def warm_up(self):
        raise RuntimeError("no kernels")
