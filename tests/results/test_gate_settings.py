"""The gate's settings: read from a small file, put right by options, and refused with file and line."""

import os

import pytest

from tests.support import settings_fuzz
from tests.support.settings_fuzz import fuzz
from trt_conformance.core.errors import ConformanceError
from trt_conformance.numerics.samples import drift
from trt_conformance.results.gate_settings import GateSettings, read_gate_settings


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "gate.toml"
        path.write_text(text)
        return path

    return write


def test_without_a_file_the_defaults_hold():
    assert read_gate_settings(None, {"tolerance": None}) == GateSettings()


def test_a_file_is_read_and_its_records_lie_beside_it(written, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).touch()
    path = written('[latency]\ntolerance = 0.05\nnormalize = true\ncalibration = ["a", "b"]\n')
    settings = read_gate_settings(path, {}).latency
    assert (settings.tolerance, settings.normalize, settings.across_modes) == (0.05, True, False)
    assert settings.calibration == (str(tmp_path / "a"), str(tmp_path / "b"))


def test_options_go_over_the_file(written):
    path = written("[latency]\ntolerance = 0.05\nnormalize = true\n")
    settings = read_gate_settings(path, {"tolerance": 0.01, "normalize": False, "across_modes": None})
    assert (settings.latency.tolerance, settings.latency.normalize) == (0.01, False)


def test_tolerances_of_engines_have_a_table_of_their_own(written):
    path = written("[engine]\nplan_bytes_tolerance = 0.25\nbuild_time_tolerance = 1\n")
    settings = read_gate_settings(path, {"build_time_tolerance": 2.0}).engine
    assert (settings.plan_bytes_tolerance, settings.device_memory_tolerance) == (0.25, None)
    assert settings.build_time_tolerance == 2.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[engine]\nplan_bytes_tolerance = -1\n", "gate.toml:2: engine.plan_bytes_tolerance: must be at least 0"),
        ("[engine]\nplan_tolerance = 1\n", 'gate.toml:2: unknown key in engine: "plan_tolerance"'),
        ("[latency]\ntolerence = 0.1\n", 'gate.toml:2: unknown key in latency: "tolerence"'),
        ("[latency]\n\ntolerance = 0\n", "gate.toml:3:"),
        ('[latency]\ntolerance = "much"\n', "gate.toml:2:"),
        ("tolerance = 0.1\n", 'gate.toml:1: unknown key "tolerance"; expected one of latency, engine'),
        ("[latency\n", "gate.toml:1:"),
    ],
    ids=["negative", "unknown cost", "unknown key", "too small", "no number", "no table", "no TOML"],
)
def test_what_no_gate_knows_is_refused(written, text, message):
    with pytest.raises(ConformanceError) as fault:
        read_gate_settings(written(text), {})
    assert message in str(fault.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "gate.toml:1: cannot be read"),
        (b"[latency]\n\ntolerance = 0.1 # \xff\n", "gate.toml:3: is not UTF-8"),
        (b"latency = 5\n", "gate.toml:1: latency: expected a table"),
        (b"[latency]\ntolerance = nan\n", "gate.toml:2: latency.tolerance"),
        (b'[latency]\ncalibration = [\n"run",\n"none"]\n', "gate.toml:4: calibration: there is no run record at"),
        (b'[latency]\ncalibration = ["\\u0000"]\n', "gate.toml:2: calibration: there is no run record at"),
        (b"a = " + b"[" * 5000, "gate.toml:1: "),
        (b"#" * 40_000_000, "gate.toml:1: is too large: 40.0 MB"),
    ],
    ids=["absent", "bytes", "no_table", "nan", "no_record", "nul", "deep", "large"],
)
def test_every_fault_has_its_file_and_line(tmp_path, content, message):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.jsonl").touch()
    path = tmp_path / "gate.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConformanceError) as fault:
        read_gate_settings(path, {})
    assert message in str(fault.value)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "gate.toml")
    with pytest.raises(ConformanceError, match=r"gate\.toml:1: "):
        read_gate_settings(tmp_path / "gate.toml", {})


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf"), 5.0, 0.0])
@pytest.mark.parametrize("with_file", [True, False])
def test_an_option_is_checked_too(written, tolerance, with_file):
    with pytest.raises(ConformanceError, match=r"^--tolerance: "):
        read_gate_settings(written("[latency]\n") if with_file else None, {"tolerance": tolerance})


def test_options_of_both_tables_are_checked():
    with pytest.raises(ConformanceError) as fault:
        read_gate_settings(None, {"tolerance": 5.0, "plan_bytes_tolerance": -1.0})
    assert [line.partition(":")[0] for line in str(fault.value).split("\n")] == [
        "--tolerance",
        "--plan-bytes-tolerance",
    ]


def test_damaged_files_raise_nothing(tmp_path):
    counts, failures = fuzz(1500, 20261128, tmp_path)
    assert not failures
    assert counts["read"] > 100
    assert counts["refused"] > 100


def test_the_fuzzer_finds_a_message_without_a_line(tmp_path, monkeypatch):
    def unhelpful(*_):
        raise ConformanceError("no")

    monkeypatch.setattr(settings_fuzz, "read_gate_settings", unhelpful)
    assert len(fuzz(3, 1, tmp_path)[1]) == 3


def test_drift_of_samples_around_zero():
    import numpy as np

    assert drift(np.asarray([0.0, 0.0, 1.0, 1.0])) == 0.0
