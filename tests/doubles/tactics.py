"""A target with a builder of several tactics: two right, one wrong, one that is refused, and one that is never used.

``Tactics`` lists them; ``Fickle`` chooses another one with each build, as a builder does whose timings vary.
"""

import os

from trt_conformance.targets.errors import NotRun, Refused
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import EngineFacts, LayerFacts, Tactic, TacticChoices

VICTIM = "stride_nd/h2_w1-fp32"

LAYER = "convolution"
RIGHT, SLOW, WRONG, REFUSED, IGNORED, CRASHING = (
    Tactic(LAYER, "0x00000000800000a1", f"0x{number:016x}", ("FLOAT 54:54:9:1", "FLOAT 28:28:7:1"))
    for number in range(1, 7)
)
OFFERED = (RIGHT, SLOW, WRONG, REFUSED, IGNORED)


class _Engine:
    def __init__(self, engine, tactic):
        self.engine, self.tactic = engine, tactic
        self.origin = {"engine": "built", "build_s": 0.25}

    def describe(self):
        layer = LayerFacts(LAYER, "CaskConvolution", f"kernel_{int(self.tactic.tactic, 16)}", ("fp32",), ("fp32",))
        return EngineFacts((layer,), layer, "fp32")

    def run(self, feeds):
        outputs = self.engine.run(feeds)
        if self.tactic == WRONG:
            return {name: values + 1 for name, values in outputs.items()}
        if self.tactic == CRASHING:
            os.abort()
        return outputs

    def close(self):
        self.engine.close()


class Tactics:
    """Target ``tactics``."""

    name = "tactics"
    offered = OFFERED

    def __init__(self):
        self.right = NumpyTarget()

    def supports(self, case):
        return self.right.supports(case)

    def build(self, case):
        return _Engine(self.right.build(case), RIGHT)

    def tactics(self, case):
        return TacticChoices(self.offered, RIGHT)

    def build_with(self, case, tactic):
        if tactic == REFUSED:
            raise Refused("build", "Could not find any implementation for node convolution.")
        if tactic == IGNORED:
            raise NotRun("the builder chose another tactic: 0x00000000800000a1 0x0000000000000001")
        return _Engine(self.right.build(case), tactic)


class Crashes(Tactics):
    """One tactic ends the process."""

    name = "crashes"
    offered = (RIGHT, CRASHING, SLOW)


class CrashesAhead(Tactics):
    """Begins what it expects in the next call, and one tactic ends the process."""

    name = "crashes_ahead"
    asked = ()

    def expect_tactics(self, asked):
        self.asked = asked

    def build_with(self, case, tactic):
        if any(one == CRASHING for _, one in self.asked):
            os.abort()
        return super().build_with(case, tactic)


class Unbuilt(Tactics):
    """Lists tactics, of which each can be forced, and builds nothing where all are allowed."""

    name = "unbuilt"
    offered = (RIGHT, SLOW)

    def tactics(self, case):
        return TacticChoices(self.offered, None, "Could not find any implementation for node convolution.")


class Fickle(Tactics):
    """The right tactic three times, then another one."""

    name = "fickle"
    builds = 0
    others = (SLOW,)

    def build(self, case):
        self.builds += 1
        return _Engine(self.right.build(case), RIGHT if self.builds % 4 else self.others[0])


class FickleAndWrong(Fickle):
    """The same, and the tactic that it rarely chooses is wrong."""

    name = "fickle_and_wrong"
    others = (WRONG,)
