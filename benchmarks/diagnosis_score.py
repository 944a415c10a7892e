"""How often does the diagnosis of a wrong output name what is wrong, and how often something else?

    python benchmarks/diagnosis_score.py --verdicts 3 --draws 1500

Runs the conditional mutants, which the diagnosis does not know, on the cases that a search draws, until each has so
many failing verdicts. A name is right if the named convolution gives the output of the mutant on further inputs, too,
drawn anew for the same case, and if it, or one of several names, does so with another kernel and bias: a fault of the
bias or of the padding may give the same error for every input. A verdict is right if all its names are. Prints each
wrong name, and the counts of verdicts that are right with one name, right with several, wrong, and without a name; of
the latter, those that say another symptom, or in which part of the output all wrong elements are, are counted apart.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.conditional import CONDITIONAL
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.message import Named
from trt_conformance.checks.other_input import valued, with_input
from trt_conformance.checks.subject import Subject
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT, case_data, feeds_of
from trt_conformance.core.verdict import Verdict
from trt_conformance.explore.draw import Draws
from trt_conformance.explore.search import draw_id
from trt_conformance.mutants import MUTANTS
from trt_conformance.mutants.diagnosis import diagnosis
from trt_conformance.mutants.mutant import Mutant, MutantTarget
from trt_conformance.numerics.reference.result import Result, reference
from trt_conformance.targets.engines import Engines

FURTHER = 3
"""Further inputs on which a name must hold, before the one with another kernel and bias."""
MOST_PRODUCTS = 3_000_000
KINDS = (
    "right, one name",
    "right, several names",
    "wrong",
    "no name",
    "no name, but a symptom",
    "no name, but a place",
)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
"""Those of missing products are made for a verdict, and added then."""


class Judged(NamedTuple):
    """A failing verdict of a mutant on a case, what its names are worth, and the seconds that it took."""

    mutant: Mutant
    case: Case
    kind: str
    names: Sequence[str]
    wrong: Sequence[str]
    seconds: float


def noting(*given: Any) -> Sequence[Named]:
    """The diagnosis, whose suspects are noted by name."""
    found = diagnosis(*given)
    BY_NAME.update((suspect.name, suspect) for suspect in found)
    return found


def golden(case: Case, index: int) -> Result:
    return reference(case, case.run_shapes[index])


def further(case: Case, shape: Sequence[int]) -> list[Array]:
    """Inputs of this run shape, with the values of its own in other places and with other signs."""
    given, found = case_data(case, shape).input, []
    for seed in range(FURTHER):
        rng = np.random.default_rng(seed)
        signs = rng.choice(np.array([-1, 1]), given.size) if case.quantize is None else np.ones(given.size)
        x = rng.permutation(given.ravel()) * signs.astype(given.dtype)
        found.append(x.astype(given.dtype).reshape(given.shape))
    return found


def with_other_weights(case: Case) -> Case:
    """The case with another kernel and bias. Their zeros and signs stay: what these hide in some places would show."""
    data = case_data(case)
    bias = {} if data.bias is None else {"bias": valued(resized(data.bias))}
    return case.model_copy(update={"kernel": valued(resized(data.kernel)), **bias})


def resized(values: Array) -> Array:
    """Values of the same signs, and 0 where these are 0, whose magnitudes changed places."""
    found, chosen = values.copy(), values != 0
    found[chosen] = np.random.default_rng(FURTHER).permutation(np.abs(values[chosen])) * np.sign(values[chosen])
    return found


def holds(name: str, mutant: Mutant, case: Case, inputs: Sequence[Array]) -> bool:
    """Whether the known convolution of this name gives the mutant's outputs of these inputs."""
    for x in inputs:
        given = with_input(case, x)
        actual = MutantTarget(mutant).build(case).run(feeds_of(case) | {INPUT: x})[OUTPUT]
        if not diagnosis(given, 0, actual, reference(given), [BY_NAME[name]], x):
            return False
    return True


def wrong_of(names: Sequence[str], mutant: Mutant, case: Case, shape: Sequence[int]) -> list[str]:
    """The names that do not hold on further inputs; all, if none holds with other weights: one of several is right."""
    inputs = further(case, shape)
    wrong = [name for name in names if not holds(name, mutant, case, inputs)]
    other = with_other_weights(case)
    return wrong if any(holds(name, mutant, other, inputs[-1:]) for name in names) else list(names)


def judged(mutant: Mutant, case: Case) -> Judged | None:
    """A failing verdict, and what its names are worth; None if the mutant passes."""
    engines = Engines(MutantTarget(mutant))
    started = time.process_time()
    verdict = check_forward(Subject(case, engines, golden, noting))
    seconds = time.process_time() - started
    if verdict.status != "fail":
        return None
    names = list(verdict.figures.get("as_if") or [])
    failed = (verdict.figures.get("evidence") or {}).get("input_shape", case.run_shapes[0])
    wrong = wrong_of(names, mutant, case, failed)
    return Judged(mutant, case, kind_of(verdict, names, wrong), names, wrong, seconds)


def kind_of(verdict: Verdict, names: Sequence[str], wrong: Sequence[str]) -> str:
    """One of `KINDS`."""
    if wrong:
        return KINDS[2]
    if names:
        return KINDS[0] if len(names) == 1 else KINDS[1]
    if "symptom:" in verdict.message:
        return KINDS[4]
    return KINDS[5] if "every mismatch is " in verdict.message else KINDS[3]


def run(verdicts: int, draws: int, seed: int, tell: Callable[[Judged], None]) -> tuple[Counter[str], float]:
    """Count the kinds of verdicts. Returns the counts, and the CPU seconds of the slowest verdict."""
    drawn, counts, seen, slowest = Draws(seed), Counter[str](), Counter[str](), 0.0
    for number in range(draws):
        case = drawn.layer(number).case(draw_id(seed, number))
        left = [mutant for mutant in CONDITIONAL if seen[mutant.name] < verdicts and mutant.applies(case)]
        if not left or golden(case, 0).output.size * np.prod(case.kernel.shape[1:]) > MOST_PRODUCTS:
            continue
        for mutant in left:
            with np.errstate(all="ignore"):
                found = judged(mutant, case)
            if found is not None:
                seen[mutant.name] += 1
                counts[found.kind] += 1
                slowest = max(slowest, found.seconds)
                tell(found)
    return counts, slowest


def main() -> None:
    """Print the score."""
    parser = argparse.ArgumentParser(description="How often does the diagnosis name what is wrong?")
    parser.add_argument("--verdicts", type=int, default=3, help="failing verdicts of each mutant")
    parser.add_argument("--draws", type=int, default=1500, help="cases that are drawn at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="print every verdict, not only wrong names")
    given = parser.parse_args()

    def tell(found: Judged) -> None:
        if found.wrong or given.all:
            names = ", ".join(found.names) or "-"
            print(f"{found.kind}: {names} for {found.mutant.name} ({found.mutant.doc}) in {found.case.id}", flush=True)

    counts, slowest = run(given.verdicts, given.draws, given.seed, tell)
    total = sum(counts.values())
    for kind in KINDS:
        print(f"{counts[kind]:5} of {total} {kind} ({100 * counts[kind] / max(1, total):.0f} %)")
    print(f"the slowest verdict took {slowest:.1f} s of CPU time")


if __name__ == "__main__":
    main()
