"""Long lists of cases are read whole, and what saves time there changes no fault."""

import itertools

import pytest

from tests.support.helpers import make_case
from trt_conformance.catalog import case_file
from trt_conformance.catalog.case_file import MAX_CASES
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.lint import vacuous
from trt_conformance.catalog.source import MAX_BYTES, CaseFileError
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.numerics.reference.shape import output_shape

HEAD = """section = "imported"
source = "a test"
[defaults]
input = { shape = [1, 8, 14, 14], fill = "uniform" }
kernel = { shape = [8, 8, 3, 3], fill = "uniform" }
precision = "fp32"
"""


def entry(number):
    return f'\n[[case]]\nid = "layer_{number}"\ndoc = "layer {number} of a list {"-" * 60}"\ninput.seed = {number}\n'


def test_a_file_of_more_than_a_megabyte_is_read(tmp_path):
    text = HEAD + "".join(map(entry, range(9000)))
    assert len(text) > 1_000_000
    (tmp_path / "imported.toml").write_text(text)
    cases = load_catalog(CaseFolder.at(tmp_path)).cases
    assert (len(cases), cases[-1].id) == (9000, "imported/layer_8999-fp32")
    assert text.splitlines()[cases[-1].line - 1] == "[[case]]"


def test_a_fault_at_the_end_of_a_long_file_has_its_line(tmp_path):
    text = HEAD + "".join(map(entry, range(500))) + "set.stride_nd = [1]\n"
    (tmp_path / "imported.toml").write_text(text)
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(tmp_path))
    (fault,) = caught.value.faults
    assert fault.line == len(text.splitlines())


def test_a_file_beyond_the_limits_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "imported.toml"
    path.write_text(HEAD + "".join(map(entry, range(3))))
    monkeypatch.setattr(case_file, "MAX_CASES", 2)
    with pytest.raises(CaseFileError, match="expands to 3 cases, but at most 2 are allowed in a file: split it"):
        load_catalog(CaseFolder.at(tmp_path))
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(CaseFileError, match=r"is too large: 32\.0 MB, but at most 32 MB are allowed; split it"):
        load_catalog(CaseFolder.at(tmp_path))
    assert MAX_CASES >= 30_000


@pytest.mark.parametrize(("size", "window"), list(itertools.product((1, 2, 7), (1, 3, 6))))
def test_what_is_taken_for_random_is_not_weak(size, window, monkeypatch):
    """A case that is not computed because its values are random would have been found sound."""
    random = []
    for stride, padding, dilation, maps in itertools.product((1, 2, 5), (0, 1, 3, 9), (1, 2), (1, 3)):
        if size + 2 * padding < 1 + dilation * (window - 1):
            continue  # not a convolution
        case = make_case(
            input={"shape": [1, 1, size, 4], "fill": "uniform"},
            kernel={"shape": [maps, 1, window, 1], "fill": "uniform", "seed": 1},
            set={"stride_nd": [stride, 1], "padding_nd": [padding, 0], "dilation_nd": [dilation, 1]},
        )
        if vacuous.is_random_throughout(case, case.input.shape):
            random.append(case)
    monkeypatch.setattr(vacuous, "is_random_throughout", lambda *_: False)
    for case in random:
        outputs = [output_shape(case.input.shape, case.kernel.shape, case.attributes)]
        assert list(vacuous.vacuous(case, outputs)) == [], case.set


@pytest.mark.parametrize(
    "changed",
    [
        {"input": {"shape": [1, 1, 6, 9], "fill": "ternary"}},
        {"kernel": {"shape": [1, 1, 3, 3], "fill": "ones"}},
        {"epilogue": [{"op": "relu"}]},
        {"set": {"padding_nd": [3, 0]}},
        {"set": {"dilation_nd": [2, 1]}},
        {"input": {"shape": [1, 1, 3, 3], "fill": "uniform"}},
    ],
)
def test_what_may_be_weak_is_computed(changed):
    random = {
        "input": {"shape": [1, 1, 6, 9], "fill": "uniform"},
        "kernel": {"shape": [1, 1, 3, 3], "fill": "uniform", "seed": 1},
    }
    case, other = make_case(**random), make_case(**(random | changed))
    assert vacuous.is_random_throughout(case, case.input.shape)
    assert not vacuous.is_random_throughout(other, other.input.shape)
