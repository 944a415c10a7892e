"""Sweeps expand to what they declare: covered, named, valid. Each fault has its line."""

from __future__ import annotations

import json
import math
import os
import random
from collections import Counter
from itertools import combinations, product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.suite import suite_catalog
from trt_conformance.catalog.catalog import Catalog, load_catalog
from trt_conformance.catalog.edges import UNBOUNDED, numbers_of, ranges
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.catalog.lint.vacuous import is_cheap
from trt_conformance.catalog.source import CaseFileError
from trt_conformance.catalog.sweeps import rows
from trt_conformance.catalog.sweeps.covering import Possible, generate, missed
from trt_conformance.catalog.sweeps.expand import Expanded
from trt_conformance.catalog.sweeps.layer import Layer
from trt_conformance.catalog.sweeps.model import Block, Sweep
from trt_conformance.catalog.sweeps.update import expand_all
from trt_conformance.cli.cases import app
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import DATA_TYPE, PaddingMode
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import layer_output

HEAD = """\
section = "a section"
source = "a source"
seed = 1
[base]
layer = { channels = 2, maps = 3, size = [4, 7, 9], window = [2, 3, 2] }
[usual]
stride = "s1"
[axis.rank]
2d.layer.rank = 2
3d.layer.rank = 3
[axis.stride]
s1 = {}
s2.layer.stride = [2, 2, 2]
[axis.bias]
nobias = {}
bias.layer.bias = true
[axis.precision]
fp32.precision = "fp32"
fp16.precision = "fp16"
int8 = { precision = "int8", weights = "set_input" }
"""
EXCLUDE = """
[[exclude]]
doc = "no bias in three dimensions"
where = { rank = "3d", bias = ["bias"] }
""".replace('"3d"', '["3d"]')
MATRIX = """
[[cover]]
tier = "ci"
how = "matrix"
"""
PAIRWISE = MATRIX.replace("matrix", "pairwise").replace("ci", "smoke")
THREEWAY = MATRIX.replace("matrix", "threeway")


def write(root: Path, text: str, name: str = "tiny") -> Path:
    """The sweep file of a root."""
    path = root / "sweeps" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def expanded(root: Path, text: str) -> Catalog:
    """The catalog of a sweep whose rows are found."""
    write(root, text)
    expand_all(CaseFolder.at(root))
    return load_catalog(CaseFolder.at(root))


def ids(catalog: Catalog) -> list[str]:
    return [case.id for case in catalog.cases]


def faults(root: Path, text: str) -> list[tuple[int, str]]:
    write(root, text)
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(root))
    assert {os.path.relpath(fault.file, root) for fault in caught.value.faults} == {"sweeps/tiny.toml"}
    return [(fault.line, fault.message) for fault in caught.value.faults]


# What a sweep expands to.


def test_matrix_is_every_combination_that_is_not_excluded(tmp_path: Path) -> None:
    found = ids(expanded(tmp_path, HEAD + EXCLUDE + MATRIX))
    names = [
        "_".join([rank, *([stride] if stride != "s1" else []), bias]) + f"-{precision}"
        for rank, stride, bias, precision in product(
            ("2d", "3d"), ("s1", "s2"), ("nobias", "bias"), ("fp32", "fp16", "int8")
        )
        if (rank, bias) != ("3d", "bias")
    ]
    assert found == [f"tiny/{name}" for name in names]
    assert len(found) == 2 * 2 * 2 * 3 - 2 * 3


def test_generated_case_is_an_ordinary_case(tmp_path: Path) -> None:
    catalog = expanded(tmp_path, HEAD + MATRIX)
    (case,) = catalog.select(["tiny/3d_s2_bias-int8"])
    assert case.input.shape == (1, 2, 4, 7, 9)
    assert case.kernel.shape == (3, 2, 2, 3, 2)
    assert case.set == {"stride_nd": (2, 2, 2)}
    assert case.weights == "set_input"
    assert case.exact and case.tier == "ci"
    assert case.quantize is not None and case.bias != "none"
    assert case.location.endswith("tiny.toml:22")
    assert catalog.by_base("tiny/3d_s2_bias")[2] is case


def test_axis_sets_any_field_of_a_case(tmp_path: Path) -> None:
    text = HEAD.replace("nobias = {}", 'nobias = { empty_weights = "np.array([])", errata = ["e1"] }')
    (case,) = expanded(tmp_path, text + MATRIX).select(["tiny/2d_nobias-fp32"])
    assert case.empty_weights == "np.array([])" and case.errata == ("e1",)


def test_tiers_contain_each_other(tmp_path: Path) -> None:
    text = HEAD + PAIRWISE + THREEWAY + MATRIX.replace("ci", "nightly")
    expanded(tmp_path, text)
    smoke, ci, nightly = (
        set(ids(load_catalog(CaseFolder.at(tmp_path), tier=tier))) for tier in ("smoke", "ci", "nightly")
    )
    assert smoke < ci < nightly
    assert len(nightly) == 24


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("tiny/3d_s2_bias-int8", 1),
        ("tiny/3d_s2_bias", 3),
        ("tiny/3d_*-fp16", 4),
        ("sweeps/tiny.toml", 24),
        ("other/*", 0),
    ],
)
def test_only_the_generated_cases_that_match_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, count: int
) -> None:
    every = expanded(tmp_path, HEAD + MATRIX)
    made = []
    make = Expanded.case
    monkeypatch.setattr(Expanded, "case", lambda self, case_id: made.append(case_id) or make(self, case_id))
    catalog = load_catalog(CaseFolder.at(tmp_path), generated=[pattern])
    assert catalog.cases == (every.select([pattern]) if count else ())
    assert len(made) == count
    assert catalog.ids() == every.ids()


def test_each_covers_every_value_separately(tmp_path: Path) -> None:
    cover = PAIRWISE + 'each = ["precision"]\n'
    found = ids(expanded(tmp_path, HEAD + cover))
    for precision in ("fp32", "fp16", "int8"):
        mine = [name.split("/")[1].removesuffix(f"-{precision}") for name in found if name.endswith(precision)]
        pairs = {(("s2" in name), ("_bias" in name)) for name in mine}
        assert len(pairs) == 4


def test_rows_stay_where_a_value_is_added(tmp_path: Path) -> None:
    before = set(ids(expanded(tmp_path, HEAD + PAIRWISE)))
    more = HEAD.replace("[axis.bias]", "s3.layer.stride = [3, 3, 3]\n[axis.bias]")
    after = set(ids(expanded(tmp_path, more + PAIRWISE)))
    assert before < after
    assert all("s3" in name for name in after - before)


def test_ids_stay_where_an_axis_with_a_usual_value_is_added(tmp_path: Path) -> None:
    before = set(ids(expanded(tmp_path, HEAD + PAIRWISE)))
    more = HEAD.replace("[usual]", '[usual]\ndilation = "d1"').replace(
        "[axis.bias]", "[axis.dilation]\nd1 = {}\nd2.layer.dilation = [2, 2, 2]\n[axis.bias]"
    )
    assert before < set(ids(expanded(tmp_path, more + PAIRWISE)))


def test_same_sweep_gives_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert ids(expanded(tmp_path / "a", HEAD + THREEWAY)) == ids(expanded(tmp_path / "b", HEAD + THREEWAY))


# Covering, against plain enumeration.


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


def test_the_suites_own_sweeps_cover_what_they_promise() -> None:
    for tier, most in (("smoke", 99), ("ci", 1400)):
        result = CliRunner().invoke(app, ["coverage", "--tier", tier])
        assert result.exit_code == 0, result.output
        assert 0 < sum(len(found.names(tier)) for found in suite_catalog().sweeps) <= most
    assert sum(len(found.ids) for found in suite_catalog().sweeps) >= 10_000


@pytest.mark.slow
def test_every_case_of_the_suites_sweeps_can_be_made() -> None:
    made = [case.id for case in load_catalog().cases if case.tier is not None]
    assert made == [name for found in suite_catalog().sweeps for name in found.names("nightly")]


REACHING = [found for found in suite_catalog().sweeps if found.sweep.name not in ("layer", "modes")]
SAMPLE = 6


@pytest.mark.parametrize("found", REACHING, ids=lambda found: found.sweep.name)
def test_a_sample_of_each_sweep_for_edges_is_exact_and_shows_every_fault(found: Expanded) -> None:
    names = [name for name in found.names("ci") if is_small(found.case(name))]
    for name in names[:: max(1, len(names) // SAMPLE)][:SAMPLE]:
        case = found.case(name)
        assert [message for _, message in lint_case(case)] == [], name
        assert not case.exact or inexact(case) is None, name


def is_small(case: Case) -> bool:
    return all(is_cheap(case, shape, layer_output(case, shape)) for shape in case.run_shapes)


def test_every_edge_occurs_in_every_precision() -> None:
    for name, axis in (("tails", "channels"), ("strides", "high"), ("dilations", "wide"), ("groups", "groups")):
        found = next(found for found in REACHING if found.sweep.name == name)
        for value in found.sweep.domains[axis]:
            precisions = {found.case(case).precision for case in found.names("nightly") if value in found.ids[case]}
            assert precisions == set(DATA_TYPE), (name, value)


def test_limits_are_exceeded_in_every_precision() -> None:
    found = next(found for found in REACHING if found.sweep.name == "limits")
    beyond: dict[str, set[str]] = {}
    for name in found.names("nightly"):
        case = found.case(name)
        assert case.golden is None
        for number, one in ranges(numbers_of(case)):
            if one == "> 65535":
                beyond.setdefault(number, set()).add(case.precision)
        largest = max(math.prod(shape[-case.spatial_rank :]) for shape in case.run_shapes)
        if largest > 2**22:
            beyond.setdefault("2^22", set()).add(case.precision)
    assert set(beyond) == {*UNBOUNDED, "2^22"}
    assert all(precisions == set(DATA_TYPE) for precisions in beyond.values()), beyond


# Valid by construction.

WORDS = {
    "rank": (1, 2, 3),
    "batch": (1, 3),
    "channels": (6,),
    "maps": (6, 12),
    "groups": (1, 2, 6),
    "group_channels": (None, 1, 3),
    "group_maps": (None, 1, 2),
    "on": ({}, {"W": {"stride": 5, "pre": 2}}, {"H": {"window": 4, "size": 9}, "D": {"dilation": 3, "post": 1}}),
    "tight": (False, True),
    "size": ((1, 1, 1), (3, 5, 7)),
    "window": ((1, 1, 1), (2, 3, 4), (3, 7, 5)),
    "stride": ((1, 1, 1), (2, 3, 1), (4, 4, 9)),
    "dilation": ((1, 1, 1), (2, 3, 1)),
    "pre": ((0, 0, 0), (1, 2, 0), "half", "full"),
    "post": ((0, 0, 0), (3, 0, 1), "half", "full"),
    "mode": PaddingMode.__args__,  # type: ignore[attr-defined]
    "data": ("exact", "uniform"),
    "bias": (False, True),
    "quantize": ("tensor", "channel"),
    "quantize_output": (False, True),
    "scales": ("repeating", "mixed"),
    "dynamic": ("none", "batch", "height", "width", "spatial", "all", "wide"),
    "order": ("none", "up", "down"),
}


@pytest.mark.parametrize("precision", DATA_TYPE)
def test_any_words_make_a_valid_exact_case(precision: str) -> None:
    rng = random.Random(precision)
    for number in range(60):
        words = {name: rng.choice(values) for name, values in WORDS.items()}
        fields = Layer.model_validate(words).fields(precision, number)  # type: ignore[arg-type]
        case = Case.model_validate(
            {
                **fields,
                "id": f"any/any-{precision}",
                "name": "any",
                "file": "any",
                "line": 1,
                "section": "any",
                "doc": "any words at all",
                "source": "any",
                "precision": precision,
                "weights": "set_input",
            }
        )
        problems = [message for _, message in lint_case(case.model_copy(update={"exact": False}))]
        assert [message for message in problems if not message.startswith("a wrong convolution could pass")] == [], (
            words
        )
        assert words["data"] == "uniform" or inexact(case) is None, words
        assert reference(case).output.size


def test_size_grows_until_the_window_fits() -> None:
    fields = Layer(window=(1, 31, 3), dilation=(1, 1, 2), size=(1, 7, 11)).fields("fp32", 1)
    assert fields["input"]["shape"] == (1, 1, 31, 11)


def test_one_axis_has_settings_of_its_own() -> None:
    words = {"size": [3, 40, 50], "stride": [2, 2, 2], "on": {"W": {"stride": 16, "pre": 3}, "H": {"size": 1}}}
    fields = Layer.model_validate({"rank": 3, "window": [3, 3, 3], **words}).fields("fp32", 1)
    assert fields["input"]["shape"] == (1, 1, 3, 3, 50), "a height of 1 grows until the window fits"
    assert fields["set"] == {"stride_nd": (2, 2, 16), "pre_padding": (0, 0, 3), "post_padding": (0, 0, 0)}


def test_settings_of_one_axis_add_up_over_the_axes_of_a_sweep(tmp_path: Path) -> None:
    text = HEAD.replace("s2.layer.stride = [2, 2, 2]", "s2.layer.on.W.stride = 2")
    text = text.replace("bias.layer.bias = true", "bias.layer = { bias = true, on.W.dilation = 3, on.H.stride = 3 }")
    (case,) = expanded(tmp_path, text + MATRIX).select(["tiny/2d_s2_bias-fp32"])
    assert case.attributes.stride == (3, 2) and case.attributes.dilation == (1, 3)


def test_size_below_the_stride_needs_tight() -> None:
    words = {"size": [1, 4, 5], "stride": [1, 16, 9], "window": [1, 2, 2]}
    assert Layer.model_validate(words).fields("fp32", 1)["input"]["shape"] == (1, 1, 16, 9)
    assert Layer.model_validate({**words, "tight": True}).fields("fp32", 1)["input"]["shape"] == (1, 1, 4, 5)


@pytest.mark.parametrize(("free", "place"), [("batch", 0), ("depth", 2), ("height", 3), ("width", 4)])
def test_one_run_time_dimension_alone_changes_in_both_directions(free: str, place: int) -> None:
    words = {"rank": 3, "batch": 2, "size": [4, 5, 6], "window": [2, 2, 2], "dynamic": free}
    runs = {}
    for order in ("up", "down"):
        dynamic = Layer.model_validate({**words, "order": order}).fields("fp32", 1)["dynamic"]
        assert [n for n, size in enumerate(dynamic["shape"]) if size == -1] == [place]
        runs[order] = [shape[place] for shape in dynamic["run"]]
        assert len({shape[:place] + shape[place + 1 :] for shape in dynamic["run"]}) == 1
    assert runs["up"] == sorted(set(runs["up"])) and runs["down"] == runs["up"][::-1] and len(runs["up"]) == 3


def test_no_layer_of_two_dimensions_has_a_dynamic_depth() -> None:
    with pytest.raises(ConformanceError, match="has no depth"):
        Layer(dynamic="depth").fields("fp32", 1)


def test_mixed_scales_repeat_with_no_short_period() -> None:
    words = {"maps": 64, "quantize": "channel", "scales": "mixed"}
    for data in ("exact", "uniform"):
        scales = Layer.model_validate({**words, "data": data}).fields("int8", 1)["quantize"]["kernel"]
        assert len(scales) == 64 and scales[0] != 1
        for period in range(1, 33):
            assert scales[period:] != scales[:-period], period
    repeating = Layer.model_validate({**words, "scales": "repeating"}).fields("int8", 1)["quantize"]["kernel"]
    assert repeating[4:] == repeating[:-4]


# Values by rule.

EDGES = HEAD.replace(
    "[axis.bias]",
    """[axis.channels.edges]
setting = "channels"
prefix = "c"
powers = [2, 3]
also = [6, 8]
[axis.bias]""",
)


def test_rule_states_the_values_beside_powers_of_two(tmp_path: Path) -> None:
    sweep = expanded(tmp_path, EDGES + MATRIX).sweeps[0].sweep
    assert sweep.domains["channels"] == ("c6", "c8", "c3", "c4", "c5", "c7", "c9")
    (case,) = load_catalog(CaseFolder.at(tmp_path)).select(["tiny/2d_c9_bias-fp32"])
    assert case.input.shape[1] == 9


def test_rules_of_one_axis_add_up(tmp_path: Path) -> None:
    rule = """[[axis.place.edges]]
setting = "W.stride"
prefix = "w"
also = [5]
[[axis.place.edges]]
setting = "D.stride"
prefix = "d"
also = [4]
beside.layer.rank = 3
"""
    catalog = expanded(tmp_path, HEAD.replace("[axis.bias]", rule + "[axis.bias]") + MATRIX)
    assert catalog.select(["tiny/2d_w5_bias-fp32"])[0].attributes.stride == (1, 5)
    assert catalog.select(["tiny/2d_d4_bias-fp32"])[0].attributes.stride == (4, 1, 1)


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


# Faults. The line that holds `# here` is the one to be named.

FAULTS = {
    "unknown field": (HEAD.replace("nobias = {}", 'nobias.wieghts = "x" # here'), 'did you mean "weights"?'),
    "unknown word": (HEAD.replace("nobias = {}", "nobias.layer.biass = true # here"), 'did you mean "bias"?'),
    "value of a word": (
        HEAD.replace("nobias = {}", "nobias.layer.rank = 4 # here"),
        "unknown value 4; expected one of 1, 2, 3",
    ),
    "attribute": (HEAD.replace("nobias = {}", "nobias.set.strde_nd = [1] # here"), 'did you mean "stride_nd"?'),
    "name of a value": (
        HEAD.replace("nobias = {}", "no_bias = {} # here"),
        "may have only lower-case letters and digits",
    ),
    "same value twice": (HEAD.replace("nobias = {}", "s2 = {} # here"), 'is also a value of axis "stride"'),
    "value is no table": (HEAD.replace("nobias = {}", "nobias = 3 # here"), "expected a table of a case's fields"),
    "axis is no table": ("axis.size = 3 # here\n" + HEAD, "expected a table of values"),
    "usual of no axis": (HEAD.replace('stride = "s1"', 'stride = "s1"\nstrode = "s1" # here'), "unknown axis"),
    "usual of no value": (HEAD.replace('stride = "s1"', 'stride = "s7" # here'), "axis stride has no value"),
    "seed": (HEAD.replace("seed = 1", "seed = -1 # here"), "seed: expected an integer of at least 0"),
    "unknown key": ("fields = 1 # here\n" + HEAD, "unknown key"),
    "excluded axis": (
        HEAD + '[[exclude]]\ndoc = "nothing at all"\nwhere = { rnk = ["2d"] } # here\n',
        'unknown axis "rnk"; did you mean "rank"?',
    ),
    "excluded value": (
        HEAD + '[[exclude]]\ndoc = "nothing at all"\nwhere = { rank = ["4d"] } # here\n',
        "axis rank has no value",
    ),
    "unsatisfiable value": (
        HEAD.replace("3d.layer.rank = 3", "3d.layer.rank = 3 # here")
        + EXCLUDE
        + EXCLUDE.replace('"bias"', '"nobias"').replace("no bias", "all bias"),
        'value "3d": every row with it is excluded',
    ),
    "unsatisfiable cover": (
        HEAD + EXCLUDE + '[[cover]] # here\ntier = "ci"\nhow = "matrix"\nonly = { rank = ["3d"], bias = ["bias"] }\n',
        "every row of this cover with it is excluded",
    ),
    "tier": (HEAD + '[[cover]]\ntier = "weekly" # here\nhow = "matrix"\n', "unknown value"),
    "how": (HEAD + '[[cover]]\ntier = "ci"\nhow = "fourway" # here\n', "unknown value"),
    "setting of a rule": (
        HEAD + '[axis.channels]\nedges = { setting = "chanels", prefix = "c", also = [3] } # here\n',
        'did you mean "channels"?',
    ),
    "axis of a rule": (
        HEAD + '[axis.channels]\nedges = { setting = "X.stride", prefix = "c", also = [3] } # here\n',
        "X",
    ),
    "prefix of a rule": (
        HEAD + '[axis.channels]\nedges = { setting = "channels", prefix = "C_", also = [3] } # here\n',
        "prefix",
    ),
    "number of a rule": (
        HEAD + '[axis.channels]\nedges = { setting = "channels", prefix = "c", also = [0] } # here\n',
        "at least 1",
    ),
    "value that a rule has, too": (
        HEAD + '[axis.channels]\nedges = { setting = "channels", prefix = "c", also = [3] }\nc3 = {} # here\n',
        "the axis also has it by rule",
    ),
    "each of no axis": (HEAD + PAIRWISE + 'each = ["rnk"] # here\n', 'did you mean "rank"?'),
    "each of a matrix": (HEAD + MATRIX + 'each = ["rank"] # here\n', "a matrix has every combination anyway"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_has_its_line_and_reason(kind: str, tmp_path: Path) -> None:
    text, message = FAULTS[kind]
    text += "" if "[[cover]]" in text else MATRIX
    line = next(number for number, line in enumerate(text.splitlines(), start=1) if "# here" in line)
    found = faults(tmp_path, text)
    assert any(at == line and message in said for at, said in found), found


def test_no_covers(tmp_path: Path) -> None:
    assert faults(tmp_path, HEAD) == [(1, "has no covers: expected at least one [[cover]]")]


def test_one_axis_is_none(tmp_path: Path) -> None:
    text = 'section = "a"\nsource = "b"\nseed = 1\n[axis.rank]\n2d = {}\n' + MATRIX
    assert faults(tmp_path, text) == [(4, "axis: expected at least two tables [axis.NAME] of values")]


def test_threeway_of_two_axes(tmp_path: Path) -> None:
    text = 'section = "a"\nsource = "b"\nseed = 1\n[axis.rank]\n2d = {}\n[axis.bias]\nbias = {}\n' + THREEWAY
    assert faults(tmp_path, text) == [(11, "how: threeway needs 3 axes, but there are 2")]


def test_rows_that_were_never_found(tmp_path: Path) -> None:
    ((line, message),) = faults(tmp_path, HEAD + PAIRWISE)
    assert (line, message.split(":")[0]) == (1, "has no rows yet")
    assert f"`trt-conformance cases expand --cases {tmp_path}`" in message


def test_rows_of_another_declaration(tmp_path: Path) -> None:
    expanded(tmp_path, HEAD + PAIRWISE)
    ((_, message),) = faults(tmp_path, HEAD + EXCLUDE + PAIRWISE)
    assert message.startswith("changed since its rows were written")


def test_rows_that_cannot_be_read(tmp_path: Path) -> None:
    expanded(tmp_path, HEAD + PAIRWISE)
    (tmp_path / "sweeps" / "tiny.rows").write_bytes(b"\xff\n")
    ((_, message),) = faults(tmp_path, HEAD + PAIRWISE)
    assert "tiny.rows is not UTF-8" in message


def test_name_of_another_case_file(tmp_path: Path) -> None:
    write(tmp_path, HEAD + MATRIX)
    other = tmp_path / "tiny.toml"
    other.write_text(
        'section = "a"\nsource = "b"\n[[case]]\nid = "plain"\ndoc = "a case by hand"\n'
        'input = { shape = [1, 1, 6, 9], fill = "tiled_1_to_9" }\n'
        'kernel = { shape = [1, 1, 3, 3], fill = "powers_of_ten" }\n',
        encoding="utf-8",
    )
    with pytest.raises(CaseFileError, match="case ids would be ambiguous"):
        load_catalog(CaseFolder.at(tmp_path))


def test_two_rows_of_one_id(tmp_path: Path) -> None:
    text = HEAD.replace('stride = "s1"', 'stride = "s1"\nbias = "nobias"')
    text = text.replace("nobias = {}", "nobias = {}\nfp16 = {}").replace("fp16.precision", "half.precision")
    ((_, message),) = faults(tmp_path, text + MATRIX)
    assert "rows have the id of another row" in message


def test_matrix_that_is_far_too_large(tmp_path: Path) -> None:
    many = "".join(f"[axis.a{a}]\n" + "".join(f"a{a}x{v} = {{}}\n" for v in range(20)) for a in range(4))
    ((line, message),) = faults(tmp_path, HEAD + many + MATRIX)
    assert "combinations of all axes, but at most 100000 are allowed" in message
    assert line == (HEAD + many + MATRIX).splitlines().index("[[cover]]") + 1


def test_combination_that_is_no_case(tmp_path: Path) -> None:
    text = HEAD.replace("bias.layer.bias = true", "bias.layer.bias = true\nx" + "y" * 90 + " = {}")
    found = faults(tmp_path, text + MATRIX)
    assert found and all("is not a valid case: name:" in message for _, message in found)


def test_stored_line_that_is_not_a_row_is_left_out(tmp_path: Path) -> None:
    catalog = expanded(tmp_path, HEAD + PAIRWISE)
    declared = catalog.sweeps[0].sweep
    assert rows.row_of(declared, "2d_s2_bias_fp32") == ("2d", "s2", "bias", "fp32")
    assert rows.row_of(declared, "2d_bias_fp32") == ("2d", "s1", "bias", "fp32")
    for wrong in ("2d_s2_fp32", "2d_3d_bias_fp32", "2d_s9_bias_fp32", ""):
        assert rows.row_of(declared, wrong) is None
