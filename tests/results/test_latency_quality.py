"""`benchmarks/latency_quality.py`: what it counts, and that it says no."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import latency_quality, quality_page
from benchmarks.latency_quality import alarms, delays, main, spread
from benchmarks.quality_page import figures, page
from tests.support.helpers import slow
from tests.support.runs import record, verdict
from trt_conformance.results.record.record import RecordWriter

CASES = [f"net/layer{index}_n1-fp16" for index in range(4)]


def run(seed, between=0.002, slower=1.0, effort="full"):
    """A run of a few short cases, whose medians vary from run to run by a fraction ``between``."""
    generator = np.random.default_rng(seed)
    found = []
    for index, case in enumerate(CASES):
        middle = 5e-6 * (index + 1) * slower * np.exp(between * generator.standard_normal())
        samples = (middle * np.exp(0.002 * generator.standard_normal(60))).tolist()
        figures = {"mode": "graph", "cold_l2": False, "samples": samples, "effort": effort}
        found.append(verdict(case, phase="latency", check="latency", figures=figures))
    return record(*found)


def test_the_spread_of_medians(capsys):
    spread([run(seed) for seed in range(10)])
    said = capsys.readouterr().out
    assert "full, up to 20 us: 4 cases, spread of 10 runs: median 0." in said


def test_repeated_runs_raise_no_alarm(capsys):
    assert alarms([run(seed) for seed in range(5)]) == 0
    said = capsys.readouterr().out
    assert "full, without calibration: 40 pairs: " in said
    assert "full, with the other runs as calibration: 40 pairs: " in said
    assert said.count(" 0 different") == 2


def test_a_run_that_is_slower_is_an_alarm(capsys):
    assert alarms([*(run(seed) for seed in range(5)), run(9, slower=1.2)]) > 0
    assert "full, with the other runs as calibration: 60 pairs: " in capsys.readouterr().out


def test_quick_latencies_are_counted_apart(capsys):
    both = [
        replace(full, verdicts=(*full.verdicts, *run(seed + 50, effort="quick").verdicts))
        for seed, full in enumerate(run(seed) for seed in range(4))
    ]
    assert alarms(both) == 0
    said = capsys.readouterr().out
    assert "full, without calibration: 24 pairs: " in said
    assert "quick, without calibration: 24 pairs: " in said


@pytest.mark.parametrize(("percent", "between", "least", "most"), [(2.0, 0.001, 1.0, 1.0), (0.2, 0.01, 0.0, 0.5)])
def test_a_planted_delay(percent, between, least, most, capsys):
    found = delays([run(seed, between) for seed in range(10)], percent, 20, 3, 0.005, 1e9)
    assert least <= found <= most
    assert f"full: a delay of {percent:g} % is found in {found * 20:.0f} of 20 trials" in capsys.readouterr().out


def test_too_few_runs_are_refused():
    with pytest.raises(SystemExit, match="3 runs are too few for 2 on each side"):
        delays([run(seed) for seed in range(3)], 2.0, 1, 2, 0.005, 1e9)


@pytest.mark.parametrize(("command", "code"), [(["alarms"], 0), (["delays", "--delay-percent", "0.01"], 1)])
def test_the_command_says_no(tmp_path, monkeypatch, command, code):
    paths = []
    for seed in range(8):
        writer = RecordWriter(tmp_path / str(seed), ["tensorrt-8.6.1-sm90"], {})
        for one in run(seed).verdicts:
            writer.write(one)
        writer.close({"counts": {"pass": 4}, "exit": 0})
        paths.append(str(writer.path))
    monkeypatch.setattr("sys.argv", ["latency_quality.py", *command, *paths, *(["--trials", "5"] if code else [])])
    assert main() == code


PAIRS = "pairs of runs of one thing that are called different, of all pairs"
FOUND = "planted delays of 2 % that are found, 4 runs a side"
SIZE = "processes, and cases in all of them"


@pytest.fixture(autouse=True)
def _few_trials(monkeypatch):
    """Ten trials show what two hundred show, in a twentieth of the time."""
    monkeypatch.setattr(quality_page, "TRIALS", 10)


def rows_of(runs):
    return {row.name: row for row in figures(runs)}


@pytest.mark.slow
def test_the_page_sets_figures_beside_goals():
    full, quick = [run(seed) for seed in range(12)], [run(seed, effort="quick") for seed in range(30, 42)]
    rows = figures({"full": full, "quick": quick})
    text = page({"full": full, "quick": quick}, rows, ["the command"])
    assert f"| {SIZE} | 10 processes (met) | 12, 4 | 12, 4 |" in text
    assert f"| {PAIRS} | 0 of 1000 at least (missed) | 0 of 264 | 0 of 264 |" in text
    assert f"| {FOUND} | 99% of 200 at least (met) | 10 of 10 |" in text
    assert text.count("| net/layer0_n1-fp16 |") == 2
    assert "the command" in text


@pytest.mark.parametrize(
    ("runs", "missed"),
    [
        slow([run(seed, between=0.02) for seed in range(12)], "spread of medians between 10 processes, up to 20 µs"),
        ([run(seed) for seed in range(9)], SIZE),
        slow([run(seed, between=0.03) for seed in range(12)], FOUND),
        ([run(seed) for seed in range(7)], FOUND),
        slow([*(run(seed) for seed in range(11)), run(99, slower=1.3)], PAIRS),
    ],
    ids=["spread", "processes", "power", "too few", "alarm"],
)
def test_a_goal_that_is_missed_is_marked(runs, missed):
    assert rows_of({"full": runs})[missed].missed


@pytest.mark.slow
def test_quick_latencies_have_no_goals():
    rows = rows_of({"quick": [run(seed, between=0.05, effort="quick") for seed in range(9)]})
    assert not any(row.missed for row in rows.values())


def test_the_page_is_collected_counted_and_written(tmp_path, monkeypatch, capsys):
    asked = []

    def collect(folder, target, latency, processes, budget, arguments):
        asked.append((latency, budget, arguments))
        for seed in range(3):
            writer = RecordWriter(folder / f"run{seed:02}", ["tensorrt-8.6.1-sm90"], {})
            for one in run(seed, effort=latency).verdicts:
                writer.write(one)
            writer.close({"counts": {"pass": 4}, "exit": 0})
            writer.path.rename(folder / f"run{seed:02}" / writer.path.name)

    monkeypatch.setattr(latency_quality, "collect", collect)
    command = ["latency_quality.py", "page", "--into", str(tmp_path / "into"), "--target", "tensorrt"]
    monkeypatch.setattr("sys.argv", [*command, "--budget", "100", "--full-case", "net/*"])
    assert main() == 1  # three runs are too few for the goals
    (full, first, cases), (quick, second, _) = asked
    assert (full, quick, cases) == ("full", "quick", ["--case", "net/*"])
    assert first < second <= 100
    assert f"missed: {SIZE}: full: 3, 4; quick: 3, 4" in capsys.readouterr().out
    assert "# Figures of the measurement" in (tmp_path / "into" / "figures.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match="is not empty"):
        main()
