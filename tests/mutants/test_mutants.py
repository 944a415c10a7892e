"""The suite notices wrong convolutions, every one of them, and does not fault the right one."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import trt_conformance.mutants
from tests.support.conditional import CONDITIONAL
from tests.support.helpers import make_case, run_command, run_pytest, slow
from tests.support.suite import suite_catalog
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.checks.other_input import other_input
from trt_conformance.checks.selection import SELECTIONS
from trt_conformance.cli import app
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.core.tensors import INPUT, feeds_of
from trt_conformance.mutants import (
    MUTANTS,
    UNMUTATED,
    Mutant,
    MutantOutcome,
    MutantTarget,
    check_unmutated,
    score,
    small,
)
from trt_conformance.mutants.arithmetic import products_of
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.shape import resolve
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import Target

pytestmark = pytest.mark.usefixtures("shared_suite")

UNKILLABLE = replace(UNMUTATED, name="unkillable", doc="right in every way")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return suite_catalog()


@pytest.fixture(scope="module")
def cases(catalog: Catalog) -> tuple[Case, ...]:
    return small(catalog.cases)


@pytest.fixture(scope="module", params=[pytest.param(MUTANTS[::30], id="sample"), slow(MUTANTS, id="all")])
def outcomes(request: pytest.FixtureRequest, catalog: Catalog, cases: tuple[Case, ...]) -> list[MutantOutcome]:
    return list(score(request.param, catalog, cases))


def mutant(name: str) -> Mutant:
    return next(mutant for mutant in MUTANTS if mutant.name == name)


def answers(target: Target, case: Case) -> Any:
    """What a target does with a case: every run and a second input, each twice, to the byte; or how it refuses."""
    try:
        engine = target.build(case)
        feeds = [
            given
            for index, shape in enumerate(case.run_shapes)
            for given in (feeds_of(case, index), {INPUT: other_input(case, shape)})
        ]
        with np.errstate(all="ignore"):  # wrong values overflow
            runs = [engine.run(given) for given in feeds for _ in range(2)]
    except Refused as refusal:
        return refusal.phase, refusal.message
    return [{name: (y.dtype, y.shape, y.tobytes()) for name, y in outputs.items()} for outputs in runs]


def test_there_are_many_mutants_with_names_of_their_own() -> None:
    assert len(MUTANTS) >= 60
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", mutant.name) for mutant in MUTANTS)


def test_every_mutant_says_in_words_of_its_own_what_is_wrong() -> None:
    assert all(len(mutant.doc) >= 10 for mutant in MUTANTS)
    assert len({mutant.doc for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("step", [20, slow(1)])
def test_the_right_convolution_survives_every_case(catalog: Catalog, cases: tuple[Case, ...], step: int) -> None:
    (outcome,) = score([UNMUTATED], catalog, cases[::step], every=True)
    assert [fault.message for fault in outcome.faults] == []


def test_the_right_convolution_gives_the_bits_of_the_numpy_target(cases: tuple[Case, ...]) -> None:
    numpy, unmutated = NumpyTarget(), MutantTarget(UNMUTATED)
    every_fourth = cases[::4]
    assert {case.precision for case in every_fourth} == {case.precision for case in cases}
    assert [case.id for case in every_fourth if answers(numpy, case) != answers(unmutated, case)] == []


def test_the_suite_kills_every_mutant(outcomes: list[MutantOutcome]) -> None:
    assert [outcome.mutant.name for outcome in outcomes if not outcome.faults] == []


def test_no_mutant_dies_of_an_accident(outcomes: list[MutantOutcome]) -> None:
    """A mutant that breaks down proves nothing: it has to give a wrong answer."""
    accidents = {o.mutant.name: o.faults[0].message for o in outcomes if o.faults and o.faults[0].status != "fail"}
    assert accidents == {}


def test_an_output_of_a_wrong_shape_is_joined_with_nothing() -> None:
    case = make_case(
        input={"shape": [2, 4, 5, 6], "fill": "ones"},
        kernel={"shape": [4, 4, 3, 3], "fill": "ones"},
        set={"padding_nd": [1, 1]},
        epilogue=[{"op": "add"}],
    )
    with pytest.raises(Refused, match="broadcast"):
        MutantTarget(mutant("post_padding_ignored_batched")).build(case).run(feeds_of(case))


def test_every_mutant_is_really_wrong(catalog: Catalog, outcomes: list[MutantOutcome]) -> None:
    by_id = {case.id: case for case in catalog.cases}
    right = NumpyTarget()
    alike = [
        outcome.mutant.name
        for outcome in outcomes
        for killer in outcome.killers[:1]
        if answers(MutantTarget(outcome.mutant), by_id[killer]) == answers(right, by_id[killer])
    ]
    assert alike == []


def test_a_mutant_is_right_where_it_does_not_apply(cases: tuple[Case, ...]) -> None:
    groups = mutant("groups_read_first_input")
    plain = [case for case in cases if case.attributes.groups == 1]
    assert plain
    assert all(answers(MutantTarget(groups), case) == answers(NumpyTarget(), case) for case in plain[:20])


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("window", [(3, 2), (2, 1, 3)])
def test_the_products_of_a_term_are_those_of_a_kernel_with_this_term_alone(
    groups: int, window: tuple[int, ...]
) -> None:
    random = np.random.default_rng(5)
    rank = len(window)
    x = random.normal(size=(2, 6, *(9,) * rank)).astype(np.float32)
    kernel = random.normal(size=(9, 6 // groups, *window)).astype(np.float32)
    neutral = {"pre": (0,) * rank, "post": (0,) * rank, "groups": groups}
    attributes = Attributes(stride=(2, 1, 3)[:rank], dilation=(1, 3, 2)[:rank], **neutral)
    axes = resolve(x.shape, kernel.shape, attributes)
    for term in np.ndindex(kernel.shape[1:]):
        alone = np.zeros_like(kernel)
        alone[(slice(None), *term)] = kernel[(slice(None), *term)]
        expected = convolve(x, alone, None, attributes)
        assert products_of(x, kernel, axes, groups, term).tobytes() == expected.tobytes()


def test_score_stops_at_the_first_kill_or_counts_them_all(catalog: Catalog) -> None:
    cases = catalog.select(["stride_nd/*"])
    (first,) = score([mutant("kernel_flipped")], catalog, cases)
    (every,) = score([mutant("kernel_flipped")], catalog, cases, every=True)
    assert first.killers == ("stride_nd/h2_w2-fp32",)
    assert set(every.killers) == {case.id for case in cases}
    assert {fault.check for fault in every.faults} == {"forward", "printed"}


def test_what_is_wrong_in_one_run_of_eight_dies_of_repeated_runs(catalog: Catalog) -> None:
    (eighth,) = (mutant for mutant in CONDITIONAL if mutant.name == "run_8")
    cases = [case for case in catalog.select(["exact_bias/*"]) if eighth.applies(case)]
    seldom = replace(eighth, applies=lambda case: case.id == cases[0].id)
    (outcome,) = score([seldom], catalog, cases[:1])
    assert [fault.check for fault in outcome.faults] == ["repeats"]


def test_a_long_sum_that_is_seldom_wrong_dies_of_repeated_runs_of_a_sweep_alone() -> None:
    def is_long(case: Case) -> bool:
        return math.prod(case.kernel.shape[1:]) > 8000

    (eighth,) = (mutant for mutant in CONDITIONAL if mutant.name == "run_8")
    seldom = replace(eighth, applies=is_long)
    again = [case for case in suite_catalog().cases if case.tier is None and SELECTIONS["run_again"](case)]
    assert again
    assert not list(filter(is_long, again))
    (terms,) = (sweep for sweep in suite_catalog().sweeps if sweep.sweep.name == "terms")
    cases = tuple(filter(is_long, map(terms.case, terms.names("ci"))))
    assert len({case.precision for case in cases}) >= 2
    (outcome,) = score([seldom], Catalog(cases, {}), cases, every=True)
    assert [fault.check for fault in outcome.faults] == ["repeats"] * len(cases)


def new_case(**fields: Any) -> Case:
    """A case that has no golden."""
    return make_case(id="nowhere/new", file="cases/convolution/nowhere.toml", **fields)


def test_a_case_without_golden_is_judged_by_the_reference() -> None:
    catalog = Catalog((new_case(),), {})
    survivor, killed = score([UNMUTATED, mutant("kernel_flipped")], catalog, catalog.cases)
    assert survivor.killers == ()
    assert killed.killers == ("nowhere/new-fp32",)


def test_a_suite_that_faults_the_right_convolution_judges_no_mutant() -> None:
    wrong = new_case(expect={"shape": [1, 1, 4, 7], "printed": "\n".join(["1. 2. 3. 4. 5. 6. 7."] * 4)})
    with pytest.raises(ConformanceError, match=r"the correct convolution has 1 fault, so no mutant can be judged"):
        check_unmutated(Catalog((wrong,), {}), (wrong,))


def test_large_cases_are_left_out() -> None:
    large = make_case(
        input={"shape": [1, 64, 56, 56], "fill": "uniform"}, kernel={"shape": [64, 64, 3, 3], "fill": "uniform"}
    )
    assert small([large, make_case()]) == (make_case(),)


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["mutants", *arguments])
    if isinstance(result.exception, ConformanceError):
        raise result.exception
    return result.exit_code, result.output


def test_the_command_names_the_killer_of_each_mutant() -> None:
    code, output = command("--mutant", "kernel_flipped_on_?", "--case", "stride_nd/*", "--case", "exact_three_d/*")
    assert code == 0
    assert re.search(r"^kernel_flipped_on_w +killed by stride_nd/h2_w2-fp32$", output, re.MULTILINE)
    assert re.search(r"cases kill 3 of 3 mutants: 100\.0 %$", output.rstrip())


def test_the_command_counts_every_killer() -> None:
    code, output = command("--mutant", "kernel_flipped", "--case", "stride_nd/*", "--all")
    assert code == 0
    assert "killed by 6: stride_nd/h2_w2-fp32, stride_nd/h2_w2-tf32, stride_nd/h2_w1-fp32, …" in output


def test_the_command_fails_where_a_mutant_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trt_conformance.mutants, "MUTANTS", (UNKILLABLE, mutant("kernel_flipped")))
    code, output = command("--case", "stride_nd/*")
    assert code == 1
    assert re.search(r"^unkillable +SURVIVES$", output, re.MULTILINE)
    assert "6 cases kill 1 of 2 mutants: 50.0 %; these survive:\n  unkillable: right in every way" in output


def test_the_command_prints_json() -> None:
    code, output = command("--mutant", "stride_ignored_on_?", "--case", "stride_nd/*", "--json")
    facts = json.loads(output)
    outcomes = {outcome["name"]: outcome for outcome in facts["outcomes"]}
    assert code == 1
    assert (facts["cases"], facts["mutants"], facts["killed"]) == (6, 3, 2)
    assert facts["score"] == pytest.approx(2 / 3)
    assert outcomes["stride_ignored_on_d"]["killers"] == []
    (fault,) = outcomes["stride_ignored_on_h"]["faults"]
    assert (fault["case"], fault["check"], fault["status"]) == ("stride_nd/h2_w2-fp32", "forward", "fail")
    assert "output.shape is" in fault["message"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--case", "nowhere/*"], "no case matches 'nowhere/*'"),
        (["--mutant", "nobody"], "no mutant matches 'nobody'"),
    ],
)
def test_the_command_refuses_what_matches_nothing(arguments: list[str], message: str) -> None:
    with pytest.raises(ConformanceError, match=re.escape(message)):
        command(*arguments)


def test_a_refusal_ends_the_command_with_2() -> None:
    done = run_command("mutants", "--mutant", "nobody")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("no mutant matches 'nobody'")


def test_a_wrong_target_in_a_file_fails_with_a_message_that_says_where(tmp_path: Path) -> None:
    """The way anybody tests an implementation of their own, from the command line to the message."""
    target = "tests/doubles/flipped.py:FlippedKernel"
    done = run_pytest("cases/test_forward.py", "--case", "stride_nd/h2_w2", "--target", target, "--no-record")
    assert done.returncode == 1, done.stdout + done.stderr
    message = re.search(
        r"stride_nd/h2_w2 \[fp32\] FAILED in compare +\((cases/convolution/stride_nd\.toml):(\d+)\)\n"
        r" *output: 8/8 elements beyond the bound; worst at \(n=0, k=0, h=\d, w=\d\)\n"
        r" *actual (\S+)  expected (\S+)  \|err\| \S+  bound (\S+) ",
        done.stdout,
    )
    assert message is not None, done.stdout
    file, line, actual, expected, bound = message.groups()
    assert (ROOT / file).read_text(encoding="utf-8").splitlines()[int(line) - 1] == "[[case]]"
    assert abs(float(actual) - float(expected)) > 1000 * float(bound)
    assert f"--target {target}" in done.stdout
