"""The reference of a large case in pieces, each of which fits a given memory.

A piece is some images, or some rows of one image along its first spatial axis. Where an operation after the layer reads
several rows for one of its own, a piece has whole images. Its reference, computed from the part of
the input that its windows read, has the bits of the whole. (Above `blocked.MANY_PRODUCTS` the whole is computed by
several threads, which a BLAS may let add in another order.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE, CaseData
from trt_conformance.numerics.reference.blocked import BLOCK, rows_at_once
from trt_conformance.numerics.reference.epilogue import shapes_along
from trt_conformance.numerics.reference.result import Result, reference_along
from trt_conformance.numerics.reference.shape import Axis, layer_output, resolve

# Arrays of float64 that are counted for each element while a piece is computed and compared: about twice those seen.
OF_OUTPUT, OF_INPUT, OF_KERNEL = 16, 6, 6
OF_BLOCK = 3


@dataclass(frozen=True)
class Piece:
    """Images ``(first, end)`` of the batch, and rows of the layer's output along its first spatial axis.

    ``is_whole``: the rows are all there are, also of the network's input and output where these have others.
    """

    images: slice
    rows: slice
    is_whole: bool = False

    @property
    def offset(self) -> tuple[int, int, int]:
        """The index of the piece's first element in the output, along its first three dimensions; 0 along others."""
        return self.images.start, 0, self.rows.start

    def of(self, tensor: Array) -> Array:
        """The piece of an output ``(N, K, *spatial)``, or of an input that an operation after the layer joins."""
        return tensor[self.images] if self.is_whole else tensor[self.images, :, self.rows]


def needs_whole_images(case: Case) -> bool:
    """Whether an operation after the layer reads several rows for one of its own: a further layer, or a window."""
    return any(step.window is not None or step.layer is not None for step in case.epilogue)


class Sizes:
    """How many bytes a case takes in one of its run shapes."""

    def __init__(self, case: Case, shape: tuple[int, ...]) -> None:
        """Raises InvalidConvolution as `resolve` does."""
        self.case, self.shape = case, shape
        self.axes = resolve(case.layer_shape(shape), case.kernel.shape, case.attributes)
        self.layer = layer_output(case, shape)
        self._stages = shapes_along(case, self.layer, shape)
        self.output = self._stages[-1]

    @property
    def tensors(self) -> int:
        """Bytes of the network's input and output in the type of the case."""
        return (math.prod(self.shape) + math.prod(self.output)) * NUMPY_TYPE[self.case.data_type].itemsize

    @property
    def at_once(self) -> int:
        """Bytes that computing and comparing the whole takes in addition to the tensors."""
        return self.of_images(math.prod(self.shape[: -self.case.spatial_rank - 1]))

    def of_images(self, images: int) -> int:
        """Bytes that computing and comparing some images at once takes in addition to the tensors."""
        return self._fixed + images * self._of_rows(self.axes[0].size)

    def of_rows(self, rows: int) -> int:
        """Bytes that computing and comparing some rows of one image at once takes in addition to the tensors."""
        return self._fixed + self._of_rows(rows)

    @property
    def of_least(self) -> int:
        """Bytes that the smallest piece takes in addition to the tensors."""
        return self.of_images(1) if needs_whole_images(self.case) else self.of_rows(self.rows_at_once)

    @property
    def rows_at_once(self) -> int:
        """Rows of an image that belong together, as in `blocked.rows_at_once`."""
        sizes = [axis.size for axis in self.axes]
        return min(sizes[0], rows_at_once(self.case.kernel.shape, sizes, self.case.attributes.groups))

    @property
    def _fixed(self) -> int:
        return 8 * (OF_KERNEL * math.prod(self.case.kernel.shape) + OF_BLOCK * max(BLOCK, self._windows_of_a_row))

    @property
    def _windows_of_a_row(self) -> int:
        """The most elements that the windows of one row of an output have, of the layer or of a further one."""
        kernels = [(self.case.attributes.groups, self.case.kernel.shape, self.layer)]
        for step, output in zip(self.case.epilogue, self._stages[1:], strict=True):
            if step.layer is not None:
                kernels.append((step.layer.attributes.groups, step.layer.shape, output))
        rank = self.case.spatial_rank
        return max(groups * math.prod(kernel[1:]) * math.prod(out[-rank + 1 :]) for groups, kernel, out in kernels)

    def _of_rows(self, rows: int) -> int:
        rank, height = self.case.spatial_rank, max(1, self.axes[0].size)
        outputs = -(-rows * max(math.prod(stage[-rank - 1 :]) for stage in self._stages) // height)
        read = self.axes[0]._replace(size=rows).reach(self.case.kernel.shape[2])
        padded = [
            max(axis.reach(f), size)
            for axis, f, size in zip(self.axes[1:], self.case.kernel.shape[3:], self.shape[-rank + 1 :], strict=True)
        ]
        inputs = self.shape[-rank - 1] * read * math.prod(padded)
        return 8 * (OF_OUTPUT * outputs + OF_INPUT * inputs)


def pieces(case: Case, shape: tuple[int, ...], room: int) -> list[Piece] | None:
    """Cut the output of a run into pieces that take at most ``room`` bytes each; None if that is impossible.

    Only outputs with one batch dimension are cut, and images only where the operations after the layer allow it.
    """
    sizes = Sizes(case, shape)
    height = sizes.axes[0].size
    if len(shape) != case.spatial_rank + 2:
        return None
    images = shape[0]
    if sizes.of_images(1) <= room:
        many = max(count for count in _halves(images) if sizes.of_images(count) <= room)
        return [Piece(slice(n, min(n + many, images)), slice(0, height), is_whole=True) for n in range(0, images, many)]
    step = sizes.rows_at_once
    if needs_whole_images(case) or sizes.of_least > room:
        return None
    rows = max(count for count in _halves(-(-height // step)) if sizes.of_rows(count * step) <= room) * step
    return [
        Piece(slice(n, n + 1), slice(first, min(first + rows, height)))
        for n in range(images)
        for first in range(0, height, rows)
    ]


def reference_of_piece(case: Case, data: CaseData, piece: Piece) -> Result:
    """Compute what `reference` gives for a piece of the output, from the whole input; with the same bits."""
    axes = resolve(data.input.shape, case.kernel.shape, case.attributes)
    read, along = _read(axes[0], case.kernel.shape[2], data.input.shape[2], piece.rows)
    x = data.input[piece.images, :, read]
    return reference_along(case, replace(data, input=x), (along, *axes[1:]))


def _read(axis: Axis, window: int, size: int, rows: slice) -> tuple[slice, Axis]:
    """The rows of the input that some rows of the output read, and the axis of that part."""
    start = rows.start * axis.stride - axis.before
    part = axis._replace(size=rows.stop - rows.start)
    end = start + part.reach(window)
    first = min(max(start, 0), size)
    return slice(first, max(first, min(end, size))), part._replace(before=max(0, -start))


def _halves(count: int) -> Iterator[int]:
    """``count``, about half of it, and so on down to 1."""
    while count > 1:
        yield count
        count = -(-count // 2)
    yield 1
