"""Each fault of a sweep has its line and its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sweeps import EXCLUDE, HEAD, MATRIX, PAIRWISE, THREEWAY, expanded, faults, write
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.source import CaseFileError
from trt_conformance.catalog.sweeps import rows
from trt_conformance.core.case_folder import CaseFolder

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
"""The line that holds `# here` is the one to be named."""


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
