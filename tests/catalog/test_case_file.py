"""An entry becomes cases under its file's defaults; a wrong key or value has its line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_text import CASE, CLAIMS, DYNAMIC, HEADER, case, check_fault, faults, loaded, write


def test_entry_becomes_a_case_under_its_defaults(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, CASE).cases
    assert found.id == "one/plain-fp32"
    assert (found.name, found.base_id, found.section, found.source) == ("plain", "one/plain", "a section", "a source")
    assert found.location == f"{tmp_path}/one.toml:7"
    assert found.kernel.fill == "powers_of_ten"


def test_precisions_expand_in_the_order_written(tmp_path: Path) -> None:
    catalog = loaded(tmp_path, case("a", 'precision = ["fp16", "fp32"]') + case("b", 'precision = "bf16"'))
    assert [found.id for found in catalog.cases] == ["one/a-fp16", "one/a-fp32", "one/b-bf16"]
    assert [found.precision for found in catalog.by_base("one/a")] == ["fp16", "fp32"]
    assert catalog.by_base("one/c") == ()


def test_defaults_merge_table_by_table(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, case("a", "input.seed = 7", "kernel.shape = [1, 1, 2, 3]")).cases
    assert (found.input.shape, found.input.fill, found.input.seed) == ((1, 1, 6, 9), "tiled_1_to_9", 7)
    assert (found.kernel.shape, found.kernel.fill) == ((1, 1, 2, 3), "powers_of_ten")


def test_values_take_the_place_of_a_default_fill_and_a_fill_that_of_default_values(tmp_path: Path) -> None:
    defaults = "bias = { values = [3] }\n"
    catalog = loaded(
        tmp_path, defaults + case("a", "kernel.shape = [1, 1, 1, 1]", "kernel.values = [2]", 'bias.fill = "ones"')
    )
    (found,) = catalog.cases
    assert (found.kernel.fill, found.kernel.values) == (None, (2,))
    assert found.bias != "none"
    assert (found.bias.fill, found.bias.values) == ("ones", None)


def test_bias_none_replaces_a_default_table(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, 'bias = { fill = "ones" }\n' + case("a", 'bias = "none"')).cases
    assert found.bias == "none"


def test_assignments_keep_their_order_with_defaults_first(tmp_path: Path) -> None:
    text = "set.padding_nd = [1, 1]\nset.post_padding = [0, 0]\n" + case(
        "a", "set.stride_nd = [2, 2]", "set.padding_nd = [2, 2]"
    )
    (found,) = loaded(tmp_path, text).cases
    assert list(found.set.items()) == [("post_padding", (0, 0)), ("stride_nd", (2, 2)), ("padding_nd", (2, 2))]
    assert found.attributes.post == (2, 2), "what the case writes again comes last"


def test_source_of_the_file_is_for_cases_without_claims(tmp_path: Path) -> None:
    write(tmp_path, claims=CLAIMS)
    catalog = loaded(
        tmp_path, case("a", 'claims = ["stride_nd.h2_w2"]') + case("b") + case("c", 'source = "its own source"')
    )
    assert [found.source for found in catalog.cases] == [None, "a source", "its own source"]


def test_refused_case_need_be_no_convolution(tmp_path: Path) -> None:
    reject = 'reject = { phase = "network", error = "some error", neighbor = "one/good" }'
    text = (
        case("good")
        + case("rank", reject, "kernel.shape = [1, 1, 3]")
        + case("large", reject, "kernel.shape = [1, 1, 7, 7]")
        + case("count", reject, "kernel.values = [1, 2]")
        + case("stride", reject, "set.stride_nd = [0, 2, 2]")
        + case("constant", reject, 'kernel.fill = "zeros"')
    )
    assert len(loaded(tmp_path, text).cases) == 6


def test_dynamic_case_is_accepted(tmp_path: Path) -> None:
    text = case("a", "expect.shape = [1, 1, 4, 7]", DYNAMIC)
    (found,) = loaded(tmp_path, text).cases
    assert found.run_shapes == ((1, 1, 3, 9), (1, 1, 6, 9))


def test_canceling_sums_are_accepted_where_a_relation_checks_them(tmp_path: Path) -> None:
    relation = 'relations = [{ kind = "channel_sum", to = "one/plain" }]'
    assert loaded(tmp_path, CASE + case("a", 'kernel.fill = "zeros"', relation)).cases


# Faults.

BAD: dict[str, tuple[list[str], str]] = {
    "unknown key": (["strides = [2, 2]  # here"], 'unknown key "strides"'),
    "unknown key with a near one": (["expects.shape = [1]  # here"], 'unknown key "expects"; did you mean "expect"?'),
    "key that the loader fills": (["line = 3  # here"], 'unknown key "line"'),
    "unknown key of a tensor": (["input.fil = 1  # here"], 'unknown key in input: "fil"; did you mean "fill"?'),
    "unknown key of a relation": (
        ["relations = [", '  { kind = "units_digit" },', '  { kind = "units_digit", too = "x/y" },  # here', "]"],
        'unknown key in relations[1]: "too"; did you mean "to"?',
    ),
    "unknown key of an expectation": (
        ["[case.expect.attributes]", "stride = [1, 1]  # here"],
        'unknown key in expect.attributes: "stride"; did you mean "stride_nd"?',
    ),
    "key of another form": (
        ['distinguishes = { "A B" = 1.0 }  # here'],
        'a key of distinguishes: may have only lower-case letters, digits and underscores, got "A B"',
    ),
    "unknown key of bias": (['bias = { fil = "ones" }  # here'], 'unknown key in bias: "fil"; did you mean "fill"?'),
    "name given by number": (["id = 3  # here"], "id: expected a string, got 3"),
    "name in capitals": (
        ['id = "H2"  # here'],
        'id: may have only lower-case letters, digits and underscores, and no underscore at the beginning, got "H2"',
    ),
    "stored file elsewhere": (
        [f'kernel.stored = {{ file = "../w.npy", sha256 = "{"0" * 64}" }}  # here'],
        "kernel.stored.file: expected the path of a .npy file below the case file's folder, of letters, digits and "
        '_ . - /, got "../w.npy"',
    ),
    "hash of another form": (
        ['kernel.stored = { file = "w.npy", sha256 = "ABC" }  # here'],
        'kernel.stored.sha256: expected a SHA-256, 64 hexadecimal digits in lower case, got "ABC"',
    ),
    "short doc": (['doc = "short"  # here'], "doc: needs at least 8 characters, got 5"),
    "long doc": ([f'doc = "{"x" * 161}"  # here'], "doc: needs at most 160 characters, got 161"),
    "shape of text": (['input.shape = [1, 1, "6", 9]  # here'], 'input.shape[2]: expected an integer, got "6"'),
    "shape of fractions": (["input.shape = [1, 1, 6.0, 9]  # here"], "input.shape[2]: expected an integer, got 6.0"),
    "shape of booleans": (["input.shape = [1, true, 6, 9]  # here"], "input.shape[1]: expected an integer, got true"),
    "shape that is a number": (["input.shape = 6  # here"], "input.shape: expected an array, got 6"),
    "empty shape": (["input.shape = []  # here"], "input.shape: needs at least 1 value, got 0"),
    "negative size": (["input.shape = [1, 1, -6, 9]  # here"], "input.shape[2]: must be at least 0, got -6"),
    "tensor that is no table": (["input = 3  # here"], "input: expected a table, got 3"),
    "values of text": (['kernel.values = ["1"]  # here'], 'kernel.values[0]: expected a number, got "1"'),
    "date": (["doc = 1979-05-27  # here"], 'doc: expected a string, got "1979-05-27"'),
    "bias of another word": (['bias = "nome"  # here'], 'bias: expected "none" or a table with fill or values'),
    "set that is no table": (["set = [2, 2]  # here"], "set: expected a table, got [2, 2]"),
    "unknown attribute": (
        ["set.stride_dn = [2, 2]  # here"],
        'unknown attribute in set: "stride_dn"; did you mean "stride_nd"?',
    ),
    "stride that is a number": (
        ["set.stride_nd = 2  # here"],
        "set.stride_nd: expected an array of integers, one per axis",
    ),
    "stride of fractions": (["set.stride_nd = [2, 2.5]  # here"], "set.stride_nd: expected an array of integers"),
    "empty stride": (["set.stride_nd = []  # here"], "set.stride_nd: expected an array of integers"),
    "groups that are an array": (["set.num_groups = [1]  # here"], "set.num_groups: expected an integer, got [1]"),
    "unknown mode": (
        ['set.padding_mode = "SAME_UPER"  # here'],
        'set.padding_mode: unknown mode "SAME_UPER"; did you mean "SAME_UPPER"?',
    ),
    "mode that is a number": (["set.padding_mode = 2  # here"], "set.padding_mode: unknown mode 2; expected one of"),
    "unknown fill": (['kernel.fill = "zero"  # here'], 'kernel.fill: unknown value "zero"; did you mean "zeros"?'),
    "unknown fill far from any": (
        ['kernel.fill = "qqq"  # here'],
        'unknown value "qqq"; expected one of tiled_1_to_9,',
    ),
    "unknown precision": (['precision = "fp31"  # here'], 'precision: unknown value "fp31"; did you mean "fp32"?'),
    "unknown precision of a list": (
        ['precision = ["fp32", "f16"]  # here'],
        'unknown value "f16"; did you mean "fp16"?',
    ),
    "no precision": (["precision = []  # here"], "precision: expected at least one"),
    "precision twice": (['precision = ["fp32", "fp32"]  # here'], "precision: a value is listed twice"),
    "precision of another type": (["precision = 16  # here"], "precision: unknown value 16"),
    "unknown relation": (
        ['relations = [{ kind = "equals", to = "one/plain" }]  # here'],
        'relations[0].kind: unknown value "equals"; did you mean "equal"?',
    ),
    "claims that are text": (['claims = "stride_nd.h2_w2"  # here'], "claims: expected an array"),
    "claim that does not exist": (
        ["claims = [  # not here", '  "stride_nd.h2_w3",  # here', "]"],
        'claim "stride_nd.h2_w3" is not in claims.toml; did you mean "stride_nd.h2_w2"?',
    ),
    "claim of no form": (['claims = ["Stride"]  # here'], 'claim "Stride" is not in claims.toml'),
}


@pytest.mark.parametrize("kind", BAD)
def test_fault_of_an_entry_has_its_line_and_reason(kind: str, tmp_path: Path) -> None:
    check_fault(*BAD[kind], tmp_path)


def test_fault_of_the_defaults_is_named_once_and_there(tmp_path: Path) -> None:
    header = HEADER.replace("powers_of_ten", "power_of_ten")
    write(tmp_path, one=header + case("a", 'precision = ["fp32", "fp16"]') + case("b"))
    assert faults(tmp_path) == [
        ("one.toml", 5, 'kernel.fill: unknown value "power_of_ten"; did you mean "powers_of_ten"?')
    ]


def test_fault_of_a_list_of_precisions_is_named_once(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + case("a", 'precision = ["fp32", "fp16", "bf16"]', "set.stride_nd = [1]"))
    assert len(faults(tmp_path)) == 1


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ('[defaults]\nsource = "x"\n', 1, '"section" is missing'),
        ("section = 3\n", 1, "section: expected a non-empty string, got 3"),
        ('section = ""\n', 1, "section: expected a non-empty string"),
        ('section = "s"\nsauce = "x"\n', 2, 'unknown key "sauce"; did you mean "source"?'),
        ('section = "s"\nsource = 3\n', 2, "source: expected a non-empty string, got 3"),
        ('section = "s"\ndefaults = 3\n', 2, "defaults: expected a table, got 3"),
        (
            'section = "s"\n[defaults]\nprecison = "x"\n',
            3,
            'unknown key in defaults: "precison"; did you mean "precision"?',
        ),
        ('section = "s"\n[defaults]\ndoc = "x"\n', 3, '"doc" must be set in each case, not in [defaults]'),
        ('section = "s"\n[defaults]\nclaims = []\n', 3, '"claims" must be set in each case, not in [defaults]'),
    ],
)
def test_fault_around_the_cases(header: str, line: int, message: str, tmp_path: Path) -> None:
    write(tmp_path, one=header + CASE)
    found = faults(tmp_path)
    assert any(fault[1] == line and message in fault[2] for fault in found), found


@pytest.mark.parametrize("stem", ["With Space", "Upper", "a-b", "a[1]", "größe"])
def test_file_name_that_cannot_be_part_of_an_id(stem: str, tmp_path: Path) -> None:
    write(tmp_path, **{stem: HEADER + CASE})
    (fault,) = faults(tmp_path)
    assert fault[1] == 1
    assert "may have only lower-case letters, digits and underscores" in fault[2]


@pytest.mark.parametrize("missing", ["id", "doc"])
def test_missing_key_is_a_fault_of_the_case(missing: str, tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + "".join(line for line in CASE.splitlines(True) if not line.startswith(missing)))
    assert faults(tmp_path) == [("one.toml", 7, f'"{missing}" is missing')]


def test_wrong_element_is_no_missing_one(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + case("a", 'input.shape = ["1"]'))
    assert faults(tmp_path) == [("one.toml", 10, 'input.shape[0]: expected an integer, got "1"')]


def test_missing_tensor_is_a_fault_of_the_case(tmp_path: Path) -> None:
    write(tmp_path, one='section = "s"\nsource = "x"\n' + CASE + 'input.fill = "ones"\n')
    assert faults(tmp_path) == [("one.toml", 4, '"kernel" is missing'), ("one.toml", 7, '"shape" is missing in input')]
