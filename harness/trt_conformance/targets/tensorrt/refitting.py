"""Gives a loaded engine the weights of its case through TensorRT's refitter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.refit_fields import Misrefit, RefitType
from trt_conformance.core.tensors import parameters
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.network import LAYER_NAME
from trt_conformance.targets.tensorrt.refusal import refusal

if TYPE_CHECKING:
    import tensorrt

KERNEL, BIAS, INPUT_SCALE = "kernel", "bias", "input_scale"
"""The names of weights, and of the constant layers that hold them where they are tensors."""

WRONG_TYPES: dict[RefitType, type[np.generic]] = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
}
"""The types of weights that a mistake may name."""


@dataclass(frozen=True)
class Slot:
    """Where weights belong: their own name, and the layer and the role that TensorRT knows them by."""

    name: str
    layer: str
    role: str


def slots(case: Case) -> dict[str, Slot]:
    """The slots of the kernel and the bias of a case, by name: a weight of the layer, or a constant before it."""
    found = {KERNEL: Slot(KERNEL, LAYER_NAME, "KERNEL")}
    if case.weights == "set_input":
        found[KERNEL] = Slot(KERNEL, KERNEL, "CONSTANT")
    if case.bias != "none":
        found[BIAS] = Slot(BIAS, BIAS, "CONSTANT") if case.bias_by_set_input else Slot(BIAS, LAYER_NAME, "BIAS")
    return found


def refit(api: Api, engine: tensorrt.ICudaEngine, case: Case) -> None:
    """Give an engine the weights that the case says are refitted, and those that TensorRT then misses.

    Raises:
        Refused: TensorRT does not take weights, or does not refit, in phase run; with its logged errors.
        RuntimeError: TensorRT refits an engine although it lists weights as missing.
    """
    assert case.refit is not None
    refitting = _Refitting(api, engine, case)
    if case.refit.wrong is not None:
        refitting.give_wrong(case.refit.wrong)
    else:
        for name in (KERNEL, BIAS):
            if getattr(case.refit, name) is not None:
                refitting.give(name)
        missing = refitting.missing()
        if missing and refitting.refits():
            raise RuntimeError(f"refit_cuda_engine succeeded although these weights are missing: {', '.join(missing)}")
        for name in missing:
            refitting.give(name)
    if not refitting.refits():
        raise refitting.refusal("the engine was not refitted")


class _Refitting:
    """A refitter of one engine, and the weights that it was given, whose memory it reads until it refits."""

    def __init__(self, api: Api, engine: tensorrt.ICudaEngine, case: Case) -> None:
        assert case.refit is not None
        self._api, self._case, self._by_name = api, case, case.refit.by == "set_named_weights"
        self._slots, self._keep = slots(case), list[Array]()
        api.take_errors()
        try:
            self._refitter = api.trt.Refitter(engine, api.logger)
        except (TypeError, ValueError, RuntimeError) as fault:  # the bindings' answer to a constructor that failed
            raise self.refusal(f"no refitter was made: {fault}") from None

    def give(self, name: str) -> None:
        """Give the case's own weights of this name. Raises Refused."""
        slot = self._slots.get(name)
        if slot is None:
            raise self.refusal(f"weights that the network does not have are missing: {name}")
        self._set(slot, self._values(name))

    def give_wrong(self, wrong: Misrefit) -> None:
        """Give weights with a mistake. Raises Refused."""
        assert self._case.refit is not None
        name = BIAS if self._case.refit.kernel is None else KERNEL
        slot, values = self._slots[name], self._values(name)
        if wrong.layer == "input_scale":
            assert self._case.quantize is not None
            slot = Slot(INPUT_SCALE, INPUT_SCALE, "CONSTANT")
            values = np.asarray([2 * self._case.quantize.input], dtype=np.float32)
        layer = "another" if wrong.layer == "another" else slot.layer
        if wrong.type is not None:
            values = values.astype(WRONG_TYPES[wrong.type])
        if wrong.count is not None:
            values = np.resize(values, wrong.count)
        self._set(Slot("another" if wrong.layer == "another" else slot.name, layer, wrong.role or slot.role), values)

    def missing(self) -> list[str]:
        """The names of weights that must be given before the engine can be refitted."""
        if self._by_name:
            return [str(name) for name in self._refitter.get_missing_weights()]
        names = {(slot.layer, slot.role): slot.name for slot in self._slots.values()}
        pairs = zip(*self._refitter.get_missing(), strict=True)
        return [names.get((layer, role.name), f"{layer} {role.name}") for layer, role in pairs]

    def refits(self) -> bool:
        """Whether TensorRT refits the engine with what it was given."""
        return bool(self._refitter.refit_cuda_engine())

    def refusal(self, what: str) -> Refused:
        """A refusal in phase run."""
        return refusal(self._api, "run", what)

    def _set(self, slot: Slot, values: Array) -> None:
        held = np.ascontiguousarray(values)
        self._keep.append(held)
        weights = self._api.weights(held)
        if self._by_name:
            taken = self._refitter.set_named_weights(slot.name, weights)
        else:
            role = self._api.required_member("WeightsRole", slot.role)
            taken = self._refitter.set_weights(slot.layer, role, weights)
        if not taken:
            raise self.refusal(f"weights for {slot.role} of {slot.layer} were refused")

    def _values(self, name: str) -> Array:
        given = parameters(self._case)
        values = given.kernel if name == KERNEL else given.bias
        assert values is not None
        return values.ravel()
