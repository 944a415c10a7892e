"""Whatever is among the case files, loading ends: with a catalog, or with a message that names file and line."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support import fuzz_cases
from tests.support.helpers import EXPECTATION, SMALL_FILE
from trt_conformance.catalog import source
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.expectations import load_expectations, read_expectations
from trt_conformance.catalog.linting import lint_folders
from trt_conformance.catalog.patterns import pattern_fault
from trt_conformance.catalog.source import MAX_MESSAGE, CaseFileError, Source, toml_files
from trt_conformance.catalog.sweeps import rows
from trt_conformance.catalog.sweeps.covering import Possible
from trt_conformance.catalog.sweeps.update import expand_all
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError

CASE = '[[case]]\nid = "plain"\ndoc = "a small convolution"\n'
KNOWN = EXPECTATION.format(id="known") + 'cases = ["small/plain-fp32"]\n'
COVERED = """\
[[cover]]
tier = "smoke"
how = "pairwise"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "small.toml").write_text(SMALL_FILE + CASE)
    return folder


def fault(root: Path) -> str:
    """The one fault of a folder, from its file's name on."""
    with pytest.raises(CaseFileError) as caught:
        lint_folders(CaseFolder.at(root))
    (found,) = caught.value.faults
    return str(found).removeprefix(f"{root}/")


def small(root: Path, *lines: str, defaults: str = "") -> None:
    (root / "small.toml").write_text(SMALL_FILE + defaults + CASE + "\n".join(lines) + "\n")


# Files.


def test_fifo_is_refused_without_opening_it(root: Path) -> None:
    os.mkfifo(root / "pipe.toml")
    assert fault(root) == "pipe.toml:1: is not a regular file"


def test_fifo_in_place_of_the_rows_of_a_sweep(root: Path) -> None:
    (root / "sweeps").mkdir()
    (root / "sweeps" / "tiny.toml").write_text(fuzz_cases.SMALL_SWEEP)
    os.mkfifo(root / "sweeps" / "tiny.rows")
    assert fault(root) == "sweeps/tiny.toml:1: tiny.rows is not a regular file"
    with pytest.raises(CaseFileError, match="is not a regular file"):
        expand_all(CaseFolder.at(root))


def test_huge_expectation_is_not_read(root: Path) -> None:
    (root / "expectations").mkdir()
    with (root / "expectations" / "huge.toml").open("wb") as file:
        file.truncate(3 * 10**9)
    assert fault(root).startswith("expectations/huge.toml:1: is too large: 3000.0 MB")


@pytest.mark.parametrize("folder", ["sweeps", "expectations", "convolution"])
def test_folder_that_cannot_be_read_is_an_error(folder: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / folder).mkdir()
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == folder:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(source.os, "scandir", refusing)
    assert fault(root).startswith(f"{folder}:1: cannot be read: Permission denied")


def test_link_to_a_folder_above_is_an_error_and_to_another_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.toml").write_text(SMALL_FILE + CASE)
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    assert [case.id for case in load_catalog(CaseFolder.at(root)).cases] == ["more/plain-fp32", "small/plain-fp32"]
    (root / "loop").symlink_to(root)
    assert fault(root) == "loop:1: is a link to a folder that contains it"


def test_file_name_that_is_not_utf8_is_shown_escaped(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9\n.toml")).write_text("section = ")
    message = fault(root)
    message.encode()
    assert message.startswith("caf\\udce9\\n.toml:1: is not valid TOML")


def test_control_characters_never_reach_a_terminal() -> None:
    found = Source("a.toml", "a", "", {})
    found.fault((), "a\x1b[31m\x9b\u202eb\n\udce9")
    found.fault((), "x" * 10**6)
    escaped, long = (fault.message for fault in found.faults)
    assert escaped == "a\\x1b[31m\\x9b\\u202eb\\n\\udce9"
    assert len(long) == MAX_MESSAGE


def test_files_with_very_many_faults_are_left_after_a_while(root: Path) -> None:
    (root / "small.toml").write_text(SMALL_FILE + "".join(f"[[case]]\nid = {i}\n" for i in range(5000)))
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(root))
    assert len(caught.value.faults) == source.MAX_FAULTS + 1
    assert "has more than 500 faults: the others are not listed" in str(caught.value)


def test_stored_files_are_found_in_order(root: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "b.toml").touch()
    (root / "a" / "b.txt").touch()
    assert toml_files(root) == [root / "a" / "b.toml", root / "small.toml"]


# Cases.


def test_fault_of_the_defaults_names_the_cases_that_inherit_it(root: Path) -> None:
    broken = "set.stride_nd = [1]\n"
    other = '[[case]]\nid = "other"\ndoc = "another convolution"\nset.stride_nd = [2, 2]\n'
    third = '[[case]]\nid = "third"\ndoc = "a third convolution"\nset.pre_padding = [1, 1]\n'
    (root / "small.toml").write_text(SMALL_FILE + broken + CASE + other + third)
    assert fault(root) == (
        "small.toml:6: set.stride_nd has 1 value, but the kernel is 2D: expected 2 "
        "(from [defaults], in cases small/plain, small/third)"
    )


def test_fault_of_the_defaults_names_a_case_without_an_id(root: Path) -> None:
    nameless = CASE.replace('id = "plain"\n', "")
    assert nameless != CASE
    (root / "small.toml").write_text(SMALL_FILE + "latency = 3\n" + nameless)
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(root))
    assert (
        str(caught.value)
        .splitlines()[0]
        .endswith("/small.toml:6: latency: expected true or false, got 3 (from [defaults], in case small/(no id))")
    )


def test_very_long_id_is_cut_where_a_fault_of_the_defaults_names_it(root: Path) -> None:
    (root / "small.toml").write_text(SMALL_FILE + "set.stride_nd = 1\n" + CASE.replace("plain", "x" * 6000))
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(root))
    assert max(map(len, str(caught.value).splitlines())) < 1000


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["set.stride_nd = [4800000000000000000, 1]"], "is beyond 32 bits, the range of TensorRT's dimensions"),
        (["set.padding_nd = [4294967296, 1]"], "set.padding_nd: 4294967296 is beyond 32 bits"),
        (["kernel.values = [1, 2, 3, 4, 5, 6, 7, 8, 1e39]"], "kernel.values[8]: 1e+39 is beyond the range of float32"),
        (
            ['precision = "fp16"', "input.shape = [1, 1, 3, 3]", "input.values = [1, 2, 3, 4, 5, 6, 7, 8, 70000]"],
            "of float16",
        ),
        ([f"batch = {list(range(1, 66))}"], "batch: has 65 values, but at most 64 are allowed"),
        (["distinguishes = { a = 1.0, b = 2.0 }", "input.shape = [0, 1, 6, 9]"], "has 0 elements, expected 1 to"),
        (["distinguishes = { a = 1.0, b = 2.0 }", "input.shape = [9, 1, 600, 900]"], "too large to verify here"),
        (["epilogue = [{ op = 'clip', low = 0.0, high = 1e300 }]"], "high: 1e+300 is not exactly representable"),
        (["formats = { input = 'DHWC8', padding = 'nan' }", "input.shape = [3]"], "input.shape has 1 dimension"),
        (["large = true", "input.shape = [70000, 1, 300, 300]"], "has 6300000000 elements, more than the 4294967296"),
    ],
)
def test_values_beyond_their_range(lines: list[str], message: str, root: Path) -> None:
    small(root, *lines)
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(root))
    assert message in str(caught.value)


def test_output_limit_is_stated_as_it_is_for_large_cases(root: Path) -> None:
    small(root, "large = true", "input.shape = [70000, 1, 200, 200]", "kernel.shape = [4, 1, 3, 3]")
    assert "expected 1 to 4294967296" in fault(root)


def test_file_of_very_many_cases_is_refused_before_they_are_made(root: Path) -> None:
    entry = '[[case]]\nid = "c{0}"\ndoc = "convolution number {0}"\n'
    listed = f"batch = {list(range(1, 65))}\n"
    (root / "small.toml").write_text(SMALL_FILE + listed + "".join(entry.format(i) for i in range(1600)))
    assert fault(root).startswith("small.toml:1: expands to 102400 cases, but at most 100000 are allowed in a file")


# Expectations.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("expectation = 5\n", "1: expectation: expected [[expectation]] tables, got 5"),
        (
            KNOWN.replace("[expectation]", "[expectations]"),
            '1: unknown key "expectations"; did you mean "expectation"?',
        ),
        (KNOWN + "also = 5\n", "10: also: expected an array, got 5"),
        (KNOWN + "when = 1\n", '10: unknown key "when"; '),
        (KNOWN + "where = 1\n", "10: where: expected a table, got 1"),
        (KNOWN + "where = { precision = 'fp64' }\n", '10: where.precision: unknown value "fp64"'),
        (KNOWN.replace("as if: .*", "x{99999999999}"), "1: difference: "),
        (KNOWN.replace("as if: .*", "(" * 900 + ")" * 900), "1: difference: "),
        (KNOWN.replace("as if: .*", "((a+)+)+b"), "repeats a group that has a repeat inside"),
        (KNOWN.replace("small/plain-fp32", "small/plane-*"), '9: cases: "small/plane-*" matches no case'),
        (KNOWN + KNOWN, '11: duplicate id "known": already at '),
        (KNOWN + 'versions = "eight"\n', '1: versions: "eight" is not a version range'),
        (KNOWN.replace("deviation", "bug"), '1: cause "bug" needs "link"'),
    ],
)
def test_lint_reads_expectations(text: str, message: str, root: Path) -> None:
    (root / "expectations").mkdir()
    (root / "expectations" / "known.toml").write_text(KNOWN)
    assert len(lint_folders(CaseFolder.at(root))[1]) == 1
    (root / "expectations" / "known.toml").write_text(text)
    found = fault(root)
    assert found.startswith("expectations/known.toml:")
    assert message in found
    with pytest.raises(CaseFileError, match=re.escape(found.removeprefix("expectations/known.toml"))):
        load_expectations(load_catalog(CaseFolder.at(root)))


def test_lint_names_faults_of_cases_and_of_expectations_together(root: Path) -> None:
    (root / "expectations").mkdir()
    (root / "expectations" / "known.toml").write_text("expectation = 5\n")
    small(root, "strides = 1")
    with pytest.raises(CaseFileError, match="2 faults in 2 files"):
        lint_folders(CaseFolder.at(root))


def test_expectations_of_a_folder_that_is_not_there_are_none(tmp_path: Path) -> None:
    assert read_expectations(tmp_path / "missing", ids=()) == ([], [])


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("as if: .*(bias|kernel)_dropped", None),
        (r"\(a+\)+ and [(a+)+]", None),
        ("(?:abc)+ (a?)+", None),
        ("(a+)+", "repeats a group"),
        ("(?:x(a{2,}|b))*", "repeats a group"),
        ("((a+)b){3}", "repeats a group"),
        ("(", "is not a valid regular expression"),
        ("[[a]", "is not a valid regular expression"),
        ("a{99999999999}", "is not a valid regular expression"),
        ("x" * 1001, "is too long"),
    ],
)
def test_patterns(pattern: str, fault: str | None) -> None:
    found = pattern_fault(pattern)
    assert found is None if fault is None else found is not None and fault in found


# Sweeps.


def sweep(root: Path, text: str) -> str:
    (root / "sweeps").mkdir(exist_ok=True)
    (root / "sweeps" / "tiny.toml").write_text(text)
    return fault(root)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('fp16.precision = "fp16"', 'fp16.precision = "fp15"', 'precision: unknown value "fp15"; did you mean'),
        ('fp16.precision = "fp16"', "fp16.precision = ['fp16']", "precision: unknown value"),
        ('{ stride = "s1" }', "{ stride = ['s1'] }", 'usual.stride: expected the name of a value, got ["s1"]'),
        ("where = { precision = ['int8'], window = ['f1'] }", "where = true", "where: expected a table, got true"),
        ("maps = 4", "maps = 99999999", "maps: must be at most 65536, got 99999999"),
        ("size = [4, 7, 10]", "size = [4, 7, 4294967296]", "must be at most 2147483647"),
    ],
)
def test_values_of_a_sweep(old: str, new: str, message: str, root: Path) -> None:
    text = fuzz_cases.SMALL_SWEEP.replace('["int8"], window = ["f1"]', "['int8'], window = ['f1']")
    assert old in text
    assert message in sweep(root, text.replace(old, new))


def test_matrix_of_eight_axes_is_counted_and_not_made(root: Path) -> None:
    values = "\n".join(f"[axis.a{axis}]\n" + "".join(f"v{axis}x{n} = {{}}\n" for n in range(16)) for axis in range(8))
    head = 'section = "s"\nsource = "x"\nseed = 1\n'
    found = sweep(root, head + values + COVERED.replace("pairwise", "matrix"))
    assert f"has {16**8} combinations of all axes, but at most 100000 are allowed" in found
    many = "\n".join(f"[axis.a{axis}]\n" + "".join(f"v{axis}x{n} = {{}}\n" for n in range(50)) for axis in range(40))
    assert "combinations to cover, but at most 1000000 are allowed" in sweep(root, head + many + COVERED)


def test_line_of_the_rows_that_is_not_a_row(root: Path) -> None:
    (root / "sweeps").mkdir()
    (root / "sweeps" / "tiny.toml").write_text(fuzz_cases.SMALL_SWEEP)
    expand_all(CaseFolder.at(root))
    stored = root / "sweeps" / "tiny.rows"
    assert load_catalog(CaseFolder.at(root)).sweeps
    stored.write_text(stored.read_text() + "f9_fp32\n")
    count = stored.read_text().count("\n")
    assert (
        f'tiny.rows:{count}: "f9_fp32" is not a row of this sweep: run `trt-conformance cases expand --cases'
        in fault(root)
    )
    expand_all(CaseFolder.at(root))
    assert load_catalog(CaseFolder.at(root)).sweeps


def test_rows_that_cannot_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "sweeps").mkdir()
    (root / "sweeps" / "tiny.toml").write_text(fuzz_cases.SMALL_SWEEP)

    def refusing(path: Path) -> object:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(rows, "replacing", refusing)
    with pytest.raises(ConformanceError, match=r"tiny\.rows: cannot be written: Read-only file system"):
        expand_all(CaseFolder.at(root))


def test_exclusions_that_are_too_entangled_end_the_search() -> None:
    # Pigeons in holes: no row is possible, and to see that takes factorial time.
    holes = [f"h{n}" for n in range(9)]
    domains = {f"p{n}": holes for n in range(10)}
    exclusions = [
        {one: frozenset({hole}), other: frozenset({hole})}
        for hole in holes
        for index, one in enumerate(domains)
        for other in list(domains)[index + 1 :]
    ]
    with pytest.raises(ConformanceError, match="too complex to decide"):
        Possible(domains, exclusions)((("p0", "h0"),))


# Mutations of the suite's own files.


@pytest.mark.parametrize("kind", fuzz_cases.KINDS)
def test_mutated_files_are_loaded_or_refused_in_plain_words(kind: str) -> None:
    outcome = fuzz_cases.fuzz(kind, seed=7, indices=range(150))
    assert outcome.failures == {}
    assert (outcome.tried, outcome.loaded > 0) == (150, True)


def test_fuzzing_finds_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(root: Path) -> None:
        raise IndexError("tuple index out of range")

    monkeypatch.setattr(fuzz_cases, "load_catalog", broken)
    assert fuzz_cases.fuzz("case", seed=7, indices=range(3)).counts.total() == 3
    monkeypatch.setattr(fuzz_cases, "load_catalog", lambda root: (_ for _ in ()).throw(ConformanceError("bad")))
    assert set(fuzz_cases.fuzz("case", seed=7, indices=range(3)).counts) == {"a message without file and line"}
