"""Lists the tactics that a builder could choose, and makes it choose one of them.

A builder calls an ``IAlgorithmSelector`` with the choices that it has for each of its layers, then reports those that
it made. A layer is the builder's own: it may join several layers of the network, or reorder a tensor. TensorRT 8.5 to
10 have the class; TensorRT 11 and TensorRT-RTX do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from trt_conformance.targets.errors import NotRun, Unsupported
from trt_conformance.targets.protocols import Tactic, TacticChoices
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.module import Module
from trt_conformance.targets.tensorrt.network import LAYER_NAME

if TYPE_CHECKING:
    import tensorrt

# Layers of the builder that only reorder a tensor; their names contain that of the layer before or after them.
REORDERS = "Reformatting CopyNode"


class TacticSelection(Protocol):
    """Decides for a selector. ``choices`` are TensorRT's objects, valid only during the call."""

    def select(self, context: tensorrt.IAlgorithmContext, choices: Sequence[tensorrt.IAlgorithm]) -> list[int]:
        """The indices of the choices that the builder may use for a layer; none leaves the choice to it."""
        ...

    def report(self, contexts: Sequence[tensorrt.IAlgorithmContext], choices: Sequence[tensorrt.IAlgorithm]) -> None:
        """The choice that the builder made for each layer."""
        ...


class TacticListing:
    """Restricts nothing; stores what was offered for the convolution, and what the builder chose."""

    def __init__(self) -> None:
        self._offered: dict[Tactic, None] = {}
        self._chosen: list[Tactic] = []

    def select(self, context: tensorrt.IAlgorithmContext, choices: Sequence[tensorrt.IAlgorithm]) -> list[int]:
        if is_convolution(context.name):
            self._offered |= dict.fromkeys(tactic_of(context, choice) for choice in choices)
        return list(range(len(choices)))

    def report(self, contexts: Sequence[tensorrt.IAlgorithmContext], choices: Sequence[tensorrt.IAlgorithm]) -> None:
        self._chosen = _reported(contexts, choices)

    @property
    def has_offers(self) -> bool:
        """Whether the builder offered anything for the convolution."""
        return bool(self._offered)

    def found(self) -> TacticChoices:
        """What the builder offered and chose. Raises Unsupported if it offered nothing for the convolution."""
        if not self._offered:
            raise Unsupported("the builder did not ask for a choice of tactics for the convolution")
        same = (one for one in self._offered for chosen in self._chosen if is_same_kernel(one, chosen))
        exact = (one for one in self._chosen if one in self._offered)
        return TacticChoices(tuple(self._offered), next(exact, next(same, None)))


class Forcing:
    """Lets the builder use one tactic for its layer, and anything for other layers."""

    def __init__(self, wanted: Tactic) -> None:
        self._wanted = wanted
        self.offered: frozenset[Tactic] = frozenset()
        """All tactics that the builder offered for the layer."""
        self._chosen: list[Tactic] = []

    def select(self, context: tensorrt.IAlgorithmContext, choices: Sequence[tensorrt.IAlgorithm]) -> list[int]:
        if context.name == self._wanted.layer:
            offered = [tactic_of(context, choice) for choice in choices]
            self.offered |= frozenset(offered)
            if self._wanted in offered:
                return [index for index, tactic in enumerate(offered) if tactic == self._wanted]
        return list(range(len(choices)))

    def report(self, contexts: Sequence[tensorrt.IAlgorithmContext], choices: Sequence[tensorrt.IAlgorithm]) -> None:
        self._chosen = _reported(contexts, choices)

    def check(self) -> None:
        """Raise NotRun if the built engine has another tactic than the one that was wanted."""
        if self._wanted not in self.offered:
            raise NotRun("the builder did not offer this tactic again")
        others = [one for one in self._chosen if one.layer == self._wanted.layer]
        if others and not any(is_same_kernel(one, self._wanted) for one in others):
            raise NotRun(f"the builder chose another tactic: {others[0].implementation} {others[0].tactic}")


class Selector:
    """An ``IAlgorithmSelector`` that asks a `Selection`, and keeps what that raises: TensorRT does not pass it on."""

    def __init__(self, api: Api, selection: TacticSelection) -> None:
        """Raises Unsupported if this version has no selectors."""
        if not hasattr(api.trt, "IAlgorithmSelector"):
            raise Unsupported(f"{api.flavor} {api.version} has no interface to choose a tactic")
        self._faults: list[Exception] = []
        self.instance = _make_selector(api.trt, selection, self._faults)
        """The object for ``IBuilderConfig.algorithm_selector``."""

    def attach(self, api: Api, config: tensorrt.IBuilderConfig) -> None:
        """Let a build ask. The timing cache is off, as TensorRT advises: it would offer one tactic of many."""
        config.algorithm_selector = self.instance
        config.set_flag(api.trt.BuilderFlag.DISABLE_TIMING_CACHE)

    def check(self) -> None:
        """Raise what the selection raised during the build."""
        if self._faults:
            raise self._faults[0]


def _make_selector(trt: Module, selection: TacticSelection, faults: list[Exception]) -> tensorrt.IAlgorithmSelector:
    class Instance(trt.IAlgorithmSelector):  # type: ignore[misc, name-defined]  # the class of the flavor
        def __init__(self) -> None:
            trt.IAlgorithmSelector.__init__(self)  # pybind11 needs this call, and not one of `super`

        def select_algorithms(
            self, context: tensorrt.IAlgorithmContext, choices: Sequence[tensorrt.IAlgorithm]
        ) -> list[int]:
            try:
                return selection.select(context, choices)
            except Exception as fault:
                faults.append(fault)
                return list(range(len(choices)))

        def report_algorithms(
            self, contexts: Sequence[tensorrt.IAlgorithmContext], choices: Sequence[tensorrt.IAlgorithm]
        ) -> None:
            try:
                selection.report(contexts, choices)
            except Exception as fault:
                faults.append(fault)

    return Instance()


def is_convolution(name: str) -> bool:
    """Whether a builder's layer of this name computes the convolution."""
    return LAYER_NAME in name and not name.startswith(REORDERS)


def is_same_kernel(one: Tactic, other: Tactic) -> bool:
    """Whether two tactics run the same code; the layouts of their tensors may differ."""
    return (one.layer, one.implementation, one.tactic) == (other.layer, other.implementation, other.tactic)


def tactic_of(context: tensorrt.IAlgorithmContext, choice: tensorrt.IAlgorithm) -> Tactic:
    """A choice for a layer as plain values, which outlast the call."""
    variant = choice.algorithm_variant
    count = context.num_inputs + context.num_outputs
    tensors = (choice.get_algorithm_io_info(index) for index in range(count))
    return Tactic(
        context.name,
        _hexadecimal(variant.implementation),
        _hexadecimal(variant.tactic),
        tuple(_tensor(tensor) for tensor in tensors if tensor is not None),
    )


def _reported(contexts: Sequence[tensorrt.IAlgorithmContext], choices: Sequence[tensorrt.IAlgorithm]) -> list[Tactic]:
    pairs = zip(contexts, choices, strict=True)
    return [tactic_of(context, choice) for context, choice in pairs if is_convolution(context.name)]


def _hexadecimal(number: int) -> str:
    """As TensorRT's verbose log prints it: 64 bits, unsigned."""
    return f"0x{int(number) & (2**64 - 1):016x}"


def _tensor(info: tensorrt.IAlgorithmIOInfo) -> str:
    """Type, strides and vectors of a tensor: ``HALF 200704:1:3584:64``, ``INT8 50176:3136:56:1 4 of axis 1``."""
    try:
        strides = ":".join(str(int(stride)) for stride in info.strides)
    except (ValueError, RuntimeError, OverflowError):  # the bindings' answer to dimensions that are not known
        strides = "?"
    text = f"{info.dtype.name} {strides}"
    axis = getattr(info, "vectorized_dim", -1)
    return text if axis < 0 else f"{text} {info.components_per_element} of axis {axis}"
