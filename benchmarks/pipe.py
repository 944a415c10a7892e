"""Measures the pipe between pytest and a target's process: the time for an array to go there and come back.

    python benchmarks/pipe.py [--mib 64] [--repeat 15]

Prints the median and the range of `run` on a target that returns its input, in milliseconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.helpers import make_case
from trt_conformance.targets.isolation.proxy import open_target

ECHO = Path(__file__).parents[1] / "tests" / "doubles" / "echo.py"


def round_trips(mib: float, repeat: int) -> list[float]:
    """Seconds of each round trip of an array of so many MiB."""
    target = open_target(f"{ECHO}:Echo")
    try:
        engine = target.build(make_case())
        feeds = {"input": np.arange(int(mib * 2**18), dtype=np.float32)}
        taken = []
        for _ in range(repeat + 2):
            begin = time.perf_counter()
            outputs = engine.run(feeds)
            taken.append(time.perf_counter() - begin)
            assert np.array_equal(outputs["output"], feeds["input"])
        engine.close()
        return taken[2:]
    finally:
        target.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=float, default=64.0)
    parser.add_argument("--repeat", type=int, default=15)
    given = parser.parse_args()
    found = [1e3 * seconds for seconds in round_trips(given.mib, given.repeat)]
    print(f"{given.mib:g} MiB: median {median(found):.1f} ms, {min(found):.1f} to {max(found):.1f} ms")
