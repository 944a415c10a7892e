"""How long the reference takes beside PyTorch's convolution, both in float64 on this CPU.

    python benchmarks/reference_vs_torch.py [--rounds 25]

The two run in turn, so that whatever else the machine does meets both alike; the ratio is of medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from trt_conformance.core.attributes import Attributes
from trt_conformance.core.fills import content
from trt_conformance.numerics.reference.blocked import convolve

INPUT, KERNEL, PADDING = (8, 64, 56, 56), (64, 64, 3, 3), (1, 1)


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> int:
    """Print both medians and their ratio; 1 if PyTorch is missing or gives something else."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: pip install torch")
        return 1
    x, w = content(INPUT, "uniform", seed=1), content(KERNEL, "uniform", seed=2)
    attributes = Attributes.after({"padding_nd": PADDING}, len(PADDING))
    tensors = torch.from_numpy(x), torch.from_numpy(w)

    def ours() -> object:
        return convolve(x, w, None, attributes)

    def theirs() -> object:
        return torch.nn.functional.conv2d(*tensors, padding=PADDING)

    if not np.allclose(np.asarray(ours()), np.asarray(theirs()), rtol=0, atol=1e-9):
        print("the two disagree: nothing to compare")
        return 1
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"reference {a * 1e3:.1f} ms, PyTorch {torch.__version__} {b * 1e3:.1f} ms: ratio {a / b:.2f}")
    print(f"medians of {rounds} rounds; {INPUT} with {KERNEL}, padding {PADDING}, {torch.get_num_threads()} threads")
    return 0


if __name__ == "__main__":
    sys.exit(main())
