"""What a target is: the members that every implementation under test has, and those that it may have.

The smallest target has a name, `supports` and `build`; `build` returns an engine with `run` and `close`. Whatever a
target or an engine can do beyond that is a member of `Capabilities`. A check asks with `offers` for the members that
it needs, and reports "unsupported" where they are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeGuard, runtime_checkable

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.types import Mode, PaddingMode
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan

OTHER_OUTPUT = "output of the others"
"""The name of the second output of `run_together`."""


@dataclass(frozen=True)
class NetworkFacts:
    """A network before it is built.

    Attributes:
        output_shape: as inferred, with -1 if dynamic.
        attributes: of the layer, read back under TensorRT's names.
        errors: logged while the network was defined.
        warnings: the texts of DeprecationWarnings.
    """

    output_shape: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerFacts:
    """One layer of a built engine: its tactic (the GPU kernel), and the types that it reads and writes."""

    name: str
    type: str
    kernel: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class EngineFacts:
    """What the engine inspector reports: the layers, and the precision in which the convolution runs.

    ``rounds_sums``: sums are rounded to the output's type before the bias is added.
    """

    layers: tuple[LayerFacts, ...]
    convolution: LayerFacts | None
    precision: str
    rounds_sums: bool = False


@dataclass(frozen=True)
class Tactic:
    """One implementation with which a builder can run one of its layers.

    Attributes:
        layer: the builder's name of the layer, which may join several layers of the network.
        implementation, tactic: the builder's two numbers, hexadecimal.
        tensors: type and layout of each input, then of each output.
    """

    layer: str
    implementation: str
    tactic: str
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class TacticChoices:
    """The tactics that a builder could choose from for a case's convolution, and the one that it chose, if known.

    ``refusal`` is what it said where it built nothing although it offered them.
    """

    offered: tuple[Tactic, ...]
    chosen: Tactic | None = None
    refusal: str = ""


class Configuration(NamedTuple):
    """Everything that determines a convolution's spatial output shape, one number per axis."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pre: tuple[int, ...]
    post: tuple[int, ...]
    mode: PaddingMode


class Engine(Protocol):
    """A built convolution."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by tensor name for inputs by tensor name."""
        ...

    def close(self) -> None:
        """Release everything the engine holds; safe to call twice."""
        ...


@runtime_checkable
class RunsElsewhere(Protocol):
    """An engine that runs in another process, so that this one can do something else meanwhile."""

    def begin_run(self, feeds: Mapping[str, Array]) -> Callable[[], dict[str, Array]]:
        """Begin to run, and return a function that waits for the outputs. No other call may be made before that."""
        ...

    def run_each(self, batch: Sequence[Mapping[str, Array]], order: Sequence[int]) -> list[dict[str, Array]]:
        """The outputs of runs on inputs of a batch, in the given order, in one call."""
        ...


@runtime_checkable
class Target(Protocol):
    """An implementation under test."""

    name: str

    def supports(self, case: Case) -> str | None:
        """None, or why the target cannot express the case."""
        ...

    def build(self, case: Case) -> Engine:
        """Raises Refused, Unsupported or NotRun."""
        ...


class Capabilities(Target, Engine, Protocol):
    """The optional members of a target and of its engines. Each may be left out; `offers` finds those that exist."""

    # Of a target.

    def define(self, case: Case) -> NetworkFacts:
        """The network of a case, with inferred shapes, before it is built. Raises Refused or Unsupported."""
        ...

    def infer_shapes(self, configurations: Iterable[Configuration]) -> Iterable[tuple[int, ...] | None]:
        """The spatial output shape of each of many configurations, in order; None if the target refuses it.

        Raises:
            Unsupported: a padding mode does not exist in this version.
        """
        ...

    def missing_name(self, case: Case) -> str | None:
        """The deprecated name of TensorRT's API that a case uses, where this version no longer has it; else None."""
        ...

    def expect(self, cases: Sequence[Case]) -> None:
        """Build these cases ahead, in this order. They replace those that were expected before."""
        ...

    def warm_up(self) -> None:
        """Do now what the first build or network would have to do."""
        ...

    def environment(self) -> dict[str, Any]:
        """Versions and device for the run record; JSON values."""
        ...

    def tactics(self, case: Case) -> TacticChoices:
        """What the builder can choose from for the case's convolution. Raises as `build` does."""
        ...

    def build_with(self, case: Case, tactic: Tactic) -> Engine:
        """Build a case with one of its `tactics`, which `build` might choose or not.

        Raises:
            NotRun: the builder did not use the tactic.
            Refused, Unsupported: as `build` does.
        """
        ...

    def expect_tactics(self, asked: Sequence[tuple[Case, Tactic | None]]) -> None:
        """Do these calls of `tactics` (None) and of `build_with` ahead, in this order, as `expect` does builds."""
        ...

    # Of an engine.

    origin: Mapping[str, Any]
    """JSON values for the verdict: whether the engine was built now or came from a cache, and how long that took."""

    def check_runs(self) -> None:
        """Raises NotRun if the engine cannot run on this machine. It is asked before an input is made."""
        ...

    def describe(self) -> EngineFacts | None:
        """What the engine runs; None if the implementation cannot say."""
        ...

    def reports(self) -> dict[str, Any]:
        """What the engine reports about its tensors, profiles and layer: JSON values under the names of `EngineReport`.

        ``context_shapes`` has the shapes of input and output that a context says for each run shape, ``parameters``
        those of the layer that an inspector gives.
        """
        ...

    def execution_modes(self) -> tuple[str, ...]:
        """Further modes of execution in this version, each of which must give the bits of `run`.

        Names are bindings, second_context, reloaded, cuda_graph, ...
        """
        ...

    def run_in_mode(self, mode: str, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs of `run`, in one of `execution_modes`."""
        ...

    def run_together(self, feeds: Mapping[str, Array], others: Mapping[str, Array]) -> dict[str, Array]:
        """The output of the first inputs (OUTPUT) and of the others (OTHER_OUTPUT), which run at the same time.

        Raises Unsupported if the engine cannot.
        """
        ...

    def run_misaligned(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run with the input one element past an aligned address. Raises Refused if that is refused."""
        ...

    def run_with_null_address(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run with a null address of the input. Raises Refused where that is refused."""
        ...

    def timing_modes(self) -> tuple[Mode, ...]:
        """What the engine can time on this machine, the mode of interest first. Raises NotRun if it cannot run."""
        ...

    def measure(self, feeds: Mapping[str, Array], plan: TimingPlan) -> Measurement:
        """Sample the latency of a run with these feeds until the plan is met.

        Raises:
            Unsupported: it cannot measure as the plan asks.
            NotRun: it cannot run on this machine.
        """
        ...


CAPABILITIES: tuple[str, ...] = tuple(
    dict.fromkeys(
        name
        for name in (*vars(Capabilities), *Capabilities.__annotations__)
        if not name.startswith("_") and name not in vars(Engine)
    )
)
"""The names of the optional members."""


def offers(thing: object, *members: str) -> TypeGuard[Capabilities]:
    """Whether a target or an engine has all of these optional members.

    Raises:
        ValueError: a name is not a member of `Capabilities`.
    """
    unknown = [name for name in members if name not in CAPABILITIES]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not a capability; there are {', '.join(CAPABILITIES)}")
    return all(hasattr(thing, name) for name in members)
