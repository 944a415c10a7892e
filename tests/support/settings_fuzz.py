"""Damages settings files of the gate at random: each is read, or refused with file and line of every fault.

Run it at length with ``python -m tests.support.settings_fuzz --count 20000 --seed 1``.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections import Counter
from pathlib import Path

from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.gate_settings import read_gate_settings

GOOD = """\
# How the gate decides.
[latency]
tolerance = 0.05
calibration = ["run/record.jsonl", "run"]
normalize = true
across_devices = false
across_modes = false
[engine]
plan_bytes_tolerance = 0.1
build_time_tolerance = 1
"""
PIECES = (
    "nan", "inf", "-inf", "0", "-1", "1e400", "5", "true", '"x"', "''", '"\\u0000"', '"a\\nb"',
    '"' + "x" * 5000 + '"', "[]", "{}", "[[]]", "{ a = 1 }", "[1, 'a']", "[" * 3000, "{ a = " * 500,
    "1979-05-27", "0x10", "9" * 400, "9" * 6000, "[latency]", "[gate]", "[[latency]]", "[latency.x]",
    "latency = 1", "a.b.c = 1", "=", "#", "\n", "\r", "\0", "\x1b", "\ufeff", "\u202e", '"""', "'''",
    "tolerance = 0.1", "tolerence = 0.1", '"" = 1', "a." * 3000 + "a = 1", "= 1", '["/"]', '["\\u0000"]',
    '["' + "y" * 300 + '"]',
)  # fmt: skip


def damaged(rng: random.Random) -> bytes:
    """A settings file with a few pieces put in, taken out or replaced."""
    words = re.findall(r"\s+|[^\s=]+|=", GOOD)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, what = rng.randrange(len(words)), rng.random()
        if what < 0.5:
            words[at] = rng.choice(PIECES)
        elif what < 0.8:
            words.insert(at, rng.choice(PIECES))
        else:
            del words[at]
    content = "".join(words).encode()
    if content and rng.random() < 0.1:
        at = rng.randrange(len(content))
        content = content[:at] + bytes([rng.randrange(256)]) + content[at + rng.randrange(3) :]
    return content


def fuzz(count: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Read ``count`` damaged files. Returns how many were read and refused, and what failed."""
    rng, path = random.Random(seed), folder / "gate.toml"
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "record.jsonl").touch()
    counts: Counter[str] = Counter()
    failures = []
    for n in range(count):
        content = damaged(rng)
        path.write_bytes(content)
        try:
            settings = read_gate_settings(path, {})
            counts["read"] += 1
            assert 0.001 <= settings.latency.tolerance <= 1
            assert 0 <= (settings.engine.plan_bytes_tolerance or 0) <= 1000
        except ConformanceError as fault:
            counts["refused"] += 1
            if not all(re.search(r"gate\.toml:\d+: .", line) for line in str(fault).split("\n")):
                failures.append(f"{n}: {fault}")
        except Exception as fault:
            failures.append(f"{n}: {fault!r:.300} for {content!r:.300}")
    return counts, failures


def main() -> int:
    """Fuzz at length, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts, failures = fuzz(given.count, given.seed, Path(folder))
    print(f"{given.count} files, seed {given.seed}: {dict(counts)}, {len(failures)} failed")
    print("\n".join(failures[:50]))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
