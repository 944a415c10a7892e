"""The rows of a sweep cover every possible combination, and what they lack is named."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import combinations, product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.sweeps import EDGES, EXCLUDE, HEAD, PAIRWISE, expanded
from trt_conformance.catalog.sweeps.covering import Possible, generate, missed
from trt_conformance.catalog.sweeps.model import Block, Sweep
from trt_conformance.cli.cases import app
from trt_conformance.core.case_folder import SUITE


def sweep(domains: dict[str, tuple[str, ...]], excludes: list[dict[str, tuple[str, ...]]]) -> Sweep:
    return Sweep.model_validate(
        {
            "file": "cases/sweeps/any.toml",
            "path": Path("cases/sweeps/any.toml"),
            "folder": SUITE,
            "name": "any",
            "section": "-",
            "source": "-",
            "seed": 3,
            "base": {},
            "axes": {axis: {value: {} for value in values} for axis, values in domains.items()},
            "usual": {},
            "excludes": tuple({"doc": "left out of it", "where": where} for where in excludes),
            "covers": (),
            "lines": (),
        }
    )


def drawn(seed: int) -> Sweep:
    """Four or five axes of two to four values, and some exclusions of up to three axes."""
    rng = random.Random(seed)
    domains = {f"x{a}": tuple(f"x{a}v{v}" for v in range(rng.randint(2, 4))) for a in range(rng.randint(4, 5))}
    excludes = []
    for _ in range(rng.randint(0, 5)):
        axes = rng.sample(list(domains), rng.randint(1, 3))
        # Never a whole domain of a single axis: then nothing would be left.
        excludes.append(
            {axis: tuple(rng.sample(domains[axis], rng.randint(1, len(domains[axis]) - 1))) for axis in axes}
        )
    return sweep(domains, excludes)


def enumerated(s: Sweep) -> list[tuple[str, ...]]:
    """Every row that is not excluded, found by trying all."""
    return [
        row
        for row in product(*s.domains.values())
        if not any(all(dict(zip(s.axes, row, strict=True))[a] in v for a, v in w.where.items()) for w in s.excludes)
    ]


def tuples(s: Sweep, found: list[tuple[str, ...]], strength: int) -> set[tuple[tuple[str, str], ...]]:
    return {c for row in found for c in combinations(zip(s.axes, row, strict=True), strength)}


@pytest.mark.parametrize("strength", [2, 3])
@pytest.mark.parametrize("seed", range(25))
def test_rows_cover_every_possible_combination_and_no_other(seed: int, strength: int) -> None:
    s = drawn(seed)
    every = enumerated(s)
    if not every:
        pytest.fail("this seed leaves no row: draw fewer exclusions")
    block = Block(s.domains, strength)
    found = generate(s, block, [])
    assert set(found) <= set(every)
    assert tuples(s, found, strength) == tuples(s, every, strength)
    assert missed(s, block, found) == []
    assert len(found) <= len(every)


@pytest.mark.parametrize("seed", range(25))
def test_missed_names_what_the_rows_lack(seed: int) -> None:
    s = drawn(seed)
    every = enumerated(s)
    some = random.Random(seed).sample(every, max(1, len(every) // 3))
    assert set(missed(s, Block(s.domains, 2), some)) == tuples(s, every, 2) - tuples(s, some, 2)


@pytest.mark.parametrize("seed", range(25))
def test_possible_agrees_with_enumeration(seed: int) -> None:
    s = drawn(seed)
    possible = Possible(s.domains, s.exclusions)
    known = tuples(s, enumerated(s), 2)
    for axes in combinations(s.domains, 2):
        for values in product(*(s.domains[axis] for axis in axes)):
            pair = tuple(zip(axes, values, strict=True))
            assert possible(pair) == (pair in known)


def test_row_that_is_taken_out_is_missed(tmp_path: Path) -> None:
    expanded(tmp_path, HEAD + EXCLUDE + PAIRWISE)
    run = lambda: CliRunner().invoke(app, ["coverage", "--cases", str(tmp_path)])  # noqa: E731
    assert run().exit_code == 0, run().output
    path = tmp_path / "sweeps" / "tiny.rows"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    result = run()
    assert result.exit_code == 1
    assert "MISSED: " in result.output


def test_impossible_pairs_are_distinguished_from_missed_ones(tmp_path: Path) -> None:
    expanded(tmp_path, HEAD + EXCLUDE + PAIRWISE)
    output = CliRunner().invoke(app, ["coverage", "--cases", str(tmp_path)]).output
    assert "impossible, 1 pair: no bias in three dimensions" in output
    assert "MISSED" not in output


def test_once_has_each_value_in_as_many_rows_as_the_longest_axis(tmp_path: Path) -> None:
    catalog = expanded(tmp_path, EDGES + EXCLUDE + PAIRWISE.replace("pairwise", "once"))
    (found,) = catalog.sweeps
    assert missed(found.sweep, Block(found.sweep.domains, 1), found.rows) == []
    assert len(found.rows) == len(found.sweep.domains["channels"])
    one = next(row for row in found.rows if "c9" in row)
    left = [row for row in found.rows if row != one]
    assert (("channels", "c9"),) in missed(found.sweep, Block(found.sweep.domains, 1), left)


def test_once_reaches_a_value_that_exclusions_leave_one_row(tmp_path: Path) -> None:
    axes = {"a": ("a1", "a2"), **{f"x{n}": (f"x{n}a", f"x{n}b") for n in range(8)}}
    where = [{"a": frozenset({"a2"}), name: frozenset({f"{name}a"})} for name in axes if name != "a"]
    text = "\n".join(
        f"[axis.{axis}]\n" + "".join(f"{value} = {{}}\n" for value in values) for axis, values in axes.items()
    )
    wheres = [", ".join(f"{axis} = {json.dumps(sorted(values))}" for axis, values in one.items()) for one in where]
    rules = "".join(f'[[exclude]]\ndoc = "a rule of a test"\nwhere = {{ {one} }}\n' for one in wheres)
    head = 'section = "a"\nsource = "a"\nseed = 1\n'
    (found,) = expanded(tmp_path, head + text + rules + PAIRWISE.replace("pairwise", "once")).sweeps
    assert ("a2", *(f"x{n}b" for n in range(8))) in found.rows


def test_values_that_no_pair_needs_are_not_all_the_first(tmp_path: Path) -> None:
    (found,) = expanded(tmp_path, EDGES.replace("powers = [2, 3]", "powers = [2, 6]") + PAIRWISE).sweeps
    assert missed(found.sweep, Block(found.sweep.domains, 2), found.rows) == []
    counts = Counter(row[list(found.sweep.axes).index("bias")] for row in found.rows)
    assert min(counts.values()) > len(found.rows) / 4
