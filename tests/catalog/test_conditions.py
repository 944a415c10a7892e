"""An expectation may say which cases differ by what they are. A condition that means nothing is a fault of its line."""

import json
import re
from dataclasses import replace

import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.catalog.conditions import PROPERTIES, Where
from trt_conformance.catalog.expectations import Expectation, Expectations, read_expectations
from trt_conformance.core.paths import CASES, ROOT
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.record.record import read_record

QUANTIZE = {"input": 0.5, "kernel": [0.25], "output": 1.0}
GROUPS = {
    "id": "layers/groups",
    "precision": "int8",
    "quantize": QUANTIZE,
    "input": {"shape": [1, 8, 6, 9], "fill": "int8_full_range"},
    "kernel": {"shape": [12, 2, 3, 3], "fill": "int8_full_range"},
    "set": {"num_groups": 4, "stride_nd": [1, 2]},
}


def holds(condition, **fields):
    return Where.model_validate(condition).holds(make_case(**(GROUPS | fields)))


@pytest.mark.parametrize(
    "condition",
    [
        {"precision": "int8"},
        {"precision": ["fp8", "int8"]},
        {"channels_per_group": 2},
        {"channels_per_group": "< 4"},
        {"channels_per_group": "<=2"},
        {"channels_per_group": ">= 2, < 3"},
        {"channels_per_group": [7, "!= 5"]},
        {"maps_per_group": 3, "num_groups": "> 1", "channels": 8, "num_output_maps": 12, "batch": 1},
        {"stride": 2},
        {"stride": 1},
        {"quantized_output": True, "io_quantization": False},
        {"quantized_operands": "both"},
        {"quantized_operands": ["input", "both"]},
        {"largest_tensor": 432},
        {"format": "LINEAR"},
        {"spatial_rank": 2, "dilation": 1, "padding": 0, "kernel_size": 3},
    ],
)
def test_a_condition_holds_if_every_key_does(condition):
    assert holds(condition)


@pytest.mark.parametrize(
    "condition",
    [
        {"precision": "fp16"},
        {"channels_per_group": "< 2"},
        {"channels_per_group": "> 0, < 2"},
        {"channels_per_group": [3, "> 5"]},
        {"precision": "int8", "channels_per_group": 4},
        {"stride": 3},
        {"quantized_output": False},
        {"quantized_operands": ["input", "kernel"]},
        {"io_quantization": True},
        {"dynamic": ["batch", "channels", "spatial"]},
        {"format": "CHW16"},
        {"epilogue": "relu"},
        {"misuse": "misaligned"},
        {"constraint": "window_fits"},
    ],
)
def test_a_condition_does_not_hold_if_one_key_does_not(condition):
    assert not holds(condition)


def test_dimensions_that_are_known_at_run_time_only_are_named():
    shapes = {name: [1, 8, 6, 9] for name in ("min", "opt", "max")} | {"run": [[1, 8, 6, 9]]}
    dynamic = {"shape": [-1, 8, 6, -1], **shapes}
    assert holds({"dynamic": "batch"}, dynamic=dynamic)
    assert holds({"dynamic": "spatial"}, dynamic=dynamic)
    assert not holds({"dynamic": "channels"}, dynamic=dynamic)


def test_every_key_has_a_property_that_every_case_of_the_suite_has():
    assert set(PROPERTIES) == set(Where.model_fields)
    for case in suite_catalog().cases:
        for name, values in PROPERTIES.items():
            assert isinstance(list(values(case)), list), (name, case.id)


def test_the_docs_list_every_key():
    text = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.*?) \|", text[text.index("| keys | values |") :], re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(Where.model_fields)


KNOWN = {
    "id": "groups_not_built",
    "cause": "unsupported",
    "doc": "small groups are not built",
    "targets": ["tensorrt-*"],
    "checks": ["build"],
    "phase": "build",
    "difference": "no implementation",
}


def verdict(case, status="fail"):
    about = {"location": "a:1", "claims": (), "figures": {}, "known": "", "check": "build"}
    return Verdict(case, "tensorrt-8.6.1-sm90", "build", status, message="no implementation", **about)


def applied(case, status="fail", **fields):
    entry = Expectation.model_validate(KNOWN | fields)
    found = Expectations([entry], {case.id: case}.get).apply(verdict(case.id, status))
    return found.status, found.known


def test_a_case_of_anybodys_meets_a_known_difference_by_condition():
    own, other = make_case(**GROUPS), make_case(**GROUPS | {"quantize": {"input": 0.5, "kernel": [0.25]}})
    where = {"precision": "int8", "quantized_output": True, "channels_per_group": "< 4"}
    assert applied(own, where=where) == ("fail", KNOWN["id"])
    assert applied(other, where=where) == ("fail", "")
    assert applied(own, where=[{"precision": "fp16"}, where]) == ("fail", KNOWN["id"])


def test_a_condition_alone_says_what_always_differs():
    case = make_case(**GROUPS)
    assert applied(case, "pass", where={"precision": "int8"}) == ("fail", "")
    assert applied(case, "pass", where={"precision": "int8"}, also=["*"]) == ("pass", "")
    assert applied(case, "pass", where={"precision": "fp16"}) == ("pass", "")


def test_a_condition_narrows_the_patterns():
    case = make_case(**GROUPS)
    assert applied(case, where={"precision": "int8"}, cases=["elsewhere/*"], also=["layers/*"])[1] == KNOWN["id"]
    assert applied(case, where={"precision": "int8"}, cases=["elsewhere/*"])[1] == ""
    assert applied(case, where={"precision": "fp16"}, cases=["layers/*"])[1] == ""


def test_no_condition_holds_for_what_has_no_case():
    entry = Expectation.model_validate(KNOWN | {"where": {"precision": "int8"}})
    assert Expectations([entry]).apply(verdict("padding/2d_same_upper")).known == ""


def test_what_always_differs_goes_before_what_may():
    case = make_case(**GROUPS)
    general = Expectation.model_validate(KNOWN | {"where": {"precision": "int8"}, "also": ["*"]})
    special = Expectation.model_validate(KNOWN | {"id": "these_groups", "cases": ["layers/*"]})
    assert Expectations([general, special], {case.id: case}.get).apply(verdict(case.id)).known == "these_groups"


def lint(folder, *lines, **changed):
    """The faults of a file with one expectation, which ends in these lines."""
    fields = {key: value for key, value in (KNOWN | changed).items() if value is not None}
    text = ["[[expectation]]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items()), *lines]
    (folder / "known.toml").write_text("\n".join(text))
    case = make_case(**GROUPS)
    faults = read_expectations(folder, [case.id], [case])[1]
    return len(text) - len(lines), [str(fault).partition("known.toml:")[2] for fault in faults]


@pytest.mark.parametrize(
    ("lines", "after", "message"),
    [
        (['where = { precisions = "int8" }'], 1, 'unknown key in where: "precisions"; did you mean "precision"?'),
        (['where = { precision = "int9" }'], 1, 'where.precision: unknown value "int9"; did you mean "int8"?'),
        (
            ["where = [", '  { precision = "int8" },', '  { channels_per_group = "fewer than 4" },', "]"],
            3,
            'where[1].channels_per_group: expected an integer, or comparisons like "< 4" or ">= 2, < 8", got "fewer',
        ),
        (["where = { channels = true }"], 1, 'where.channels: expected an integer, or comparisons like "< 4" or'),
        (["where = { channels = [] }"], 1, "where.channels: needs at least 1 value, got 0"),
        (["where = { quantized_output = 1 }"], 1, "where.quantized_output: expected true or false, got 1"),
        (['where = "int8"'], 1, 'where: expected a table, got "int8"'),
        (['where = { precision = "fp16" }'], 1, "where: matches no case"),
        (['where = { precision = "int8" }', 'also = ["no/such"]'], 2, 'also: "no/such" matches no case'),
        ([], 0, '"cases" or "where" is required: it says which cases differ'),
    ],
)
def test_a_malformed_condition_is_a_fault_with_its_line(lines, after, message, tmp_path):
    before, faults = lint(tmp_path, *lines)
    assert faults
    assert faults[0].startswith(f"{before + after if lines else 1}: {message}"), faults


def test_a_pattern_of_which_no_case_meets_the_condition_is_a_fault(tmp_path):
    case, other = make_case(**GROUPS), make_case(id="layers/other")
    lint(tmp_path, 'where = { precision = "int8" }', 'cases = ["layers/groups-int8", "layers/other-*"]')
    faults = read_expectations(tmp_path, [case.id, other.id], [case, other])[1]
    assert [fault.message for fault in faults] == ['cases: `where` matches no case of "layers/other-*"']


def test_the_suites_conditions_know_what_the_lists_of_ids_knew():
    """Every verdict of the published runs of TensorRT 8.6 is known, or not, as it was recorded then."""
    entries, _ = read_expectations(CASES / "expectations", None)
    expectations = Expectations(entries, suite_catalog().find)
    known = 0
    for name in ("documented", "suite", "sweeps-ci"):
        folder = ROOT / "reports" / "published" / f"2026-11-23-tensorrt-8.6.1-h200-{name}"
        for recorded in read_record(folder / "record.jsonl.gz").verdicts:
            found = expectations.apply(replace(recorded, known=""))
            assert (found.status, found.known) == (recorded.status, recorded.known), recorded.case
            known += bool(found.known)
    assert known > 100
