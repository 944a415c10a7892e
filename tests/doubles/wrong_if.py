"""A target that is wrong where a condition on the case holds."""

import numpy as np

from trt_conformance.core.tensors import OUTPUT
from trt_conformance.targets.numpy import NumpyTarget


class WrongIf(NumpyTarget):
    """Target ``wrong-if``: the last element of each output is one more where one of the conditions holds."""

    name = "wrong-if"

    def __init__(self, *conditions):
        self.conditions = conditions

    def build(self, case):
        engine = super().build(case)
        if any(condition(case) for condition in self.conditions):
            run = engine.run

            def changed(feeds):
                y = np.array(run(feeds)[OUTPUT])
                y.reshape(-1)[-1:] += 1
                return {OUTPUT: y}

            engine.run = changed
        return engine
