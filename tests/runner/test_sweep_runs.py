"""Generated cases as pytest runs them: chosen by tier, checked as far as a target goes, named to run again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.helpers import run_pytest, slow
from tests.support.suite import suite_catalog
from trt_conformance.results.record.record import read_record

SWEEP = "cases/test_sweep.py"
FLIPPED = "tests/doubles/flipped.py:FlippedKernel"
LAYER = next(expanded for expanded in suite_catalog().sweeps if expanded.sweep.name == "layer")
SMOKE = set(LAYER.names("smoke"))
CI = LAYER.names("ci")
NIGHTLY_ONLY = next(name for name, row in LAYER.ids.items() if LAYER.rows[row][0] == "nightly")
CI_ONLY = next(name for name in CI if name not in SMOKE and "_f3_" in name and name.endswith("-fp32"))


def collected(*arguments: str) -> int:
    done = run_pytest(SWEEP, "--collect-only", "-q", "--target", "numpy", *arguments)
    found = re.search(r"^(\d+) tests? collected", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    return int(found[1])


@pytest.mark.slow
def test_tiers_grow_and_smoke_is_usual() -> None:
    smoke, ci = (collected("--tier", tier) for tier in ("smoke", "ci"))
    assert collected() == smoke < 100 < ci < 1500 < 10_000 <= sum(len(sweep.ids) for sweep in suite_catalog().sweeps)
    assert collected("--tier", "nightly", "--case", NIGHTLY_ONLY) == 1


def test_case_of_a_larger_tier_says_how_to_run_it() -> None:
    done = run_pytest(SWEEP, "--target", "numpy", "--case", CI_ONLY)
    assert done.returncode == 2
    assert f"{CI_ONLY} is of tier ci; add --tier ci" in done.stdout
    assert collected("--case", CI_ONLY.rpartition("-")[0], "--tier", "ci") == 1


def test_tier_that_does_not_exist() -> None:
    done = run_pytest(SWEEP, "--tier", "weekly")
    assert done.returncode == 4
    assert "invalid choice: 'weekly'" in done.stderr


@pytest.mark.parametrize(
    ("target", "checks"),
    [
        ("numpy", ["forward"]),
        slow("onnxruntime", ["network", "build", "forward"]),
    ],
)
def test_checks_of_a_generated_case(target: str, checks: list[str], tmp_path: Path) -> None:
    name = next(n for n in LAYER.names("smoke") if n.endswith("-fp32") and "dyn" not in n)
    done = run_pytest(SWEEP, "--target", target, "--case", name, "--record-root", str(tmp_path))
    assert done.returncode == 0, done.stdout
    (path,) = tmp_path.glob("*/record.jsonl")
    verdicts = read_record(path).verdicts
    assert [(v.case, v.check, v.status) for v in verdicts] == [(name, check, "pass") for check in checks]
    assert all(v.location.startswith("cases/sweeps/layer.toml:") for v in verdicts)


def test_wrong_convolution_fails_and_can_be_run_again(tmp_path: Path) -> None:
    done = run_pytest(SWEEP, "--target", FLIPPED, "--tier", "ci", "--case", CI_ONLY, "--record-root", str(tmp_path))
    assert done.returncode == 1
    (path,) = tmp_path.glob("*/record.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    (rerun,) = (line["figures"]["rerun"] for line in lines if line["kind"] == "verdict" and line["status"] == "fail")
    assert rerun == f'pytest "{SWEEP}::test_sweep[{CI_ONLY}-flipped-kernel]" --target {FLIPPED} --tier ci'
