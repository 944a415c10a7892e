"""Sends SIGINT to runs at random moments, and checks that each ends in good order.

    python -m tests.support.interrupted_runs --count 60 --seed 1

A run of the suite without a build cache is interrupted at any moment from its first line to its end, as a terminal
does it: the signal goes to all its processes. It must end with exit code 2, close its record, report no internal error
and remove its temporary folder. Every fourth run has two workers of pytest-xdist.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.results.record.record import Record, read_record

FIRST_LINE = "test session starts"
HEADLINE = "\nexit code "
PYTESTS_OWN = "pytest-of-"
OUTER = ("PYTEST_", "COV_")
CHOICE = ("cases/test_forward.py", "cases/test_network.py", "cases/test_reject.py", "--case", "stride_nd/*")
CHOICE += ("--case", "padding/*", "--case", "rejected/*", "--no-cache")
PATIENCE_S = 600


class Interrupted:
    """One run, with its output, record and temporary files in a folder of its own."""

    def __init__(self, folder: Path, workers: int, target: str = "numpy") -> None:
        self.folder, self.output = folder, folder / "output"
        self.temporary = folder / "temporary"
        self.temporary.mkdir(parents=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OUTER)}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--record-root={folder / 'records'}"]
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, *CHOICE, "--target", target, *(("-n", str(workers)) if workers else ())],
                cwd=ROOT,
                env=environment | {"TMPDIR": str(self.temporary)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
            )

    def wait_for(self, happens: Callable[[], object]) -> None:
        """Wait until something is true or the run has ended.

        Raises:
            TimeoutError: neither happened.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not happens() and self._process.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing happened: {self.text()}")
            time.sleep(0.005)

    def wait_for_start(self) -> None:
        """Wait until pytest wrote its first line."""
        self.wait_for(lambda: FIRST_LINE in self.text())

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> bool:
        """Send a signal to the run's processes; False if it had already ended."""
        if self._process.poll() is not None:
            return False
        os.killpg(self._process.pid, number)
        return True

    def wait(self) -> int | None:
        """The exit code; None, and the run is killed, where it does not end in ``PATIENCE_S``."""
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return None

    def text(self) -> str:
        """What the run wrote so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")


def faults_of(run: Interrupted, code: int | None, was_interrupted: bool) -> list[str]:
    """What is wrong with a run that has ended: its exit code, output, record or temporary files."""
    text, faults = run.text(), []
    records = list((run.folder / "records").rglob("record.jsonl"))
    record: Record | None = None
    try:
        record = read_record(records[0]) if records else None
    except ConformanceError as fault:
        faults.append(f"the record cannot be read: {fault}")
    if record is not None and record.end is None:
        faults.append("the record is not closed")
    if record is not None and record.end is not None and sum(record.end.counts.values()) != len(record.verdicts):
        faults.append("the record's counts are not those of its verdicts")
    if was_interrupted and HEADLINE not in text and record is not None:
        faults.append("the headline is missing")
    # After the record's end a signal cannot change what the run found.
    allowed = {record.end.exit} if record is not None and record.end is not None else {2 if was_interrupted else 0}
    if HEADLINE in text:  # the run is over: Python itself is ending
        allowed |= {-signal.SIGINT, 128 + signal.SIGINT}
    if code not in allowed:
        faults.append("it does not end" if code is None else f"exit code {code}")
    faults += [f"{word} in the output" for word in ("INTERNALERROR", "Traceback") if word in text and code in (0, 1, 2)]
    left = sorted(path.name for path in run.temporary.iterdir() if not path.name.startswith(PYTESTS_OWN))
    if left:
        faults.append(f"left in the temporary folder: {', '.join(left)}")
    return faults


def interrupted_runs(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Interrupt so many runs. Returns how many ended in which way, and a description of each faulty run."""
    draw, outcomes, failed = random.Random(seed), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        lengths = {workers: _length(Path(folder, f"whole{workers}"), workers) for workers in (0, 2)}
        for index in range(count):
            workers = 2 if index % 4 == 3 else 0
            delay = draw.uniform(0, lengths[workers])
            run = Interrupted(Path(folder, str(index)), workers)
            run.wait_for_start()
            time.sleep(delay)
            was_interrupted = run.interrupt()
            code = run.wait()
            outcomes[f"exit code {code}" if was_interrupted else "ended before the signal"] += 1
            faults = faults_of(run, code, was_interrupted)
            if faults:
                about = f"run {index}, {workers} workers, after {delay:.3f} s"
                failed.append(f"{about}: {'; '.join(faults)}\n{run.text()[-3000:]}")
    return outcomes, failed


def _length(folder: Path, workers: int) -> float:
    """Seconds from the first line to the last one of a run that is not interrupted."""
    run = Interrupted(folder, workers)
    run.wait_for_start()
    start = time.monotonic()
    run.wait_for(lambda: HEADLINE in run.text())
    length = time.monotonic() - start
    faults = faults_of(run, run.wait(), was_interrupted=False)
    assert not faults, (faults, run.text())
    return length


def main() -> int:
    """Interrupt as many runs as asked for. Prints what was found; returns 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    outcomes, failed = interrupted_runs(given.count, given.seed)
    for line in failed:
        print(line)
    found = ", ".join(f"{number} with {what}" for what, number in sorted(outcomes.items()))
    print(f"{given.count} runs ({found}); {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
