"""How many conditional mutants of the NumPy target does a search of a given time find?

    python benchmarks/search_score.py --time 600 --cores 2

Draws one search's cases, and judges each by the search's own checks on every mutant that is not found yet and whose
condition holds; elsewhere a mutant is right. The time of a search is the CPU time that the unmutated target takes for
the same draws, divided by the cores: it does not depend on how loaded the machine is. Making a find small is not part
of it. Prints the draw that finds each mutant, those that no draw finds, and the share.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.conditional import CONDITIONAL
from trt_conformance.core.case import Case
from trt_conformance.explore.draw import Draws
from trt_conformance.explore.judge import Judge, summary
from trt_conformance.explore.search import draw_id
from trt_conformance.mutants.mutant import Mutant, MutantTarget
from trt_conformance.targets.numpy import NumpyTarget

JUDGE = Judge()


class Found(NamedTuple):
    """A mutant, the draw that found it, the check, and the seconds of the search until then."""

    mutant: Mutant
    number: int
    check: str
    seconds: float


class Score:
    """A search that goes on until its time is up."""

    def __init__(self, mutants: Sequence[Mutant], seed: int, seconds: float, cores: int) -> None:
        self._draws, self._seconds, self._cores = Draws(seed), seconds, cores
        self.left = list(mutants)
        self.seconds, self.number = 0.0, 0
        self.met: dict[str, int] = {}
        """How many draws met the condition of a mutant without finding it."""

    def run(self) -> Iterator[Found]:
        """The mutants in the order in which they are found."""
        for self.number in count():
            if self.seconds >= self._seconds or not self.left:
                return
            case = self._draws.layer(self.number).case(draw_id(self._draws.seed, self.number))
            started = time.process_time()
            right = summary(JUDGE(NumpyTarget(), case, self.number))
            self.seconds += (time.process_time() - started) / self._cores
            if right.is_fault:
                raise SystemExit(f"the unmutated target fails draw {self.number}:\n{right.message}")
            if right.status == "unsupported":
                continue
            yield from self._judged(case)

    def _judged(self, case: Case) -> Iterator[Found]:
        for mutant in [mutant for mutant in self.left if mutant.applies(case)]:
            verdict = summary(JUDGE(MutantTarget(mutant), case, self.number))
            if verdict.is_fault:
                self.left.remove(mutant)
                yield Found(mutant, self.number, verdict.check, self.seconds)
            else:
                self.met[mutant.name] = self.met.get(mutant.name, 0) + 1


def main() -> None:
    """Print the score."""
    parser = argparse.ArgumentParser(description="How many conditional mutants does a search find?")
    parser.add_argument("--time", type=float, default=600.0, help="seconds of the search")
    parser.add_argument("--cores", type=int, default=2, help="cores that the search has")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    score = Score(CONDITIONAL, given.seed, given.time, given.cores)
    found = []
    for one in score.run():
        found.append(one)
        print(f"{one.seconds:7.1f} s  draw {one.number:6}  {one.check:<11} {one.mutant.name}", flush=True)
    for mutant in score.left:
        print(f"not found: {mutant.name}: {mutant.doc} (met by {score.met.get(mutant.name, 0)} draws)")
    share = 100 * len(found) / len(CONDITIONAL)
    print(f"{len(found)} of {len(CONDITIONAL)} found ({share:.0f} %) in {score.number} draws, {score.seconds:.0f} s")


if __name__ == "__main__":
    main()
