"""The arithmetic of GPUs, emulated: each function sums the products of rows of ``x`` with ``w`` in its own way.

Operands are float64 arrays ``(rows, K)`` and ``(K,)`` of values that the emulated type can hold; so are the sums
``(rows,)``, before any rounding to the output's type.
"""

import numpy as np

DROPPED = np.uint32(0x1FFF)


def significand(values, bits):
    """Truncated toward zero to so many significant bits."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.trunc(np.ldexp(mantissa, bits)), exponent - bits)


def tf32_truncated(values):
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    return (bits & ~DROPPED).view(np.float32).astype(np.float64)


def tf32_nearest(values):
    """To nearest, ties away from zero, as cvt.rna does."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & ~DROPPED).view(np.float32).astype(np.float64)


def sequential(dtype, fused=False):
    """One term after the other, every operation rounded to nearest; or product and addition at once."""

    def total(x, w):
        acc = np.zeros(len(x), dtype=dtype)
        for k in range(len(w)):
            product = x[:, k] * w[k]
            acc = (acc.astype(np.float64) + product).astype(dtype) if fused else acc + product.astype(dtype)
        return acc.astype(np.float64)

    return total


def pairwise(dtype):
    """Neighbors, then neighbors of neighbors."""

    def total(x, w):
        sums = (x * w).astype(dtype)
        while sums.shape[1] > 1:
            if sums.shape[1] % 2:
                sums = np.concatenate([sums, np.zeros((len(sums), 1), dtype)], axis=1)
            sums = sums[:, 0::2] + sums[:, 1::2]
        return sums[:, 0].astype(np.float64)

    return total


def strided(dtype, parts):
    """As many threads each sum every so many-th term; then their sums are added."""

    def total(x, w):
        partial = [sequential(dtype)(x[:, i::parts], w[i::parts]) for i in range(min(parts, len(w)))]
        return sequential(dtype)(np.stack(partial, axis=1), np.ones(len(partial)))

    return total


def truncating(dtype_bits):
    """One term after the other, every sum truncated."""

    def total(x, w):
        acc = np.zeros(len(x))
        for k in range(len(w)):
            acc = significand(acc + x[:, k] * w[k], dtype_bits)
        return acc

    return total


def tensor_core(block, extra=0):
    """Blocks of exact products, aligned with the accumulator to the largest and truncated to 24 bits and ``extra``."""

    def total(x, w):
        acc = np.zeros(len(x))
        for k in range(0, len(w), block):
            addends = np.concatenate([acc[:, None], x[:, k : k + block] * w[k : k + block]], axis=1)
            _, exponent = np.frexp(np.abs(addends).max(axis=1, keepdims=True))
            unit = np.ldexp(1.0, exponent - 24 - extra)
            acc = significand((np.trunc(addends / unit) * unit).sum(axis=1), 24)
        return acc

    return total


def reordered(total, order):
    """The same sum over another order of the terms."""

    def other(x, w):
        places = order(len(w))
        return total(x[:, places], w[places])

    return other


def reverse(count):
    return np.arange(count)[::-1]


def shuffle(count):
    return np.random.default_rng(count).permutation(count)


FLOAT32 = {
    "sequential": sequential(np.float32),
    "fused": sequential(np.float32, fused=True),
    "reversed": reordered(sequential(np.float32), reverse),
    "shuffled": reordered(sequential(np.float32, fused=True), shuffle),
    "pairwise": pairwise(np.float32),
    "32 threads": strided(np.float32, 32),
}
TENSOR_CORE = {
    "blocks of 4": tensor_core(4),
    "blocks of 8, one bit more": tensor_core(8, extra=1),
    "blocks of 16, two bits more": tensor_core(16, extra=2),
    "blocks of 16, shuffled": reordered(tensor_core(16), shuffle),
    "one by one": tensor_core(1),
}
FLOAT16 = {
    "sequential": sequential(np.float16),
    "fused": sequential(np.float16, fused=True),
    "pairwise": pairwise(np.float16),
    "shuffled": reordered(sequential(np.float16, fused=True), shuffle),
    "truncating": truncating(11),
}
