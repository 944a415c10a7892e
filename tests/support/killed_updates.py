"""Kills `golden update` at random moments, and checks that nothing is lost and nothing has to be deleted by hand.

    python -m tests.support.killed_updates --count 60 --seed 1

After each kill, every golden file present is whole, `verify` reports no unfinished file, the next update completes the
store to the same bytes as an update that was not killed, and leaves no unfinished file.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.support.golden_damage import CATALOG
from trt_conformance.golden import GoldenError, update, verify
from trt_conformance.golden.files import files_in, kind_of
from trt_conformance.golden.lock import temporaries
from trt_conformance.golden.store import read_golden_file

PAUSE = 0.05
"""Seconds before each of the three files takes its place."""


def main() -> int:
    """Kill as many updates as asked for. Prints what was found; returns 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    failed: list[str] = []
    unfinished = midway = 0
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        start = time.perf_counter()
        update(CATALOG, root=whole)
        duration = time.perf_counter() - start
        expected = _bytes(whole)
        for index in range(given.count):
            root = Path(folder, str(index))
            _kill(root, draw.uniform(0, duration + 4 * PAUSE))
            left = len(temporaries(root))
            unfinished += left > 0
            midway += 0 < len(_bytes(root)) < len(expected)
            found = _check(root, expected)
            if found:
                failed.append(f"kill {index}: {found}")
            shutil.rmtree(root, ignore_errors=True)
    for line in failed:
        print(line)
    print(
        f"{given.count} kills: {midway} left part of the store, {unfinished} an unfinished file; {len(failed)} failed"
    )
    return 1 if failed else 0


def _slow_update(root: Path) -> None:
    """Update with a pause before each file takes its place, so that many kills find an unfinished one."""
    replace = os.replace

    def late(source: Path, target: Path) -> None:
        time.sleep(PAUSE)
        replace(source, target)

    os.replace = late  # type: ignore[assignment]
    update(CATALOG, root=root)


def _kill(root: Path, delay: float) -> None:
    process = multiprocessing.get_context("fork").Process(target=_slow_update, args=(root,))
    process.start()
    time.sleep(delay)
    process.kill()
    process.join()


def _check(root: Path, expected: dict[str, bytes]) -> str:
    for file in files_in(root):
        try:
            read_golden_file(root / file, kind_of(file))
        except GoldenError as fault:
            return f"{file} {fault}"
    named = [str(problem) for problem in verify(CATALOG, root) if ".tmp" in problem.file]
    if named:
        return f"verify reports an unfinished file: {named}"
    update(CATALOG, root=root)
    if temporaries(root):
        return f"unfinished files remain: {temporaries(root)}"
    if verify(CATALOG, root) or _bytes(root) != expected:
        return f"the next update does not complete the store: {verify(CATALOG, root)}"
    return ""


def _bytes(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".lock" and path not in temporaries(root)
    }


if __name__ == "__main__":
    sys.exit(main())
