"""Tables fit the terminal, and lose no cell."""

import pytest

from trt_conformance.core.table import columns_of_output, table

KERNEL = "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize64x128x32_stage5_warpsize2x2x1"
ROWS = [
    ("exact_bias/maps_67-fp16", "tensorrt-8.6.0-sm90", KERNEL, "another kernel"),
    ("exact_bias/none-fp16", "tensorrt-8.6.0-sm90", "", "the values are right, but it ran in fp32, not in fp16 " * 2),
]
NAMES = ("case", "target", "before", "now")


def test_a_row_is_a_line_where_any_width_is_allowed():
    lines = table(NAMES, ROWS)
    assert len(lines) == 3
    assert lines[0].split() == list(NAMES)
    assert lines[1].index("tensorrt-8.6.0") == lines[2].index("tensorrt-8.6.0") == lines[0].index("target")
    assert KERNEL in lines[1]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_every_cell_is_there(width):
    lines = table(NAMES, ROWS, width)
    assert max(map(len, lines)) <= width
    text = "".join("".join(lines).split())
    for row in ROWS:
        for cell in row:
            assert "".join(cell.split()) in text


def test_columns_that_do_not_fit_are_named_in_each_row():
    lines = table(NAMES, ROWS, 80)
    assert lines[0].split() == ["case", "target"]
    assert lines[2].startswith("    before: sm80_xmma")
    assert [line for line in lines if line.startswith("    now: another kernel")]
    assert not [line for line in lines if line.rstrip().endswith("before:")], "an empty cell needs no line"


def test_a_narrow_table_is_aligned_on_a_terminal_too():
    rows = [("a", "1"), ("long name", "2")]
    assert (
        table(("name", "n"), rows, 80) == table(("name", "n"), rows) == ["name       n", "a          1", "long name  2"]
    )


def test_what_a_terminal_obeys_is_escaped():
    assert table(("name",), [("\x1b[31mred\n",)], 80)[1] == "\\x1b[31mred\\n"


def test_the_width_is_that_of_columns_and_none_of_a_pipe(monkeypatch):
    monkeypatch.setenv("COLUMNS", "93")
    assert columns_of_output() == 93
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr("sys.stdout", None)
    assert columns_of_output() is None
