"""Targets that are right in a first run, and whose engines then do something to their arrays."""

import os

import numpy as np

from trt_conformance.targets.numpy import NumpyTarget


class _Engine:
    def __init__(self, engine, change):
        self._engine, self._change, self._runs, self._kept = engine, change, 0, None

    def run(self, feeds):
        self._runs += 1
        outputs = self._engine.run(feeds)
        if self._kept is None:
            self._kept = outputs
        else:
            np.copyto(self._kept["output"], outputs["output"])
        return self._change(self._runs, feeds, self._kept)

    def close(self):
        self._engine.close()


class _Repeating(NumpyTarget):
    def build(self, case):
        return _Engine(super().build(case), self.change)


class Reused(_Repeating):
    """Every output is in the same array."""

    name = "reused"

    @staticmethod
    def change(runs, feeds, outputs):
        return outputs


class Drifting(_Repeating):
    """As `Reused`, and wrong from the twelfth run on."""

    name = "drifting"

    @staticmethod
    def change(runs, feeds, outputs):
        outputs["output"] += np.float32(runs >= 12)
        return outputs


class WritesInput(_Repeating):
    """The input of each run is overwritten after it was read."""

    name = "writes_input"

    @staticmethod
    def change(runs, feeds, outputs):
        for values in feeds.values():
            values[...] = 0
        return outputs


class Listed(_Repeating):
    """The fifth run gives a list of arrays."""

    name = "listed"

    @staticmethod
    def change(runs, feeds, outputs):
        return list(outputs.values()) if runs == 5 else outputs


class Aborting(_Repeating):
    """The fifth run ends the process."""

    name = "aborting"

    @staticmethod
    def change(runs, feeds, outputs):
        if runs == 5:
            os.abort()
        return outputs
