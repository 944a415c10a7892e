"""Tensors of an ONNX model whose values lie in files beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import one_line


def check_location(tensor: Any, folder: Path) -> None:
    """Raise ConformanceError if the file of a tensor lies elsewhere than below the model's folder, or is missing."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    what = f'the weights "{one_line(tensor.name, 100)}" are in the file "{one_line(location, 200)}"'
    path = folder / location
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):
        inside, is_file = False, False
    if not location or PurePosixPath(location).is_absolute() or not inside:
        raise ConformanceError(f"{what}, which is not below the model's folder")
    if not is_file:
        raise ConformanceError(f"{what}, which is missing")


def take_in_sizes(tensors: Iterable[Any], folder: Path, most: int) -> None:
    """Take the values of small integer tensors into the model: shapes may depend on them.

    Args:
        tensors: those of the model, changed in place.
        folder: the model's.
        most: the number of elements of a small tensor.

    Raises:
        ConformanceError: the file of such a tensor cannot be used.
    """
    from onnx import TensorProto, numpy_helper

    for tensor in tensors:
        is_size = tensor.data_type in (TensorProto.INT32, TensorProto.INT64) and math.prod(tensor.dims) <= most
        if tensor.data_location != tensor.EXTERNAL or not is_size:
            continue
        check_location(tensor, folder)
        try:
            values = numpy_helper.to_array(tensor, str(folder))
        except Exception as fault:  # a file that is too short, or a tensor that contradicts itself
            name, reason = one_line(tensor.name, 100), one_line(str(fault), 200)
            raise ConformanceError(f'the weights "{name}" cannot be read: {reason}') from None
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
