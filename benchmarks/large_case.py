"""How much memory the comparison of a large volume takes, in pieces within a memory limit.

    python benchmarks/large_case.py                              # 612 x 612 x 612, 229 million elements
    python benchmarks/large_case.py --size 300 --memory-limit 2GiB

convolves a volume of one channel with a window of 3 x 3 x 3 on the NumPy target, in a process of its own as other
targets are, and compares the output as `pytest` does.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import BiasSpec, Case, TensorSpec
from trt_conformance.core.memory import default_limit, parse_size, size_text
from trt_conformance.golden import expected_result
from trt_conformance.numerics.reference.pieces import Sizes
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.isolation.proxy import IsolatedTarget


def volume(size: int) -> Case:
    """A convolution of a cube in FP32, as a case that is computed in the run."""
    return Case(
        id="large/volume-fp32",
        name="volume",
        file="cases/large.toml",
        line=1,
        section="large",
        doc="a cube of one channel",
        input=TensorSpec(shape=(1, 1, size, size, size), fill="uniform", seed=1),
        kernel=TensorSpec(shape=(1, 1, 3, 3, 3), fill="uniform", seed=2),
        bias=BiasSpec(fill="uniform", seed=3),
        golden="computed",
    )


def peak(who: int) -> str:
    """The most memory that this process (RUSAGE_SELF) or a finished one (RUSAGE_CHILDREN) had."""
    return size_text(resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=612, metavar="N")
    parser.add_argument("--memory-limit", type=parse_size, default=default_limit(), metavar="SIZE")
    options = parser.parse_args()
    case = volume(options.size)
    sizes = Sizes(case, case.input.shape)
    print(f"{case.input.shape}: tensors {size_text(sizes.tensors)}, at once {size_text(sizes.at_once)} more")
    print(f"memory limit {size_text(options.memory_limit)}; before: {peak(resource.RUSAGE_SELF)}")
    target = IsolatedTarget("numpy", time_limit=3600.0)
    start, used = time.perf_counter(), time.process_time()
    try:
        found = check_forward(Subject(case, Engines(target), expected_result, memory_limit=options.memory_limit))
    finally:
        target.finish()
    took, used = time.perf_counter() - start, time.process_time() - used
    print(f"{found.status}: {found.message or found.figures}"[:300])
    print(f"{took:.0f} s, {used:.0f} s of CPU; most memory: {peak(resource.RUSAGE_SELF)} here, ", end="")
    print(f"{peak(resource.RUSAGE_CHILDREN)} in the target's process")
    return 0


if __name__ == "__main__":
    sys.exit(main())
