"""Case files are read, merged and expanded; every fault in them is named with file, line and reason."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.suite import suite_catalog
from tests.support.work import calls_in
from trt_conformance.catalog.catalog import CaseFileError, Catalog, Fault, load_catalog
from trt_conformance.catalog.claims import Claim
from trt_conformance.core.attributes import ATTRIBUTE_FIELDS
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError

HEADER = """\
section = "a section"
source = "a source"
[defaults]
input = { shape = [1, 1, 6, 9], fill = "tiled_1_to_9" }
kernel = { shape = [1, 1, 3, 3], fill = "powers_of_ten" }
"""
CASE = """
[[case]]
id = "plain"
doc = "convolves without any attribute"
"""
CLAIMS = """\
[[claim]]
id = "stride_nd.h2_w2"
section = "stride_nd"
statement = "Stride 2 halves H and W."
"""
JARGON = re.compile(
    r"pydantic|input should|valid (tuple|dictionary|string|integer)|Traceback|literal|\[key\]", re.IGNORECASE
)


def write(root: Path, **files: str) -> Path:
    """Case files by stem; ``a__b`` is ``a/b.toml``."""
    for name, text in files.items():
        path = root / (name.replace("__", "/") + ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def case(name: str = "other", *lines: str, doc: str | None = None) -> str:
    return "\n".join(["", "[[case]]", f'id = "{name}"', f'doc = "{doc or f"the case called {name}"}"', *lines, ""])


def faults(root: Path) -> list[tuple[str, int, str]]:
    """(file relative to root, line, message) of every fault."""
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(root))
    assert not JARGON.search(str(caught.value)), caught.value
    return [(os.path.relpath(fault.file, root), fault.line, fault.message) for fault in caught.value.faults]


def loaded(root: Path, text: str) -> Catalog:
    return load_catalog(CaseFolder.at(write(root, one=HEADER + text)))


# Loading.


def test_entry_becomes_a_case_under_its_defaults(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, CASE).cases
    assert found.id == "one/plain-fp32"
    assert (found.name, found.base_id, found.section, found.source) == ("plain", "one/plain", "a section", "a source")
    assert found.location == f"{tmp_path}/one.toml:7"
    assert found.kernel.fill == "powers_of_ten"


def test_file_is_named_from_the_root_of_the_checkout() -> None:
    assert {found.file.partition("/")[0] for found in suite_catalog().cases} == {"cases"}


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


def test_claims_and_expectations_are_no_case_files(tmp_path: Path) -> None:
    write(tmp_path, expectations__known="anything = 1\n", claims=CLAIMS.replace("h2_w2", "other"))
    write(tmp_path, deep__down__two=HEADER + case("a", 'claims = ["stride_nd.other"]'))
    catalog = load_catalog(CaseFolder.at(tmp_path))
    assert [found.id for found in catalog.cases] == ["two/a-fp32"]
    assert catalog.claims["stride_nd.other"].statement == "Stride 2 halves H and W."


def test_select_matches_id_base_id_and_file(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + case("a", 'precision = ["fp32", "fp16"]') + case("b"), two=HEADER + case("c"))
    catalog = load_catalog(CaseFolder.at(tmp_path))

    def ids(*globs: str) -> list[str]:
        return [found.id for found in catalog.select(globs)]

    assert ids("*-fp16") == ["one/a-fp16"]
    assert ids("one/a") == ["one/a-fp32", "one/a-fp16"]
    assert ids("*/two.toml") == ["two/c-fp32"]
    assert ids("two/*", "one/b*") == ["one/b-fp32", "two/c-fp32"]
    assert ids("nothing") == []
    assert len(ids()) == 4


def test_relation_finds_its_case_in_the_same_precision(tmp_path: Path) -> None:
    relation = 'relations = [{ kind = "equal", to = "two/b" }]'
    write(tmp_path, one=HEADER + case("a", 'precision = ["fp32", "fp16"]', relation))
    write(tmp_path, two=HEADER + case("b", 'precision = ["fp16", "fp32"]'))
    assert len(load_catalog(CaseFolder.at(tmp_path)).cases) == 4


def test_refused_case_need_be_no_convolution(tmp_path: Path) -> None:
    reject = 'reject = { phase = "network", error = "some error", neighbour = "one/good" }'
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


def test_cancelling_sums_are_accepted_where_a_relation_checks_them(tmp_path: Path) -> None:
    relation = 'relations = [{ kind = "channel_sum", to = "one/plain" }]'
    assert loaded(tmp_path, CASE + case("a", 'kernel.fill = "zeros"', relation)).cases


def calls_to_load(root: Path, entries: int) -> int:
    """Calls of functions that reading so many entries of four cases each takes."""
    text = "".join(
        case(f"c{i}", 'precision = ["fp32", "tf32", "fp16", "bf16"]', f"input.seed = {i % 50}") for i in range(entries)
    )
    write(root, one=HEADER.replace("tiled_1_to_9", "uniform") + text)
    assert len(load_catalog(CaseFolder.at(root)).cases) == 4 * entries
    return calls_in(lambda: load_catalog(CaseFolder.at(root)))


def test_reading_cases_grows_with_their_number(tmp_path: Path) -> None:
    few, many = (calls_to_load(tmp_path / str(entries), entries) for entries in (50, 400))
    assert many < 9 * few, "eight times the cases take more than nine times the calls"


# Faults in one entry. The line that holds `# here` is the one to be named; CASE precedes the entry.

DYNAMIC = """\
[case.dynamic]
shape = [1, 1, -1, 9]
min = [1, 1, 3, 9]
opt = [1, 1, 6, 9]
max = [1, 1, 12, 9]
run = [[1, 1, 3, 9], [1, 1, 6, 9]]"""


FLAT_DYNAMIC = ["dynamic." + line for line in DYNAMIC.splitlines()[1:]]


def dynamic(key: str, value: str, old: str = r".*") -> list[str]:
    """The lines of DYNAMIC with another value for one key."""
    return re.sub(rf"^{key} = {old}$", f"{key} = {value}  # here", DYNAMIC, flags=re.MULTILINE).splitlines()


INT8 = 'precision = "int8"'
SCALED = [INT8, 'weights = "set_input"', "quantize.kernel = [1.0]"]
REJECT = 'reject.phase = "build"'
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
        'id: may have only lower-case letters, digits and underscores, got "H2"',
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
    # Q and DQ on one operand, of two scales, and wrong ones.
    "something wrong that is accepted": (
        [*SCALED, "quantize.input = 1.0", "quantize.wrong.input_scale = 0.0  # here"],
        "quantize.wrong: the network must be refused, so the case needs reject with the error",
    ),
    "one operand and a quantized output": (
        ["quantize.input = 1.0  # here", *SCALED, "exact = true", 'quantize.only = "kernel"', "quantize.output = 1.0"],
        "quantize: only and dequantize are for a layer with a float output and a float input",
    ),
    "one operand without exact data": (
        ["quantize.input = 1.0  # here", *SCALED, 'quantize.only = "kernel"'],
        "quantize: only and dequantize have no bound of their own, so the case must be exact",
    ),
    "a scale that float16 does not have": (
        [*SCALED, "quantize.input = 0.1  # here", 'quantize.between = "float16"'],
        "quantize.input: 0.1 is not exactly representable in float16",
    ),
    "half tensors around the caller's Q": (
        [*SCALED, "quantize.input = 1.0", "quantize.io_quantization = true  # here", 'quantize.between = "float16"'],
        "quantize.between: cannot be combined with io_quantization, whose Q and DQ have float32 tensors",
    ),
    "two scales of DQ for one of Q": (
        [*SCALED, "quantize.input = 1.0", "exact = true", "quantize.dequantize.kernel = [1.0, 2.0]  # here"],
        "quantize.dequantize.kernel has 2 scales, expected 1 as Q has",
    ),
    "a stored kernel without DQ": (
        [*SCALED, "quantize.input = 1.0", "exact = true", 'quantize.only = "input"  # here', "quantize.stored = true"],
        "quantize.only: the kernel has no DQ, so it is neither stored quantized nor scaled",
    ),
    "an input without DQ that is scaled": (
        [
            *SCALED,
            "quantize.input = 1.0",
            "exact = true",
            'quantize.only = "kernel"  # here',
            "quantize.dequantize.input = 2.0",
        ],
        "quantize.only: the input has no DQ to scale",
    ),
    # What follows the layer.
    "alpha of an activation without one": (
        ['epilogue = [{ op = "silu", alpha = 0.5 }]  # here'],
        "alpha: only leaky_relu has it, not silu",
    ),
    "a leaky ReLU without alpha": (['epilogue = [{ op = "leaky_relu" }]  # here'], "leaky_relu needs alpha, from 0"),
    "a leaky ReLU that bends upwards": (
        ['epilogue = [{ op = "leaky_relu", alpha = 2.0 }]  # here'],
        "leaky_relu needs alpha, from 0 to below 1",
    ),
    "a scale of nothing": (['epilogue = [{ op = "scale" }]  # here'], "scale needs scale or shift"),
    "a scale of other maps": (
        ['epilogue = [{ op = "scale", scale = [1.0, 2.0] }]  # here'],
        "scale has 2 values, expected 1, or one for each output map (1)",
    ),
    "a scale that is no float16": (
        ['precision = "fp16"', 'epilogue = [{ op = "scale", scale = [1.0001] }]  # here'],
        "scale: 1.0001 is not exactly representable in float16",
    ),
    "a pooling of one axis": (
        ['epilogue = [{ op = "max_pool", window = [2] }]  # here'],
        "max_pool needs window, with 2 sizes of at least 1",
    ),
    "a pooling without a window": (['epilogue = [{ op = "max_pool" }]  # here'], "max_pool needs window, with 2 sizes"),
    "a pooling of nothing": (
        ['epilogue = [{ op = "max_pool", window = [2, 0] }]  # here'],
        "max_pool needs window, with 2 sizes of at least 1",
    ),
    "a pooling beyond the output": (
        ['epilogue = [{ op = "max_pool", window = [2, 8] }]  # here'],
        "max_pool: the window [2, 8] is larger than [4, 7]",
    ),
    "an exact mean": (
        ["exact = true", 'epilogue = [{ op = "average_pool", window = [2, 2] }]  # here'],
        "op: average_pool rounds, so the case cannot be exact",
    ),
    "an exact activation": (
        ["exact = true", 'epilogue = [{ op = "tanh" }]  # here'],
        "op: tanh rounds, so the case cannot be exact",
    ),
    "a minimum with an input of another shape": (
        ['epilogue = [{ op = "min" }]  # here'],
        "epilogue[0].op: the input [1, 1, 6, 9] cannot be compared with [1, 1, 4, 7]",
    ),
    "a further layer without a kernel": (
        ['epilogue = [{ op = "convolution" }]  # here'],
        "convolution needs layer, with the shape and fill of its kernel",
    ),
    "a further layer of other dimensions": (
        ['epilogue = [{ op = "convolution", layer = { shape = [1, 1, 1, 1, 1], fill = "uniform" } }]  # here'],
        "shape: the kernel is 2D, expected 4 dimensions",
    ),
    "a further layer of a large window": (
        ['epilogue = [{ op = "convolution", layer = { shape = [1, 1, 1, 4], fill = "uniform" } }]  # here'],
        "shape: windows of further layers may have at most 3",
    ),
    "a further layer that does not fit": (
        ['epilogue = [{ op = "convolution", layer = { shape = [1, 2, 1, 1], fill = "uniform" } }]  # here'],
        "epilogue[0].op: no valid convolution of [1, 1, 4, 7]",
    ),
    "a further layer with one stride": (
        [
            'epilogue = [{ op = "convolution", layer = { shape = [1,1,1,1], fill="ones", stride_nd = [1] } }]  # here',
        ],
        "stride_nd: expected 2 values",
    ),
    "a scale of a further layer of floats": (
        ['epilogue = [{ op = "convolution", layer = { shape = [1, 1, 1, 1], fill = "ones", scale = [1.0] } }]  # here'],
        "scale: required in a quantized case, and not allowed in others",
    ),
    "an exact further layer": (
        [
            "exact = true",
            'epilogue = [{ op = "convolution", layer = { shape = [1, 1, 1, 1], fill = "uniform" } }]  # here',
        ],
        "layer: a further layer rounds, so the case cannot be exact",
    ),
    "a ReLU with a further layer": (
        ['epilogue = [{ op = "relu", layer = { shape = [1, 1, 1, 1], fill = "ones" } }]  # here'],
        "layer: only convolution has it, not relu",
    ),
    # What is before the layer.
    "a pad of one axis": (
        ['prologue = [{ op = "pad", pre_padding = [1], post_padding = [1] }]  # here'],
        "prologue[0]: pad needs two values of at least 0 in pre_padding and in post_padding",
    ),
    "a pad that crops": (
        ['prologue = [{ op = "pad", pre_padding = [-1, 0], post_padding = [0, 0] }]  # here'],
        "prologue[0]: pad needs two values of at least 0",
    ),
    "a pad of nothing": (
        ['prologue = [{ op = "pad", pre_padding = [1, 1] }]  # here'],
        "pad needs pre_padding, post_padding",
    ),
    "a ReLU with a window": (
        ['prologue = [{ op = "relu", window = [1, 1] }]  # here'],
        "window: only max_pool has it, not relu",
    ),
    "a slice of three axes": (
        ['prologue = [{ op = "slice", start = [0, 0, 0], shape = [1, 1, 6], stride = [1, 1, 1] }]  # here'],
        "prologue[0]: slice needs 4 values in start, shape and stride",
    ),
    "a slice beyond the input": (
        ['prologue = [{ op = "slice", start = [0, 0, 1, 0], shape = [1, 1, 6, 9], stride = [1, 1, 1, 1] }]  # here'],
        "prologue[0]: slice reads beyond [1, 1, 6, 9]",
    ),
    "a pooling beyond the input": (
        ['prologue = [{ op = "max_pool", window = [7, 1] }]  # here'],
        "prologue[0]: max_pool: the window [7, 1] is larger than [6, 9]",
    ),
    "a concatenation of nothing": (
        ['prologue = [{ op = "concat" }]  # here'],
        "prologue[0]: concat: the case has no addend",
    ),
    "a concatenation of another size": (
        ['addend = { shape = [1, 1, 6, 8], fill = "ones" }', 'prologue = [{ op = "concat" }]  # here'],
        "prologue[0]: the addend [1, 1, 6, 8] cannot be concatenated to [1, 1, 6, 9] along C",
    ),
    "channels that the kernel does not have": (
        ["# here", 'addend = { shape = [1, 1, 6, 9], fill = "ones" }', 'prologue = [{ op = "concat" }]'],
        "no valid convolution of [1, 1, 6, 9]",
    ),
    "a cast of a fraction": (
        ['input = { shape = [1, 1, 6, 9], fill = "uniform" }  # here', 'prologue = [{ op = "cast" }]'],
        "input: cast reads uint8, so the values must be integers of 0 to 255",
    ),
    "a cast behind a ReLU": (
        ['prologue = [{ op = "relu" }, { op = "cast" }]  # here'],
        "prologue: the network reads uint8, so cast is its first operation, and the only cast",
    ),
    "a timed prologue": (
        ["latency = true", 'prologue = [{ op = "relu" }]  # here'],
        "prologue: not allowed in cases with latency, large or special_values",
    ),
    "an addend that nothing reads": (
        ['addend = { shape = [1, 1, 4, 7], fill = "ones" }  # here'],
        "addend: no operation reads it",
    ),
    "an addend that is not there": (
        ['epilogue = [{ op = "add", of = "addend" }]  # here'],
        "add: the case has no addend",
    ),
    "an addend of another shape": (
        ['addend = { shape = [1, 1, 4, 6], fill = "ones" }', 'epilogue = [{ op = "add", of = "addend" }]  # here'],
        "epilogue[0].op: the addend [1, 1, 4, 6] cannot be added to [1, 1, 4, 7]",
    ),
    "an addend without values": (
        ["addend = { shape = [1, 1, 4, 7] }  # here", 'epilogue = [{ op = "add", of = "addend" }]'],
        "addend has neither fill nor values",
    ),
    "an addend that is concatenated": (
        ['addend = { shape = [1, 1, 4, 7], fill = "ones" }', 'epilogue = [{ op = "concat", of = "addend" }]  # here'],
        "of: only add, min, max read the addend, not concat",
    ),
    "an addend of a timed case": (
        [
            "latency = true",
            'addend = { shape = [1, 1, 4, 7], fill = "ones" }  # here',
            'epilogue = [{ op = "add", of = "addend" }]',
        ],
        "addend: timed and large cases have one input",
    ),
    "a Q of floats": (
        ['epilogue = [{ op = "quantize", scale = [0.5] }]  # here'],
        "scale: Q and DQ are only for precision int8 and fp8, but the case also runs in fp32",
    ),
    "a Q with two scales": (
        [*SCALED, "quantize.input = 1.0", 'epilogue = [{ op = "quantize", scale = [0.5, 1.0] }]  # here'],
        "quantize needs scale, with one value",
    ),
    "a Q with a scale of 0": (
        [*SCALED, "quantize.input = 1.0", 'epilogue = [{ op = "quantize", scale = [0.0] }]  # here'],
        "scale: a scale must be a positive float32, got 0",
    ),
    "an operand of an activation that is quantized": (
        [*SCALED, "quantize.input = 1.0", 'epilogue = [{ op = "relu", of_scale = 1.0 }]  # here'],
        "of_scale: only add, min, max have an operand that is quantized, not relu",
    ),
    # How the network is built.
    "a flag twice": (['builder.flags = ["REFIT", "REFIT"]  # here'], "builder.flags: a value is listed twice"),
    "an unknown flag": (['builder.flags = ["REFITT"]  # here'], 'unknown value "REFITT"; did you mean "REFIT"?'),
    "the flag FP16 of a strongly typed network": (
        ['builder.flags = ["FP16"]  # here'],
        'builder.flags: FP16 and BF16 are for fp32 with typing = "weak"',
    ),
    "the flag BF16 before a ReLU": (
        ['typing = "weak"', 'epilogue = [{ op = "relu" }]', 'builder.flags = ["BF16"]  # here'],
        "builder.flags: with FP16 or BF16 there is a bound only if the layer is alone",
    ),
    "a level beyond 5": (
        ["builder.builder_optimization_level = 6  # here"],
        "builder.builder_optimization_level: must be at most 5, got 6",
    ),
    "no profile in an accepted case": (
        ['dynamic.profile = "none"  # here', *FLAT_DYNAMIC],
        "dynamic.profile: without a profile the build is refused, so the case needs reject",
    ),
    "a further profile of other dimensions": (
        [
            "dynamic.further_profiles = [{ min = [1], opt = [1], max = [1] }]  # here",
            *FLAT_DYNAMIC,
        ],
        "dynamic.further_profiles[0]: expected shapes of 4 dimensions, as input.shape has",
    ),
    "a layout of the DLA that is accepted": (
        ['formats.input = "DLA_LINEAR"  # here', 'precision = "fp16"'],
        "formats.input: DLA_LINEAR is for the DLA, and a GPU refuses it, so the case needs reject",
    ),
    # How the network is defined.
    "a further input that is accepted": (["network.set_input = 3  # here"], "network.set_input: a further input is"),
    "a bias that is reset and stays": (
        ['network.bias_reset = "trt.Weights()"  # here', 'bias.fill = "ones"'],
        "network.bias_reset: the layer ends up without a bias, so the case must have none",
    ),
    "a runtime kernel by the constructor": (
        ['network.runtime = ["kernel"]  # here'],
        'network.runtime: a kernel that is an input needs weights = "set_input"',
    ),
    "a runtime bias by the constructor": (
        ['network.runtime = ["bias"]  # here', "bias.values = [1]"],
        "network.runtime: a bias that is an input needs bias_by_set_input",
    ),
    "a runtime kernel twice": (
        ['network.runtime = ["kernel", "kernel"]  # here', 'weights = "set_input"'],
        "network.runtime: a tensor is listed twice",
    ),
    "a runtime kernel that is timed": (
        ['network.runtime = ["kernel"]  # here', 'weights = "set_input"', "latency = true"],
        "network.runtime: timed and large cases have one input",
    ),
    "another activation of a dynamic network": (
        [
            "network.activation_by_set_input = true  # here",
            "[case.dynamic]",
            "shape = [-1, 1, 6, 9]",
            "min = [1, 1, 6, 9]",
            "opt = [1, 1, 6, 9]",
            "max = [2, 1, 6, 9]",
            "run = [[1, 1, 6, 9]]",
        ],
        "network.activation_by_set_input: the other tensor is a float constant of the input's shape",
    ),
    "another number of maps that is accepted": (
        ["set.num_output_maps = 2  # here"],
        "set.num_output_maps: the kernel has the maps, so another number needs reject",
    ),
    "an unknown fact": (
        ['expect.attributes.typ = "CONVOLUTION"  # here'],
        'unknown key in expect.attributes: "typ"; did you mean "type"?',
    ),
    # Ranks, shapes and contents.
    "stride of three on a 2D kernel": (
        ["set.stride_nd = [2, 2, 2]  # here"],
        "set.stride_nd has 3 values, but the kernel is 2D: expected 2",
    ),
    "padding of one": (
        ["set.pre_padding = [1]  # here"],
        "set.pre_padding has 1 value, but the kernel is 2D: expected 2",
    ),
    "kernel of rank 3": (
        ["kernel.shape = [1, 1, 3]  # here"],
        "kernel.shape has 3 dimensions, expected 4 (K, C/groups, H, W) or 5 (K, C/groups, D, H, W)",
    ),
    "kernel of rank 6": (["kernel.shape = [1, 1, 1, 1, 3, 3]  # here"], "kernel.shape has 6 dimensions, expected 4"),
    "refused kernel of rank 2": (
        ["kernel.shape = [1, 1]  # here", 'reject = { phase = "network", error = "some error" }'],
        "kernel.shape has 2 dimensions",
    ),
    "input of rank 3": (
        ["input.shape = [1, 6, 9]  # here"],
        "input.shape has 3 dimensions, but a 2D kernel needs at least 4",
    ),
    "window that does not fit": (["# here", "kernel.shape = [1, 1, 7, 3]"], "no valid convolution of [1, 1, 6, 9]:"),
    "channels that do not fit": (["# here", "kernel.shape = [1, 2, 3, 3]"], "the kernel holds 2 channels a group"),
    "stride 0": (["# here", "set.stride_nd = [0, 1]"], "stride 0 and dilation 1 must be at least 1"),
    "neither fill nor values": (["[case.bias]  # here", "seed = 1"], "bias has neither fill nor values"),
    "both fill and values": (['input = { fill = "ones", values = [1] }  # here'], "input has both fill and values"),
    "weights too few": (
        ["kernel.values = [1, 2, 3, 4, 5, 6, 7, 8]  # here"],
        "kernel.values: 8 values for shape [1, 1, 3, 3], expected 9",
    ),
    "input too few": (["input.values = [1]  # here"], "input.values: 1 value for shape [1, 1, 6, 9], expected 54"),
    "bias too many": (["bias.values = [1, 2]  # here"], "bias.values: 2 values for shape [1], expected 1"),
    "bias that needs a plane": (['bias.fill = "tiled_1_to_9"  # here'], "tiled_1_to_9 needs two dimensions"),
    "input of 10^12 elements": (
        ["input.shape = [1000, 1000, 1000, 1000]  # here"],
        "input.shape: [1000, 1000, 1000, 1000] has 1000000000000 elements, more than the 2147483648 allowed",
    ),
    "kernel above 2^31 elements": (["kernel.shape = [65536, 32769, 1, 1]  # here"], "has 2147549184 elements"),
    "refused input of 10^12 elements": (
        ["input.shape = [1000, 1000, 1000, 1000]  # here", 'reject = { phase = "network", error = "some error" }'],
        "has 1000000000000 elements",
    ),
    "another constraint than stated": (
        [
            "input.shape = [1, 2, 6, 9]",
            'reject = { phase = "network", error = "some error", constraint = "window_fits" }  # here',
        ],
        "reject.constraint: the case violates kernel_fits_groups, not window_fits",
    ),
    "a constraint that holds": (
        ['reject = { phase = "network", error = "some error", constraint = "window_fits" }  # here'],
        "reject.constraint: the case violates no constraint, not window_fits",
    ),
    "output above 2^31 elements": (
        ["# here", "input.shape = [1, 1, 32768, 32768]", "kernel.shape = [4, 1, 1, 1]"],
        "the output [1, 4, 32768, 32768] has 4294967296 elements",
    ),
    "empty output": (["# here", "input.shape = [0, 1, 6, 9]"], "the output [0, 1, 4, 7] has 0 elements"),
    # What is expected.
    "expected shape": (
        ["expect.shape = [1, 4, 7]  # here"],
        "expect.shape is [1, 4, 7], but the output is [1, 1, 4, 7]",
    ),
    "printed numbers too few": (
        ['expect.printed = "1 2 3"  # here'],
        "expect.printed: 3 printed numbers do not fit shape [1, 1, 4, 7] (28 elements)",
    ),
    "ideal numbers too many": (
        [f'expect.ideal = "{"1 " * 29}"  # here'],
        "expect.ideal: 29 printed numbers do not fit",
    ),
    "printed word": (
        ['expect.printed = "1 2 x"  # here'],
        "expect.printed: line 1 of the printed matrix: 'x' is not a number",
    ),
    "constant output": (["# here", 'input.fill = "ones"'], "proves little: each of the 28 expected values is 11111.1"),
    "zero output": (["# here", 'kernel.fill = "zeros"'], "proves little: each of the 28 expected values is 0"),
    "output mostly zero": (["# here", "set.padding_nd = [20, 20]"], "expected values are 0"),
    "padding that dwarfs the input": (
        ["expect.shape = [1]  # here", "set.padding_nd = [100000, 100000]", "set.dilation_nd = [100000, 100000]"],
        "expect.shape is [1], but the output is [1, 1, 6, 9]",
    ),
    "window of many taps": (
        ["expect.shape = [1]  # here", "input.shape = [1, 1, 700, 701]", "kernel.shape = [1, 1, 700, 700]"],
        "expect.shape is [1], but the output is [1, 1, 1, 2]",
    ),
    "quantized away": (
        ["# here", INT8, "quantize = { input = 1e6, kernel = [1.0] }"],
        "proves little: each of the 28 expected values is 0",
    ),
    # Quantization.
    "int8 without scales": (['precision = ["int8"]  # here'], "precision int8 needs quantize"),
    "scales without int8": (
        ['precision = ["fp16"]', "quantize = { input = 1.0, kernel = [1.0] }  # here"],
        "quantize is only for precision int8 and fp8, but the case also runs in fp16",
    ),
    "an operation behind a quantized output": (
        [
            INT8,
            "quantize = { input = 1.0, kernel = [1.0], io_quantization = true }",
            'epilogue = [{ op = "relu" }]  # here',
        ],
        "epilogue: with quantize.io_quantization the network must end with the layer or its Q",
    ),
    "CHW4 of a float output": (
        [
            INT8,
            "quantize = { input = 1.0, kernel = [1.0], io_quantization = true }",
            'formats = { input = "CHW4", output = "CHW4" }  # here',
        ],
        "formats.output: CHW4 supports float16, int8, but in int8 this tensor is float32",
    ),
    "NaN in int8": (
        [
            INT8,
            "quantize = { input = 1.0, kernel = [1.0], io_quantization = true }",
            'formats = { input = "CHW4", padding = "nan" }  # here',
        ],
        "formats.padding: int8 has no NaN",
    ),
    "a kernel of another shape": (
        ["shapes.kernel = [2, 1, 3, 3]  # here"],
        "shapes: weights of other shapes are refused",
    ),
    "two scales for one map": (
        [INT8, "quantize = { input = 1.0, kernel = [1.0, 2.0] }  # here"],
        "quantize.kernel has 2 scales, expected 1, or one for each output map (1)",
    ),
    "no kernel scale": ([INT8, "quantize = { input = 1.0 }  # here"], '"kernel" is missing in quantize'),
    "input scale of 0": (
        [INT8, "quantize = { input = 0.0, kernel = [1.0] }  # here"],
        "quantize.input: must be greater than 0",
    ),
    "kernel scale below 0": (
        [INT8, "quantize = { input = 1.0, kernel = [-1.0] }  # here"],
        "quantize.kernel: a scale must be a positive float32, got -1",
    ),
    "infinite scale": (
        [INT8, "quantize = { input = inf, kernel = [1.0] }  # here"],
        "quantize.input: a scale must be a positive float32, got inf",
    ),
    "scale below float32": (
        [INT8, "quantize = { input = 1.0, kernel = [1.0], output = 1e-50 }  # here"],
        "quantize.output: a scale must be a positive float32, got 1e-50",
    ),
    # Dynamic shapes.
    "dynamic without max": (
        ["[case.dynamic]  # here", *DYNAMIC.splitlines()[1:4], "run = [[1, 1, 3, 9]]"],
        '"max" is missing',
    ),
    "dynamic shape of rank 3": (
        dynamic("shape", "[1, 1, -1]"),
        "dynamic.shape has 3 dimensions, but input.shape has 4",
    ),
    "dynamic min of rank 3": (dynamic("min", "[1, 1, 3]"), "dynamic.min has 3 dimensions, but input.shape has 4"),
    "dynamic run of rank 5": (dynamic("run", "[[1, 1, 1, 3, 9]]"), "dynamic.run[0] has 5 dimensions"),
    "no dynamic dimension": (dynamic("shape", "[1, 1, 6, 9]"), "dynamic.shape: [1, 1, 6, 9] has no -1"),
    "dynamic dimension -2": (dynamic("shape", "[1, 1, -1, -2]"), "may contain only -1 and sizes of at least 1"),
    "opt above max": (dynamic("opt", "[1, 1, 13, 9]"), "dynamic.opt [1, 1, 13, 9] is outside the profile"),
    "min above max": (dynamic("max", "[1, 1, 2, 9]"), "dynamic.max [1, 1, 2, 9] is outside the profile"),
    "run above max": (
        dynamic("run", "[[1, 1, 3, 9], [1, 1, 13, 9]]"),
        "dynamic.run[1] [1, 1, 13, 9] is outside the profile",
    ),
    "static dimension of opt": (dynamic("opt", "[1, 1, 6, 8]"), "dynamic.opt[3] is 8, but dynamic.shape fixes it at 9"),
    "static dimension of run": (
        dynamic("run", "[[1, 2, 3, 9]]"),
        "dynamic.run[0][1] is 2, but dynamic.shape fixes it at 1",
    ),
    "static dimension of input": (
        ["input.shape = [1, 1, 6, 8]  # here", *DYNAMIC.splitlines()],
        "input.shape[3] is 8, but dynamic.shape fixes it at 9",
    ),
    "min that is no convolution": (dynamic("min", "[1, 1, 2, 9]"), "no valid convolution of [1, 1, 2, 9]"),
    "run above 2^31 elements": (
        dynamic("run", "[[1, 1, 1000000000, 9]]"),
        "dynamic.run[0]: [1, 1, 1000000000, 9] has 9000000000 elements",
    ),
    "no runs": (dynamic("run", "[]"), "dynamic.run: needs at least 1 value, got 0"),
    "run of negative size": (dynamic("run", "[[1, 1, -1, 9]]"), "dynamic.run[0][2]: must be at least 0, got -1"),
    "values for one run only": (
        [f"input.values = {list(range(54))}  # here", *DYNAMIC.splitlines()],
        "input.values fit only [1, 1, 6, 9]: dynamic.run needs a fill",
    ),
    # Rejections, relations and old names.
    "regular expression": (
        [REJECT, "reject.error = 'unclosed (group'  # here"],
        'reject.error: "unclosed (group" is not a valid regular',
    ),
    "regular expression of a target": (
        ['reject.on."tensorrt-8*" = { phase = "build", error = "[unclosed" }  # here'],
        'reject.on.tensorrt-8*.error: "[unclosed" is not a valid regular expression',
    ),
    "phase without error": ([f"{REJECT}  # here"], 'reject has "phase" but not "error": give both or neither'),
    "error without phase": (['reject.error = "some error"  # here'], 'reject has "error" but not "phase"'),
    "empty rejection": (["[case.reject]  # here"], "reject is empty"),
    "unknown phase": (['reject = { phase = "built", error = "some error" }  # here'], 'did you mean "build"?'),
    "relation to no case": (
        ['relations = [{ kind = "equal", to = "one/plane" }]  # here'],
        'relation to "one/plane": no such case; did you mean "one/plain"?',
    ),
    "relation in another precision": (
        ['precision = "fp16"', 'relations = [{ kind = "equal", to = "one/plain" }]  # here'],
        'relation to "one/plain": that case runs in fp32, not in fp16',
    ),
    "relation to nothing": (['relations = [{ kind = "equal" }]  # here'], 'relation equal needs "to"'),
    "relation to itself": (['relations = [{ kind = "equal", to = "one/other" }]  # here'], "names the case itself"),
    "old name not used": (
        ['deprecated = { name = "stride", new = "stride_nd", warning = "Use stride_nd" }  # here'],
        "deprecated.name stride is not used: set.stride is missing",
    ),
    "old name of the kernel size not used": (
        ['deprecated = { name = "kernel_size", new = "kernel_size_nd", warning = "Use it" }  # here'],
        'kernel_size needs weights = "setters"',
    ),
    "old name with another's new one": (
        ["set.stride = [2, 2]", 'deprecated = { name = "stride", new = "padding_nd", warning = "Use it" }  # here'],
        "deprecated.new: stride is replaced by stride_nd, not padding_nd",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_fault_of_an_entry_has_its_line_and_reason(kind: str, tmp_path: Path) -> None:
    lines, message = BAD[kind]
    own = {line.partition(" = ")[0] for line in lines}
    entry = [line for line in case("other").strip().splitlines() if line.partition(" = ")[0] not in own]
    if lines[0] == "# here":
        entry[0] += "  # here"
    text = HEADER + CASE + "\n".join([*entry, *lines, ""])
    (here,) = (
        number for number, line in enumerate(text.splitlines(), start=1) if "# here" in line and line != "# here"
    )
    write(tmp_path, one=text, claims=CLAIMS, used=HEADER + case("used", 'claims = ["stride_nd.h2_w2"]'))
    found = faults(tmp_path)
    assert [fault for fault in found if fault[:2] == ("one.toml", here) and message in fault[2]], found
    assert {fault[0] for fault in found} == {"one.toml"}


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


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "has no cases: expected at least one [[case]]"),
        (HEADER.encode(), 1, "has no cases: expected at least one [[case]]"),
        (b'section = "s"\n[case]\nid = "a"\n', 2, "case: expected [[case]] tables"),
        (b'section = "s"\ncase = [1]\n', 2, "case: expected [[case]] tables, got [1]"),
        (b"section = \n", 1, "is not valid TOML: Invalid value"),
        (b'section = "s"\nsection = "s"\n', 2, "is not valid TOML: Cannot overwrite a value"),
        (b'section = "s"\n# caf\xe9\n', 2, "is not UTF-8: byte 0xe9"),
        ("\ufeffsection = 's'\n".encode(), 1, "begins with a byte order mark"),
        ("section = 's'\n".encode("utf-16"), 1, "is not UTF-8: byte 0xff"),
        (b"#" * 32_000_001, 1, "is too large: 32.0 MB, but at most 32 MB are allowed; split it"),
        (b"a = " + b"[" * 100_000, 1, "nested too deeply"),
        (b'section = "s"\n[[case]]\nid = "a"\ninput.seed = 99999999999999999999\n', 4, "64 bits"),
    ],
    ids=lambda value: value[:20].decode(errors="replace") if isinstance(value, bytes) else None,
)
def test_fault_of_a_whole_file(content: bytes, line: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    write(tmp_path, one=HEADER + CASE)
    found = faults(tmp_path)
    assert any(fault[:2] == ("bad.toml", line) and message in fault[2] for fault in found), found


def test_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(10**13)
    assert faults(tmp_path) == [
        ("large.toml", 1, "is too large: 10000000.0 MB, but at most 32 MB are allowed; split it")
    ]


def test_directory_named_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    write(tmp_path, one=HEADER + CASE)
    assert faults(tmp_path) == [("folder.toml", 1, "is a directory, not a file")]


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").symlink_to("nowhere")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    assert [(fault[0], fault[2].partition(":")[0]) for fault in faults(tmp_path)] == [
        ("broken.toml", "cannot be read"),
        ("loop.toml", "cannot be read"),
    ]


def test_socket_named_like_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("door.toml")
    assert faults(tmp_path) == [("door.toml", 1, "is not a regular file")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE)
    (tmp_path / "one.toml").chmod(0)
    assert faults(tmp_path) == [("one.toml", 1, "cannot be read: Permission denied")]


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


# Faults between entries and files.


def test_duplicate_id_names_the_other_place(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE + case("plain", 'precision = "fp16"', doc="another text of it"))
    assert faults(tmp_path) == [
        ("one.toml", 12, f'duplicate id "plain": one/plain is already at {tmp_path}/one.toml:7')
    ]


def test_duplicate_id_across_files_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, a__one=HEADER + CASE, b__one=HEADER + CASE)
    (fault,) = faults(tmp_path)
    assert fault[:2] == ("b/one.toml", 8)
    assert f"already at {tmp_path}/a/one.toml:7" in fault[2]


def test_same_id_in_files_of_other_names_is_fine(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE, two=HEADER + CASE)
    assert len(load_catalog(CaseFolder.at(tmp_path)).cases) == 2


def test_duplicate_doc_names_the_other_place(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE + case("b", doc="Convolves  without any attribute"))
    (fault,) = faults(tmp_path)
    assert fault[:2] == ("one.toml", 13)
    assert f"already at {tmp_path}/one.toml:7" in fault[2]


def test_case_that_names_neither_claim_nor_source(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER.replace('source = "a source"', "") + CASE)
    assert faults(tmp_path) == [
        ("one.toml", 7, "has neither claims nor a source: name the claims that the case checks, or where it comes from")
    ]


def test_claim_that_no_case_names(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE, claims="# text\n" + CLAIMS)
    text = 'no case checks the claim "stride_nd.h2_w2": write one, or give the reason in "unchecked"'
    assert faults(tmp_path) == [("claims.toml", 2, text)]


def test_claim_that_says_why_no_case_checks_it(tmp_path: Path) -> None:
    reason = 'unchecked = "needs a DLA"\n'
    catalog = load_catalog(CaseFolder.at(write(tmp_path, one=HEADER + CASE, claims=CLAIMS + reason)))
    assert catalog.claims["stride_nd.h2_w2"].unchecked == "needs a DLA"
    write(tmp_path, one=HEADER + case("a", 'claims = ["stride_nd.h2_w2"]'))
    text = 'unchecked: a case checks the claim "stride_nd.h2_w2": remove the reason'
    assert faults(tmp_path) == [("claims.toml", 5, text)]


VERSIONS = {"tensorrt": ">=8.6,<12", "tensorrt_rtx": ">=1.3"}


@pytest.mark.parametrize(
    ("versions", "target", "stated"),
    [
        (None, "tensorrt-8.6.1-sm90", True),
        (VERSIONS, "tensorrt-8.6.1-sm90", True),
        (VERSIONS, "tensorrt-8.5.3-sm90", False),
        (VERSIONS, "tensorrt-12.0.0-sm90", False),
        (VERSIONS, "tensorrt_rtx-1.7.1-aot", True),
        (VERSIONS, "tensorrt_rtx-1.2.0-aot", False),
        ({"tensorrt": ">=8.6"}, "tensorrt_rtx-1.7.1-aot", False),
        ({"tensorrt": ">=8.6"}, "tensorrt", True),
        ({"tensorrt": ">=8.6"}, "numpy", True),
    ],
)
def test_claim_is_stated_for_versions(versions: dict[str, str] | None, target: str, stated: bool) -> None:
    given = {"id": "nvinfer_h.name", "section": "ILayer", "statement": "A layer has a name.", "versions": versions}
    claim = Claim.model_validate(given)
    assert (claim.document, claim.stated_for(target)) == ("nvinfer_h", stated)


def test_source_of_the_file_is_for_cases_that_check_other_documents_too(tmp_path: Path) -> None:
    claims = CLAIMS.replace("stride_nd.h2_w2", "nvinfer_h.name")
    write(tmp_path, claims=claims, one=HEADER + case("a", 'claims = ["nvinfer_h.name"]'))
    (found,) = load_catalog(CaseFolder.at(tmp_path)).cases
    assert (found.claims, found.source) == (("nvinfer_h.name",), "a source")


@pytest.mark.parametrize(
    ("claims", "line", "message"),
    [
        ('[[claims]]\nid = "a.b"\n', 1, 'unknown key "claims"; did you mean "claim"?'),
        ('claim = "x"\n', 1, "claim: expected [[claim]] tables"),
        ("claim = [3]\n", 1, "expected a table, got 3"),
        ('[[claim]]\nid = "a.b"\nsection = "s"\n', 1, '"statement" is missing'),
        (
            '[[claim]]\nid = "ab"\nsection = "s"\nstatement = "says something"\n',
            2,
            'like "section.statement", got "ab"',
        ),
        ('[[claim]]\nid = []\nsection = "s"\nstatement = "says something"\n', 2, "id: expected a string, got []"),
        (CLAIMS + CLAIMS, 6, 'duplicate claim "stride_nd.h2_w2"'),
        (CLAIMS + 'text = "x"\n', 5, 'unknown key "text"; expected one of id, section, statement'),
        (CLAIMS + 'versions.tensorrt = "8.6 on"\n', 1, '"8.6 on" is not a version range, like ">=8.5,<10"'),
        (CLAIMS + 'versions.onnxruntime = ">=1"\n', 5, 'unknown key in versions: "onnxruntime"'),
        (CLAIMS + 'checkable = "later"\n', 5, 'checkable: unknown value "later"; expected one of network, build, run'),
        (CLAIMS + 'unchecked = "no"\n', 5, "unchecked: needs at least 8 characters, got 2"),
        ("claim = [", 1, "is not valid TOML"),
    ],
)
def test_fault_of_the_claims(claims: str, line: int, message: str, tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE, claims=claims)
    found = faults(tmp_path)
    assert any(fault[:2] == ("claims.toml", line) and message in fault[2] for fault in found), found


def test_relation_to_a_refused_case(tmp_path: Path) -> None:
    reject = 'reject = { phase = "build", error = "some error", neighbour = "one/c" }'
    refused = case("c") + case("b", "set.stride_nd = [2, 2]", reject)
    write(tmp_path, one=HEADER + refused + case("a", 'relations = [{ kind = "equal", to = "one/b" }]'))
    (fault,) = faults(tmp_path)
    assert fault[2] == 'relation to "one/b": that case is refused, so it has no output'


def test_every_fault_of_every_file_is_named(tmp_path: Path) -> None:
    several = case("a", "strides = 1", "set.stride_nd = [1]", 'kernel.fill = "zeroes"') + case("B") + case("a")
    write(tmp_path, one=HEADER + several, two="section = ", three=HEADER + case("c", 'claims = ["no.claim"]'))
    found = faults(tmp_path)
    assert [fault[:2] for fault in found] == [
        ("one.toml", 10),
        ("one.toml", 12),
        ("one.toml", 15),
        ("one.toml", 19),
        ("one.toml", 20),
        ("three.toml", 10),
        ("two.toml", 1),
    ]
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(tmp_path))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f'{tmp_path}/one.toml:10: unknown key "strides"; expected one of id, doc, claims,')
    assert lines[-1] == "7 faults in 3 files"


def test_file_that_cannot_be_read_causes_no_faults_elsewhere(tmp_path: Path) -> None:
    relation = 'relations = [{ kind = "equal", to = "two/a" }]'
    write(tmp_path, one=HEADER + case("a", relation), two="section = ", claims=CLAIMS)
    assert [fault[0] for fault in faults(tmp_path)] == ["two.toml"]


@pytest.mark.parametrize("name", ["missing", "empty", "a_file"])
def test_root_without_case_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a_file").touch()
    with pytest.raises(ConformanceError, match=f"{name}: (no such directory|no case files|is a file)"):
        load_catalog(CaseFolder.at(tmp_path / name))


def test_the_suites_own_cases_have_no_faults() -> None:
    catalog = load_catalog(tier=None)
    assert len(catalog.cases) >= 100
    assert len(catalog.claims) >= 70


# Whatever is written, people see faults: never an error of Python, never the terms of a library.

SCALARS = st.one_of(
    st.integers(-3, 12),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.sampled_from(["", "none", "fp16", "int8", "zeros", "SAME_UPPER", "equal", "build", "one/plain", "1 2 3", "(["]),
)
SHAPES = st.lists(st.integers(-1, 9), min_size=1, max_size=5)
KEYS = st.sampled_from(["shape", "on", "x"])
VALUES = st.recursive(
    SCALARS | SHAPES | st.lists(SHAPES, max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=8,
)
PATHS = [
    *(f"{key}" for key in Case.model_fields if key not in {"id", "doc"}),
    *(f"set.{key}" for key in ATTRIBUTE_FIELDS),
    *(f"{tensor}.{key}" for tensor in ("input", "kernel", "bias") for key in ("shape", "fill", "values", "seed")),
    *(f"quantize.{key}" for key in ("input", "kernel", "output", "io_quantization")),
    *(f"dynamic.{key}" for key in ("shape", "min", "opt", "max", "run")),
    *(f"expect.{key}" for key in ("shape", "printed", "ideal", "attributes")),
    *(f"reject.{key}" for key in ("phase", "error", "on", "neighbour", "constraint")),
    *(f"formats.{key}" for key in ("input", "output", "padding")),
    *(f"types.{key}" for key in ("input", "kernel", "bias")),
    *(f"shapes.{key}" for key in ("kernel", "bias")),
    *(f"deprecated.{key}" for key in ("name", "new", "warning")),
]


def toml(value: object) -> str:
    """A value in TOML, on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(part)}" for key, part in value.items()) + "}"
    return repr(value) if isinstance(value, float) else json.dumps(value)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.dictionaries(st.sampled_from(PATHS), VALUES, min_size=1, max_size=4))
def test_anything_written_is_loaded_or_is_a_fault(written: dict[str, object], tmp_path: Path) -> None:
    lines = [f"{path} = {toml(value)}" for path, value in written.items()]
    write(tmp_path, one=HEADER + CASE + case("other", *lines))
    try:
        load_catalog(CaseFolder.at(tmp_path))
        found: tuple[Fault, ...] = ()
    except CaseFileError as error:
        found = error.faults
    for fault in found:
        assert fault.line > 0
        assert not JARGON.search(fault.message), fault
