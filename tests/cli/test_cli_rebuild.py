"""``trt-conformance rebuild``: what it prints, records and ends with."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from tests.doubles import tactics as doubles
from tests.support.suite import suite_catalog
from trt_conformance.catalog import catalog as catalog_module
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.cli import app
from trt_conformance.cli.processes import shared_out
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.golden import update
from trt_conformance.results.record.record import read_record
from trt_conformance.targets.isolation import proxy

pytestmark = pytest.mark.usefixtures("shared_suite")

CASE = "stride_nd/h2_w2-fp32"
TARGETS = {"tactics": doubles.Tactics, "fickle": doubles.Fickle, "crashing_list": None}


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """The doubles, in this process."""
    monkeypatch.setattr(proxy, "open_target", lambda spec, options: TARGETS[spec]())
    monkeypatch.setattr(catalog_module, "load_catalog", lambda *_, **__: suite_catalog())


def invoke(tmp_path, *arguments):
    return CliRunner().invoke(app, ["rebuild", "--record-root", str(tmp_path), *map(str, arguments)])


def recorded(tmp_path):
    (path,) = tmp_path.rglob("record.jsonl")
    return read_record(path)


def test_rebuilds_are_printed_and_recorded(tmp_path):
    done = invoke(tmp_path, "--target", "fickle", "--times", 4, "--case", CASE)
    assert done.exit_code == 0, done.output
    assert f"pass         {CASE}  4 builds, 2 choices of GPU kernels (3+1), the same output bits" in done.output
    record = recorded(tmp_path)
    (verdict,) = record.verdicts
    assert (verdict.check, verdict.status) == ("rebuild", "pass")
    assert record.end.exit == 0
    assert record.targets == ("fickle",)


def test_the_record_is_named_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(tmp_path / "runs", "--target", "fickle", "--times", 2, "--case", CASE)
    (path,) = tmp_path.rglob("record.jsonl")
    assert done.output.splitlines()[-1].endswith(f"; record: {path.relative_to(tmp_path)}")


def test_every_tactic_is_run_and_a_wrong_one_ends_with_1(tmp_path):
    done = invoke(tmp_path, "--target", "tactics", "--every-tactic", "--case", CASE)
    assert done.exit_code == 1, done.output
    assert "3 of 5 tactics ran: 60 %" in done.output
    assert "1 not run: Could not find any implementation for node convolution." in done.output
    assert "tactic 0x0000000000000003 of 0x00000000800000a1 (kernel_3):" in done.output
    (verdict,) = recorded(tmp_path).verdicts
    assert verdict.figures["tactics"]["listed"] == 5
    assert verdict.figures["rerun"] == (f"trt-conformance rebuild --target tactics --every-tactic --case {CASE}")


OWN = """\
section = "my network"
source = "written by hand"

[[case]]
id = "stem"
doc = "the first layer"
input = { shape = [1, 3, 12, 12], fill = "exact_integers" }
kernel = { shape = [4, 3, 3, 3], fill = "exact_integers" }
"""


@pytest.mark.parametrize("golden", [None, "gold"])
def test_the_cases_of_an_own_folder(tmp_path, monkeypatch, golden):
    """They are built, the record names the folder, and the rerun line leads to it."""
    monkeypatch.setattr(catalog_module, "load_catalog", load_catalog)
    folder = tmp_path / "my cases"
    folder.mkdir()
    (folder / "nets.toml").write_text(OWN)
    update(load_catalog(CaseFolder.at(folder, golden and tmp_path / golden)))
    words = ["--cases", folder, *(["--golden", tmp_path / golden] if golden else [])]
    done = invoke(tmp_path, "--target", "tactics", "--every-tactic", *words)
    assert done.exit_code == 1, done.output
    record = recorded(tmp_path)
    (verdict,) = record.verdicts
    assert verdict.case == "nets/stem-fp32"
    assert [found.path for found in record.folders] == [folder]
    again = shlex.split(verdict.figures["rerun"])
    assert again[:2] == ["trt-conformance", "rebuild"]
    second = invoke(tmp_path / "again", *again[2:])
    assert second.exit_code == 1, second.output
    assert recorded(tmp_path / "again").verdicts[0].message == verdict.message


def test_the_timed_cases_of_an_own_folder_are_built(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog_module, "load_catalog", load_catalog)
    folder = tmp_path / "imported"
    folder.mkdir()
    (folder / "nets.toml").write_text(OWN.replace("exact_integers", "uniform") + "latency = true\n")
    done = invoke(tmp_path, "--target", "fickle", "--times", 1, "--cases", folder)
    assert [verdict.case for verdict in recorded(tmp_path).verdicts] == ["nets/stem-fp32"], done.output


def test_the_cases_are_spread_over_those_that_the_target_supports(tmp_path):
    done = invoke(tmp_path, "--target", "fickle", "--times", 1, "--count", 6)
    assert done.exit_code in (0, 1), done.output  # some of the cases demand a precision that this target does not have
    verdicts = recorded(tmp_path).verdicts
    assert len(verdicts) == 6
    assert len({verdict.case.partition("/")[0] for verdict in verdicts}) > 3
    assert "unsupported" not in {verdict.status for verdict in verdicts}


def test_json_is_the_verdicts(tmp_path):
    done = invoke(tmp_path, "--target", "fickle", "--times", 1, "--case", CASE, "--json")
    (verdict,) = json.loads(done.stdout)
    assert verdict["case"] == CASE


def test_ctrl_c_leaves_a_whole_record(tmp_path, monkeypatch):
    class Interrupted(doubles.Fickle):
        def build(self, case):
            raise KeyboardInterrupt

    monkeypatch.setitem(TARGETS, "fickle", Interrupted)
    done = invoke(tmp_path, "--target", "fickle", "--times", 2, "--case", CASE)
    assert done.exit_code == 130
    record = recorded(tmp_path)
    assert record.end.stopped
    assert [verdict.status for verdict in record.verdicts] == ["not run"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--case", "no/such"], "no case matches 'no/such'"),
        (["--tactics", "fastt"], "--tactics: expected fast, default, exhaustive, got 'fastt'; did you mean \"fast\"?"),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    done = invoke(tmp_path, "--target", "fickle", *arguments)
    assert isinstance(done.exception, ConformanceError)
    assert message in str(done.exception)
    assert not list(tmp_path.rglob("*.jsonl"))


@pytest.mark.parametrize(
    ("jobs", "gpus", "processes", "builders"),
    [(1, 1, 1, 0), (1, 2, 1, 0), (4, 1, 1, 4), (6, 1, 2, 3), (8, 2, 2, 4), (4, 0, 1, 4), (2, 2, 2, 0), (3, 2, 2, 2)],
)
def test_builds_at_the_same_time_are_shared_out_among_processes(jobs, gpus, processes, builders):
    assert shared_out(jobs, gpus, 4) == (processes, builders)


def test_threads_of_the_target_build_ahead(tmp_path, monkeypatch):
    given = []

    def open_target(spec, options):
        given.append(options)
        return doubles.Fickle()

    monkeypatch.setattr(proxy, "open_target", open_target)
    done = invoke(tmp_path, "--target", "fickle", "--times", 2, "--case", CASE, "--jobs", 3)
    assert done.exit_code == 0, done.output
    (options,) = given
    assert (options.builders, options.fresh, options.cache) == (3, True, None)
