"""The gate's settings: read from a small file, put right by options, and refused with file and line."""

import pytest

from trt_conformance.core.errors import ConformanceError
from trt_conformance.numerics.samples import drift
from trt_conformance.results.latency.settings import GateSettings, read_settings


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "gate.toml"
        path.write_text(text)
        return path

    return write


def test_without_a_file_the_defaults_hold():
    assert read_settings(None, {"tolerance": None}) == GateSettings()


def test_a_file_is_read_and_its_records_lie_beside_it(written, tmp_path):
    path = written('[latency]\ntolerance = 0.05\nnormalise = true\ncalibration = ["a", "b"]\n')
    settings = read_settings(path, {})
    assert (settings.tolerance, settings.normalise, settings.across_modes) == (0.05, True, False)
    assert settings.calibration == (str(tmp_path / "a"), str(tmp_path / "b"))


def test_options_go_over_the_file(written):
    path = written("[latency]\ntolerance = 0.05\nnormalise = true\n")
    settings = read_settings(path, {"tolerance": 0.01, "normalise": False, "across_modes": None})
    assert (settings.tolerance, settings.normalise) == (0.01, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[latency]\ntolerence = 0.1\n", 'gate.toml:2: unknown key in latency: "tolerence"'),
        ("[latency]\n\ntolerance = 0\n", "gate.toml:3:"),
        ('[latency]\ntolerance = "much"\n', "gate.toml:2:"),
        ("tolerance = 0.1\n", "gate.toml:1: there is only the table"),
        ("[latency\n", "gate.toml:1:"),
    ],
    ids=["unknown key", "too small", "no number", "no table", "no TOML"],
)
def test_what_no_gate_knows_is_refused(written, text, message):
    with pytest.raises(ConformanceError) as fault:
        read_settings(written(text), {})
    assert message in str(fault.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConformanceError, match="cannot be read"):
        read_settings(tmp_path / "none.toml", {})


def test_drift_of_samples_around_zero():
    import numpy as np

    assert drift(np.asarray([0.0, 0.0, 1.0, 1.0])) == 0.0
