"""``trt-conformance explore``: what it prints, records and ends with."""

import json

import pytest
from typer.testing import CliRunner

from tests.doubles.flipped import FlippedKernel
from tests.doubles.wrong_if import WrongIf
from tests.support.suite import suite_catalog
from trt_conformance.catalog import catalog as catalog_module
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.cli import app
from trt_conformance.cli.explore import duration
from trt_conformance.cli.explore_run import clock
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.results.record.record import read_record
from trt_conformance.targets.device import sharing
from trt_conformance.targets.isolation import proxy
from trt_conformance.targets.numpy import NumpyTarget

pytestmark = pytest.mark.usefixtures("shared_suite")


def is_wide(case):
    return case.kernel.shape[0] > 4


TARGETS = {"numpy": NumpyTarget, "flipped": FlippedKernel, "wide": lambda: WrongIf(is_wide)}
FLIPPED = ("--target", "flipped", "--focus", "fp32", "--seed", 1)


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """The targets, in this process."""
    monkeypatch.setattr(proxy, "open_target", lambda spec, options=None: TARGETS[spec]())
    monkeypatch.setattr(catalog_module, "load_catalog", lambda *_, **__: suite_catalog())


RECORD = ROOT / "tests" / "data" / "rtx_1_7.jsonl"


def invoke(tmp_path, *arguments):
    return CliRunner().invoke(app, ["explore", "--record-root", str(tmp_path), *map(str, arguments)])


def recorded(tmp_path):
    (path,) = tmp_path.rglob("record.jsonl")
    return read_record(path)


def test_nothing_found_ends_with_0(tmp_path):
    done = invoke(tmp_path, "--target", "numpy", "--seed", 7, "--draws", 12)
    assert done.exit_code == 0, done.output
    assert "12 draws, 0 of them failed, 0 finds" in done.output
    record = recorded(tmp_path)
    assert [verdict.case.rpartition("-")[0] for verdict in record.verdicts] == [f"explore_s7/n{n}" for n in range(12)]
    assert (record.end.exit, record.end.stopped) == (0, False)
    assert record.header.environment.to_json()["explore"] == {"seed": 7, "focus": "", "near": ""}
    assert not list(tmp_path.rglob("*.toml"))


def test_a_find_ends_with_1_and_has_a_case_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(tmp_path, "--target", "flipped", "--seed", 1, "--draws", 6, "--focus", "fp32")
    assert done.exit_code == 1, done.output
    assert "find 1: forward fails; fp32 input [1, 1, 1, 2], kernel [1, 1, 1, 2]" in done.output
    assert "as if: a true convolution: the window is flipped on H and W (kernel_flipped)" in done.output
    record = recorded(tmp_path)
    (folder,) = (path.parent.relative_to(tmp_path) for path in tmp_path.rglob("record.jsonl"))
    assert done.output.splitlines()[-2:] == [f"record: {folder}", f"case files: {folder / 'finds'}"]
    found = [verdict for verdict in record.verdicts if verdict.case.startswith("found_")]
    assert found and all(verdict.check == "forward" for verdict in found)
    cases = load_catalog(CaseFolder.at(next(tmp_path.rglob("finds"))), tier=None).cases
    assert {case.id for case in cases} == {verdict.case for verdict in found}
    assert record.end.exit == 1


def test_the_report_reads_the_record(tmp_path):
    invoke(tmp_path, "--target", "flipped", "--seed", 1, "--draws", 6, "--focus", "fp32")
    (record,) = tmp_path.rglob("record.jsonl")
    done = CliRunner().invoke(app, ["report", str(record.parent)])
    assert done.exit_code == 0, done.output
    assert "found_s1_n" in next(record.parent.rglob("*.html")).read_text()


OURS = """\
[[expectation]]
id = "flips"
cause = "deviation"
doc = "our library flips every kernel"
targets = ["flipped*"]
where = { precision = "fp32" }
also = ["*"]
checks = ["forward", "inputs"]
phase = "compare"
difference = "output|second input"
"""
LAYER = """\
section = "my network"
source = "written by hand"

[[case]]
id = "stem"
doc = "the first layer"
input = { shape = [1, 3, 12, 12], fill = "exact_integers" }
kernel = { shape = [4, 3, 3, 3], fill = "exact_integers" }
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder of cases of a user's own."""
    monkeypatch.setattr(catalog_module, "load_catalog", load_catalog)
    folder = tmp_path / "my cases"
    (folder / "expectations").mkdir(parents=True)
    (folder / "nets.toml").write_text(LAYER)
    return folder


def test_variations_of_a_case_of_an_own_folder(tmp_path, mine):
    done = invoke(tmp_path, "--target", "flipped", "--seed", 1, "--draws", 4, "--near", "nets/stem", "--cases", mine)
    assert done.exit_code == 1, done.output
    (file, *_) = tmp_path.rglob("found_*.toml")
    assert f"--near nets/stem --cases '{mine}'" in file.read_text(), "the file says which command found it"


def test_an_own_condition_makes_a_difference_known(tmp_path, mine):
    arguments = (*FLIPPED, "--draws", 4, "--cases", mine)
    assert invoke(tmp_path / "before", *arguments).exit_code == 1
    (mine / "expectations" / "ours.toml").write_text(OURS)
    done = invoke(tmp_path / "after", *arguments)
    assert done.exit_code == 0, done.output
    assert {verdict.known for verdict in recorded(tmp_path / "after").verdicts if verdict.status == "fail"} == {"flips"}
    (mine / "expectations" / "ours.toml").write_text("expectation = 5")
    assert "expected [[expectation]] tables" in str(invoke(tmp_path / "bad", *arguments).exception)


def test_json_is_the_finds(tmp_path):
    done = invoke(tmp_path, "--target", "flipped", "--seed", 1, "--draws", 3, "--focus", "fp32", "--json")
    finds = json.loads(done.stdout)
    assert finds[0]["check"] == "forward"
    assert "found_s1_n" in finds[0]["file"]


def draws_of(record):
    return [int(verdict.case.partition("/n")[2].split("-")[0]) for verdict in record.verdicts if "/n" in verdict.case]


def test_a_resumed_search_continues_its_record(tmp_path):
    first = invoke(tmp_path, "--target", "wide", "--seed", 1, "--draws", 12)
    assert first.exit_code == 1
    before = recorded(tmp_path)
    (path,) = tmp_path.rglob("record.jsonl")
    again = invoke(tmp_path, "--target", "wide", "--resume", path, "--draws", 8)
    assert again.exit_code == 1, again.output
    assert again.output.startswith("8 draws")  # what the earlier part found is not found anew
    assert "1 find;" in again.output
    after = recorded(tmp_path)
    assert after.verdicts[: len(before.verdicts)] == before.verdicts
    assert sorted(draws_of(after)) == list(range(20))
    assert after.end.counts["fail"] == sum(verdict.is_fault for verdict in after.verdicts)


def test_a_killed_search_is_resumed(tmp_path):
    """Its record has no closing line, and the last line is cut."""
    invoke(tmp_path, *FLIPPED, "--draws", 5)
    (path,) = tmp_path.rglob("record.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]) + lines[-2][:20])
    invoke(tmp_path, "--target", "flipped", "--resume", path.parent, "--draws", 3)
    record = recorded(tmp_path)
    assert record.complete
    assert sorted(set(draws_of(record))) == list(range(len(draws_of(record))))


def test_a_second_target_judges_each_find(tmp_path):
    done = invoke(tmp_path, *FLIPPED, "--draws", 3, "--against", "numpy")
    assert "  numpy: pass" in done.output
    assert {verdict.status for verdict in recorded(tmp_path).verdicts if verdict.target == "numpy"} == {"pass"}
    same = invoke(tmp_path / "same", *FLIPPED, "--draws", 3, "--against", "flipped")
    assert "  flipped-kernel: fails in forward: output: 1/1 elements beyond the bound" in same.output


def test_draws_near_a_case(tmp_path):
    done = invoke(tmp_path, "--target", "numpy", "--near", "stride_nd/h2_w2-fp32", "--seed", 2, "--draws", 4)
    assert done.exit_code == 0, done.output
    assert recorded(tmp_path).header.environment.to_json()["explore"]["near"] == "stride_nd/h2_w2-fp32"


def test_several_processes_share_the_draws(tmp_path):
    done = invoke(tmp_path, "--target", "numpy", "--seed", 2, "--draws", 9, "--jobs", 3)
    assert done.exit_code == 0, done.output
    assert sorted(draws_of(recorded(tmp_path))) == list(range(9))


def test_each_gpu_has_a_process(tmp_path, monkeypatch):
    given = []

    def opened(spec, options):
        given.append(options.gpu)
        return NumpyTarget()

    monkeypatch.setattr(proxy, "open_target", opened)
    monkeypatch.setattr(sharing, "gpus_of_one_kind", lambda: 2)
    monkeypatch.setenv(sharing.VISIBLE, "3,5")
    done = invoke(tmp_path, "--target", "numpy", "--seed", 2, "--draws", 12)
    assert done.exit_code == 0, done.output
    assert sorted(given) == ["3", "5"]


def test_ctrl_c_leaves_a_whole_record(tmp_path, monkeypatch):
    class Interrupted(NumpyTarget):
        built = 0

        def build(self, case):
            Interrupted.built += 1
            if Interrupted.built > 4:
                raise KeyboardInterrupt
            return super().build(case)

    monkeypatch.setitem(TARGETS, "numpy", Interrupted)
    done = invoke(tmp_path, "--target", "numpy", "--seed", 1, "--draws", 30)
    assert done.exit_code == 130
    record = recorded(tmp_path)
    assert record.end.stopped
    assert record.verdicts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--focus", "int9"], '--focus: no precision or theme "int9"; did you mean "int8"?'),
        (["--time", "soon"], "--time: expected a duration such as 90s, 30m or 8h, got 'soon'"),
        (["--time", "0"], "--time: expected a duration such as 90s, 30m or 8h, got '0'"),
        (["--near", "no/such"], "no case has the id 'no/such'"),
        (["--near", "layers/window_of_one_axis"], "--near: "),
        (["--resume", "none.jsonl"], "none.jsonl: no such file or folder"),
        (["--resume", RECORD], "not the record of a search: `trt-conformance explore` did not write it"),
        (
            ["--resume", RECORD, "--seed", 3],
            "--seed: a resumed search uses the value of its record; leave this option out",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    done = invoke(tmp_path, "--target", "numpy", "--draws", 1, *arguments)
    assert isinstance(done.exception, ConformanceError)
    assert message in str(done.exception)
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_search_of_another_target_is_not_resumed(tmp_path):
    invoke(tmp_path, *FLIPPED, "--draws", 1)
    (path,) = tmp_path.rglob("record.jsonl")
    done = invoke(tmp_path, "--target", "numpy", "--resume", path)
    assert "--resume: the record's target is flipped-kernel, not numpy" in str(done.exception)


def test_durations():
    assert [duration(text) for text in ("90", "90s", "1.5m", "8h")] == [90, 90, 90, 28_800]
    assert [clock(seconds) for seconds in (5, 125.9, 3723)] == ["0:05", "2:05", "1:02:03"]
