"""Wrong in some runs only: engines with a memory, and shapes that change between runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.support.conditional.changes import part, zeroed
from tests.support.conditional.conditions import batch, groups, maps, sizes
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.mutants.mutant import Mutant, MutantEngine
from trt_conformance.numerics.reference.shape import output_shape


class Every(MutantEngine):
    """The last element of each eighth run is not written."""

    period = 8

    def __init__(self, case: Case, mutant: Mutant) -> None:
        super().__init__(case, mutant)
        self.runs = 0

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        outputs = super().run(feeds)
        self.runs += 1
        if self.runs % self.period == 0:
            y = outputs[OUTPUT].copy()
            y.reshape(-1)[-1:] += 1
            outputs = {OUTPUT: y}
        return outputs


class EveryFifth(Every):
    period = 5


class First(Every):
    """The first run reads a workspace that nothing has cleared."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        outputs = MutantEngine.run(self, feeds)
        self.runs += 1
        return {OUTPUT: outputs[OUTPUT] + 1} if self.runs == 1 else outputs


class Replayed(MutantEngine):
    """A run returns the output of the first run of the same shape."""

    def __init__(self, case: Case, mutant: Mutant) -> None:
        super().__init__(case, mutant)
        self.known: dict[tuple[int, ...], dict[str, Array]] = {}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        shape = feeds[INPUT].shape
        if shape not in self.known:
            self.known[shape] = super().run(feeds)
        return self.known[shape]


class Before(MutantEngine):
    """Knows the shape of the input of the run before."""

    def __init__(self, case: Case, mutant: Mutant) -> None:
        super().__init__(case, mutant)
        self.before: tuple[int, ...] | None = None
        self.last: Array | None = None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        shape = feeds[INPUT].shape
        outputs = super().run(feeds)
        given = self.spoiled(outputs[OUTPUT], shape)
        self.before, self.last = shape, outputs[OUTPUT]
        return {OUTPUT: given}

    def spoiled(self, y: Array, shape: tuple[int, ...]) -> Array:
        raise NotImplementedError


class Shrunk(Before):
    """After a larger batch, the last image of a smaller one is not written."""

    def spoiled(self, y: Array, shape: tuple[int, ...]) -> Array:
        if self.before is not None and self.before[0] > shape[0] and y.size:
            y = y.copy()
            y[-1] = 0
        return y


class Grown(Before):
    """After a smaller width, what lies beyond it is not written."""

    def spoiled(self, y: Array, shape: tuple[int, ...]) -> Array:
        if self.before is not None and self.before[-1] < shape[-1]:
            y = y.copy()
            y[..., -1:] = 0
        return y


class Lower(Before):
    """After a larger height, the rows of the run before are still there in the last row."""

    def spoiled(self, y: Array, shape: tuple[int, ...]) -> Array:
        if self.before is not None and self.before[-2] > shape[-2] and self.last is not None:
            y = y.copy()
            y[..., -1, :] = 1
        return y


class Accumulating(Before):
    """A run adds to the output of the run before."""

    def spoiled(self, y: Array, shape: tuple[int, ...]) -> Array:
        return y + self.last if self.last is not None and self.last.shape == y.shape else y


def beyond_opt(y: Array, case: Case) -> Array:
    """Images beyond the profile's optimum are not written."""
    assert case.dynamic is not None
    return zeroed(part("N", slice(case.dynamic.opt[0], None)))(y, case)


def profile_height(y: Array, case: Case) -> Array:
    """At heights below the optimum the last row is not written."""
    assert case.dynamic is not None
    full = output_shape(case.dynamic.opt, case.kernel.shape, case.attributes)[-2]
    return zeroed(part("H", -1))(y, case) if y.shape[-2] < full else y


def memory() -> Iterator[Mutant]:
    yield Mutant("run_8", "one run in eight is wrong", lambda c: maps(c) > 16, engine=Every)
    yield Mutant("run_5_int8", "one int8 run in five is wrong", lambda c: c.precision == "int8", engine=EveryFifth)
    yield Mutant(
        "run_first", "the first run of a grouped layer is wrong", lambda c: groups(c) > 1 and maps(c) > 32, engine=First
    )
    yield Mutant(
        "run_replayed",
        "a second input gives the output of the first if the width is above 32",
        lambda c: sizes(c)[-1] > 32,
        engine=Replayed,
    )
    yield Mutant(
        "run_added",
        "a run adds to the one before with a batch of 1 and 32 maps or a multiple",
        lambda c: batch(c) == 1 and maps(c) % 32 == 0,
        engine=Accumulating,
    )
    yield Mutant(
        "dynamic_shrunk",
        "after a larger batch, the last image is not written",
        lambda c: c.dynamic is not None,
        engine=Shrunk,
    )
    yield Mutant(
        "dynamic_grown",
        "after a smaller width, the last column is not written",
        lambda c: c.dynamic is not None and c.dynamic.shape[-1] == -1,
        engine=Grown,
    )
    yield Mutant(
        "dynamic_lower",
        "after a larger height, the last row is an old one",
        lambda c: c.dynamic is not None and c.dynamic.shape[-2] == -1,
        engine=Lower,
    )
    yield Mutant(
        "dynamic_opt",
        "images beyond the profile's optimum are not written",
        lambda c: c.dynamic is not None and c.dynamic.max[0] > c.dynamic.opt[0],
        sums=beyond_opt,
    )
    yield Mutant(
        "dynamic_height",
        "the last row is not written at heights below the optimum",
        lambda c: c.dynamic is not None and c.dynamic.min[-2] < c.dynamic.opt[-2],
        sums=profile_height,
    )
