"""What a target is: the protocol every implementation under test keeps.

The smallest target has a name, `supports` and `build`; `build` returns an engine with `run` and `close`.
What a target can do beyond that (define a network apart from building it, describe an engine, run it in a
second way) it offers through the further protocols here; a check asks for the one it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.types import Mode, PaddingMode
from trt_conformance.targets.timing.measurement import Measurement, Plan


@dataclass(frozen=True)
class NetworkFacts:
    """What a target says of a network before building it.

    ``output_shape`` has -1 where dynamic. ``attributes`` are the layer's, read back under TensorRT's
    names. ``errors`` were logged while the network was defined, ``warnings`` are DeprecationWarnings.
    """

    output_shape: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerFacts:
    """One layer of a built engine: its kernel (tactic), and the types it reads and writes."""

    name: str
    type: str
    kernel: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class EngineFacts:
    """What the engine inspector says: the layers, and the precision in which the convolution runs.

    ``rounds_sums``: sums are rounded to the output's type before the bias is added.
    """

    layers: tuple[LayerFacts, ...]
    convolution: LayerFacts | None
    precision: str
    rounds_sums: bool = False


class Engine(Protocol):
    """A built convolution."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by tensor name for inputs by tensor name."""
        ...

    def close(self) -> None:
        """Release everything the engine holds; safe to call twice."""
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


@runtime_checkable
class DefinesNetworks(Protocol):
    """A target whose network exists, with inferred shapes, before it is built."""

    def define(self, case: Case) -> NetworkFacts:
        """Raises Refused or Unsupported."""
        ...


class Configuration(NamedTuple):
    """All that a convolution's spatial output shape follows from, one number an axis."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pre: tuple[int, ...]
    post: tuple[int, ...]
    mode: PaddingMode


@runtime_checkable
class InfersShapes(Protocol):
    """A target that infers the output shapes of many configurations fast, without building anything."""

    def infer_shapes(self, configurations: Iterable[Configuration]) -> Iterable[tuple[int, ...] | None]:
        """The spatial output shape of each configuration, in order; None where the target refuses it.

        Raises:
            Unsupported: a padding mode does not exist in this version.
        """
        ...


@runtime_checkable
class BuildsAhead(Protocol):
    """A target that builds engines before they are asked for."""

    def expect(self, cases: Sequence[Case]) -> None:
        """These will be built next, in this order, and none that was expected before and is not among them."""
        ...


@runtime_checkable
class WarmsUp(Protocol):
    """A target that is slow to begin with."""

    def warm_up(self) -> None:
        """Do now what the first build or network would have to do."""
        ...


@runtime_checkable
class HasOrigin(Protocol):
    """An engine that knows whether it was built now or came from a cache."""

    origin: Mapping[str, Any]


@runtime_checkable
class Describes(Protocol):
    """An engine that says what it runs."""

    def describe(self) -> EngineFacts | None:
        """None where the implementation cannot say."""
        ...


@runtime_checkable
class RunsInWays(Protocol):
    """An engine with further ways to run, each of which must give the bits of `run`."""

    def ways(self) -> tuple[str, ...]:
        """Names of the ways that this version has: bindings, second_context, reloaded, cuda_graph, ..."""
        ...

    def run_way(self, way: str, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The same outputs, that way."""
        ...


@runtime_checkable
class RunsMisaligned(Protocol):
    """An engine that is given addresses, and can be given ones that its API does not allow."""

    def run_misaligned(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run with the input one element behind an aligned address. Raises Refused where that is refused."""
        ...


@runtime_checkable
class Timed(Protocol):
    """An engine that measures its own latency."""

    def modes(self) -> tuple[Mode, ...]:
        """What it can time on this machine, the mode of interest first. Raises NotRun where it cannot run here."""
        ...

    def measure(self, feeds: Mapping[str, Array], plan: Plan) -> Measurement:
        """Sample the latency of a run with these feeds until the plan is met.

        Raises:
            Unsupported: it cannot measure as the plan asks.
            NotRun: it cannot run on this machine.
        """
        ...


@runtime_checkable
class HasDeprecatedNames(Protocol):
    """A target with TensorRT's Python API, old names included."""

    def missing_name(self, case: Case) -> str | None:
        """The old name that a deprecated case uses, where this version no longer has it; else None."""
        ...


@runtime_checkable
class HasEnvironment(Protocol):
    """A target that knows its versions and device."""

    def environment(self) -> dict[str, Any]:
        """Facts for the run record; JSON values."""
        ...
