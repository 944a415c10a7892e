"""A target that is right and takes its time."""

import time

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


class Starting(Slow):
    """Target ``starting``: slow to open, and colder before `warm_up` than after."""

    name = "starting"
    is_warm = False

    def __init__(self):
        time.sleep(1.0)

    def warm_up(self):
        time.sleep(0.2)
        self.is_warm = True

    def supports(self, case):
        return "warm" if self.is_warm else "cold"


class FailsToWarm(Slow):
    """Target ``fails_to_warm``."""

    name = "fails_to_warm"

    def warm_up(self):
        raise RuntimeError("no kernels")
