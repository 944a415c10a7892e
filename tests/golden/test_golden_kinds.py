"""How a golden is kept: tensors, a hash, or computed in the run; what decides it, and what each notices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.helpers import SMALL_FILE, make_case
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.golden_kind import MOST_HASHED, MOST_STORED, golden_kind
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.cli.golden import app
from trt_conformance.core.case import Case
from trt_conformance.golden import GoldenError, computed, diff, expected_result, hashes, update, verify
from trt_conformance.golden.digest import digest
from trt_conformance.numerics.reference import result as reference_module
from trt_conformance.numerics.reference.result import Result, reference

LAYER: dict[str, Any] = {
    "input": {"shape": [1, 8, 24, 24], "fill": "uniform", "seed": 1},
    "kernel": {"shape": [8, 8, 3, 3], "fill": "uniform", "seed": 2},
    "bias": {"fill": "uniform", "seed": 3},
    "set": {"padding_nd": [1, 1]},
}
HASHED = make_case(id="layers/rounded", file="cases/imported/layers.toml", **LAYER)
INT8 = make_case(
    id="layers/quantized",
    file="cases/imported/layers.toml",
    precision="int8",
    quantize={"input": 0.01, "kernel": [0.01], "output": 0.1},
    **LAYER,
)
CASES = (HASHED, INT8)
FILE = "hashes/imported/layers.tsv"


@pytest.fixture(autouse=True)
def _no_reference_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computed, "_LAST", {})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    update(Catalog(CASES, {}), root=tmp_path)
    return tmp_path


def sized(inputs: int, **fields: Any) -> Case:
    """A case of so many elements, with as many outputs."""
    return make_case(
        input={"shape": [1, 1, 1, inputs], "fill": "ramp"},
        kernel={"shape": [1, 1, 1, 1], "values": [1.0]},
        **fields,
    )


def test_the_size_decides_unless_the_case_does() -> None:
    assert golden_kind(sized(MOST_STORED)) == "tensors"
    assert golden_kind(sized(MOST_STORED + 1)) == "hash"
    assert golden_kind(sized(MOST_HASHED // 2)) == "hash"
    assert golden_kind(sized(MOST_HASHED // 2 + 1)) == "computed"
    assert golden_kind(sized(MOST_STORED + 1, golden="tensors")) == "tensors"
    assert golden_kind(sized(4, golden="hash")) == "hash"
    assert golden_kind(sized(4, golden="computed")) == "computed"
    assert golden_kind(sized(4, latency=True)) == golden_kind(sized(4, large=True)) == "computed"
    assert golden_kind(sized(4, tier="ci")) == "hash"


def test_what_is_refused_has_none() -> None:
    assert golden_kind(sized(4, reject={"phase": "build", "error": "no such thing"})) is None
    assert golden_kind(make_case(kernel={"shape": [1, 1, 9, 9], "fill": "ones"})) is None


def test_hashes_are_written_and_right(root: Path) -> None:
    assert hashes.files_in(root) == [FILE] and not list(root.rglob("*.h5"))
    states: list[str] = []
    assert verify(Catalog(CASES, {}), root, show=states.append) == diff(Catalog(CASES, {}), root=root) == []
    assert f"case {len(CASES)} of {len(CASES)}" in states[-1]
    entries = hashes.read_hashes(root / FILE)
    assert entries.keys() == {case.id for case in CASES}
    for case in CASES:
        assert "@-" in entries[case.id].outputs[0]
        assert np.array_equal(expected_result(case, root=root).output, reference(case).output)
    assert (root / FILE).stat().st_size < 120 * (1 + len(CASES))


def test_hashes_with_line_ends_of_windows_are_read(root: Path) -> None:
    (root / FILE).write_bytes((root / FILE).read_bytes().replace(b"\n", b"\r\n"))
    assert verify(Catalog(CASES, {}), root) == []


def test_chosen_hashes_are_verified_alone(root: Path) -> None:
    entries = hashes.read_hashes(root / FILE)
    del entries[INT8.id]
    hashes.write_hashes(root, FILE, {**entries, "layers/gone-fp32": entries[HASHED.id]})
    assert verify(Catalog(CASES, {}), root, cases=[HASHED]) == []
    assert [(p.kind, p.case) for p in verify(Catalog(CASES, {}), root, cases=[INT8])] == [("missing", INT8.id)]
    assert [p.kind for p in verify(Catalog(CASES, {}), root)] == ["missing", "extra"]


def test_another_order_of_adding_gives_the_same_hash(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convolve = reference_module.convolve_along

    def backwards(x, kernel, *rest):  # type: ignore[no-untyped-def]
        flipped = np.ascontiguousarray(x[:, ::-1]), np.ascontiguousarray(kernel[:, ::-1])
        return convolve(*flipped, *rest)

    before = reference(HASHED).output
    monkeypatch.setattr(reference_module, "convolve_along", backwards)
    assert not np.array_equal(reference(HASHED).output, before)
    assert verify(Catalog(CASES, {}), root) == []
    assert hashes.compute_entry(HASHED) == hashes.stored_entry(HASHED, root)
    expected_result(HASHED, root=root)


def test_one_element_that_changes_a_little_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convolve = reference_module.convolve_along

    def shifted(*arguments):  # type: ignore[no-untyped-def]
        y = convolve(*arguments)
        y.flat[1234] += 1e-5
        return y

    monkeypatch.setattr(reference_module, "convolve_along", shifted)
    with pytest.raises(GoldenError, match="the reference's output of run 0 does not have the golden's hash"):
        expected_result(HASHED, root=root)
    assert [(p.kind, p.case) for p in verify(Catalog(CASES, {}), root)] == [("differs", case.id) for case in CASES]
    assert [c.reason for c in diff(Catalog(CASES, {}), root=root)] == ["the reference gives another output"] * 2


def result_of(*values: float) -> Result:
    real = np.asarray(values).reshape(1, 1, 1, -1)
    return Result(real, real, np.ones_like(real), np.zeros_like(real), 7)


def test_a_multiple_is_taken_of_which_no_value_is_near_the_middle() -> None:
    usual = digest(HASHED, 0, result_of(0.3, 0.7))
    exponent = int(usual.hash.partition("@")[2])
    middle = 0.5 * 2.0**exponent
    for near in (middle, middle * (1 + 2.0**-26), 3 * middle):
        finer = digest(HASHED, 0, result_of(0.3, near))
        assert int(finer.hash.partition("@")[2]) > exponent
    assert digest(HASHED, 0, result_of(0.3, middle * 1.01)).hash.endswith(f"@{exponent}")


def test_values_near_every_middle_and_infinite_ones_have_no_hash() -> None:
    exponent = int(digest(HASHED, 0, result_of(0.3)).hash.partition("@")[2])
    with pytest.raises(GoldenError, match=r'near the middle .* set golden = "computed"'):
        digest(HASHED, 0, result_of(*(2.0 ** (exponent + step - 1) for step in range(40))))
    with pytest.raises(GoldenError, match=r'is not finite, .* set golden = "tensors"'):
        digest(HASHED, 0, result_of(0.3, np.inf))


def test_a_stored_multiple_counts_only_where_it_could_have_been_chosen() -> None:
    result = result_of(0.3, 0.7)
    exponent = int(digest(HASHED, 0, result).hash.partition("@")[2])
    assert digest(HASHED, 0, result, f"0123456789@{exponent + 5}").hash.endswith(f"@{exponent + 5}")
    # Multiples of 2^100 would be 0, whatever the values.
    assert digest(HASHED, 0, result, "0123456789@100").hash.endswith(f"@{exponent}")


def test_nothing_is_stored_of_what_is_computed(tmp_path: Path) -> None:
    case = HASHED.model_copy(update={"golden": "computed"})
    catalog = Catalog((case,), {})
    assert update(catalog, root=tmp_path) == verify(catalog, tmp_path) == []
    assert not list(tmp_path.rglob("*.tsv")) and not list(tmp_path.rglob("*.h5"))
    assert np.array_equal(expected_result(case, root=tmp_path).output, reference(case).output)


def test_a_case_that_changes_its_kind(root: Path) -> None:
    tensors = Catalog(tuple(case.model_copy(update={"golden": "tensors"}) for case in CASES), {})
    assert {(p.kind, p.file) for p in verify(tensors, root)} == {
        ("missing", "reference/imported/layers.h5"),
        ("manifest", "MANIFEST.json"),
        ("extra", FILE),
    }
    assert {c.action for c in update(tensors, root=root)} == {"add", "remove"}
    assert verify(tensors, root) == [] and not (root / FILE).exists()
    back = update(Catalog(CASES, {}), root=root)
    assert {(c.action, c.file) for c in back} >= {("add", FILE), ("remove", "reference/imported/layers.h5")}
    assert verify(Catalog(CASES, {}), root) == []


def test_lint() -> None:
    large = {"shape": [1, 1, 4096, 4096], "fill": "uniform"}
    found = [text for _, text in lint_case(make_case(source="a test", input=large, golden="hash"))]
    assert any(text.startswith("golden: 33,538,052 elements of inputs and outputs are too many") for text in found)
    assert not [t for _, t in lint_case(make_case(source="a test", input=large, golden="computed")) if "golden" in t]
    refused = make_case(golden="tensors", reject={"phase": "build", "error": "no such thing"})
    assert "golden: a case that every target refuses has no golden" in [text for _, text in lint_case(refused)]


def test_commands(tmp_path: Path) -> None:
    cases, store = tmp_path / "cases", tmp_path / "golden"
    cases.mkdir()
    entry = '[[case]]\nid = "{0}"\ndoc = "a golden that is {0}"\ngolden = "{0}"\n'
    text = SMALL_FILE + "".join(map(entry.format, ("tensors", "hash", "computed")))
    (cases / "kinds.toml").write_text(text, encoding="utf-8")

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, [*arguments, "--cases", str(cases), "--golden", str(store)])
        assert done.exit_code == code, done.output
        return str(done.output)

    assert "no hash yet; write it with `trt-conformance golden update kinds/hash-fp32" in run("show", "kinds/hash")
    assert "kinds.tsv:kinds/hash-fp32 (new)" in run("diff", code=1)
    run("update")
    assert "all goldens are present" in run("verify")
    assert "nothing would change" in run("diff")
    assert "run0/output" in run("show", "kinds/tensors")
    assert "(1x1x4x7: 12345.678" in run("show", "kinds/hash")
    assert "no stored reference: it is computed in the run" in run("show", "kinds/computed")
    shown = json.loads(run("show", "--json", "kinds/*"))
    (found,) = (entry for name, entry in shown.items() if name.endswith("kinds.tsv:kinds/hash-fp32"))
    assert found["sample"].startswith("1x1x4x7: ")
    path = next(store.rglob("kinds.tsv"))
    path.write_text(path.read_text(encoding="utf-8").replace("1x1x4x7", "1x1x4x8"), encoding="utf-8")
    assert "differs: kinds/hash-fp32" in run("verify", code=1)


def test_two_runs_have_two_hashes(tmp_path: Path) -> None:
    runs = [[1, 1, 3, 9], [1, 1, 7, 9]]
    dynamic = {"shape": [1, 1, -1, 9], "min": [1, 1, 3, 9], "opt": [1, 1, 6, 9], "max": [1, 1, 12, 9], "run": runs}
    case = make_case(id="example/dynamic", golden="hash", dynamic=dynamic)
    update(Catalog((case,), {}), root=tmp_path)
    entry = hashes.stored_entry(case, tmp_path)
    assert entry is not None and len(entry.outputs) == 2
    for index, shape in enumerate(runs):
        assert np.array_equal(expected_result(case, index, tmp_path).output, reference(case, shape).output)
