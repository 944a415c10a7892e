"""The definition of the convolution layer, written as plainly as possible.

    y[n, k, o] = b[k] + sum over c and f of  x[n, g*C/G + c, o*S - B + f*D] * w[k, c, f]

k is an output map, g = k // (K/G) its group, c a channel of the group, o an output position and f a tap of the kernel;
o and f have one index for each spatial axis. S is the stride, D the dilation, B the padding in front; x is zero outside
its bounds. The kernel is not flipped: like every deep-learning library, the layer computes a cross-correlation.

Sources: NvInfer.h, `IConvolutionLayer` (attributes and their names) and `PaddingMode` (output size and padding, see
`shape`); NVIDIA's documentation of the Convolution operator. `blocked.convolve` computes the same much faster.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.attributes import Attributes
from trt_conformance.numerics.reference.shape import resolve

Scalar = TypeVar("Scalar", bound=np.generic)


def convolution(
    x: NDArray[Scalar], kernel: NDArray[Scalar], bias: NDArray[Scalar] | None, attributes: Attributes
) -> NDArray[Scalar]:
    """Convolve in two or three dimensions, one product at a time, in the type of the operands.

    Args:
        x: ``(*batch, C, *spatial)``; ``Fraction`` objects give exact arithmetic.
        kernel: ``(K, C/G, *window)``.
        bias: ``(K,)`` or None.
        attributes: stride, padding, dilation, groups and padding mode.

    Returns:
        ``(*batch, K, *spatial)``.

    Raises:
        InvalidConvolution: shapes and attributes do not form a convolution.
    """
    axes = resolve(x.shape, kernel.shape, attributes)
    num_output_maps, channels_per_group, *kernel_size = kernel.shape
    maps_per_group = num_output_maps // attributes.groups
    batch, input_size = x.shape[: -len(axes) - 1], x.shape[-len(axes) :]
    y: NDArray[Any] = np.zeros((*batch, num_output_maps, *(axis.size for axis in axes)), dtype=x.dtype)

    for k, *o in np.ndindex(*y.shape[len(batch) :]):
        output: Any = (..., k, *o)
        group = k // maps_per_group
        for c, *f in np.ndindex(channels_per_group, *kernel_size):
            at = [i * axis.stride - axis.before + tap * axis.dilation for i, tap, axis in zip(o, f, axes, strict=True)]
            if all(0 <= place < size for place, size in zip(at, input_size, strict=True)):
                read: Any = (..., group * channels_per_group + c, *at)
                weight: Any = (k, c, *f)
                y[output] += x[read] * kernel[weight]
        if bias is not None:
            y[output] += bias[k]
    return y
