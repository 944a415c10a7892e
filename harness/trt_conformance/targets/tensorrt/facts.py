"""What a convolution layer of TensorRT reports about itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import Parameters
from trt_conformance.targets.errors import Unsupported

if TYPE_CHECKING:
    import tensorrt

READ_BACK = (
    "num_output_maps",
    "kernel_size_nd",
    "stride_nd",
    "padding_nd",
    "pre_padding",
    "post_padding",
    "padding_mode",
    "dilation_nd",
    "num_groups",
)
"""The attributes that are read of every layer."""

# What a case may ask for beside them, and how it is read.
_ASKED: dict[str, Callable[[tensorrt.IConvolutionLayer], Any]] = {
    "type": lambda layer: layer.type.name,
    "name": lambda layer: layer.name,
    "metadata": lambda layer: layer.metadata,
    "num_ranks": lambda layer: layer.num_ranks,
    "num_inputs": lambda layer: layer.num_inputs,
    "num_outputs": lambda layer: layer.num_outputs,
    "no_input": lambda layer: next((index for index in range(8) if layer.get_input(index) is None), None),
    "default_output_name": lambda layer: layer.get_output(0).name,
    "output_type": lambda layer: layer.get_output(0).dtype.name,
    "get_output_type": lambda layer: layer.get_output_type(0).name,
}


def read_facts(case: Case, layer: tensorrt.IConvolutionLayer, given: Parameters) -> dict[str, Any]:
    """The layer's attributes as JSON values, and what the case states of it otherwise.

    Args:
        case: its `expect.attributes` say what to read beyond the attributes.
        layer: before its output is named.
        given: the weights that the layer was given.

    Raises:
        Unsupported: the layer of this version lacks what the case states.
    """
    found = {name: plain(getattr(layer, name)) for name in READ_BACK}
    names = asked_of(case)
    for name, read in _ASKED.items():
        if name in names:
            try:
                found[name] = read(layer)
            except AttributeError as fault:
                raise Unsupported(f"the layer has no `{name}` in this version: {fault}") from None
    if "kernel" in names:
        found["kernel"] = _weights(layer.kernel, given.kernel)
    if "bias" in names:
        found["bias"] = _weights(layer.bias, given.bias)
    return found


def asked_of(case: Case) -> list[str]:
    """The names of what a case states of its layer beyond the attributes that are always read."""
    attributes, builder = case.expect.attributes, case.expect.builder
    names = set() if attributes is None else set(attributes.model_dump(exclude_none=True)) - set(READ_BACK)
    return sorted(names) + ([] if builder is None else [f"builder {builder.model_dump(exclude_none=True)}"])


def _weights(held: tensorrt.Weights | Array, given: Array | None) -> str:
    """How weights that are read back compare with those that were given."""
    if getattr(held, "size", 0) == 0:
        return "empty"
    if not isinstance(held, np.ndarray):  # a type that NumPy does not have
        same = given is not None and held.nbytes == given.nbytes
        return "as given" if same else f"{held.nbytes} bytes"
    values = np.ravel(held)
    return "as given" if given is not None and np.array_equal(values, np.ravel(given)) else f"{values.tolist()}"


def plain(value: Any) -> Any:
    """An attribute as JSON: ints, lists of ints, names of enumeration members."""
    if isinstance(value, int):
        return int(value)
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else [int(n) for n in value]
