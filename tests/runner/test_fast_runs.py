"""pytest with caches and builders: the same verdicts, cold or warm, and a statement of what was used."""

import json

import pytest

from tests.support.helpers import run_pytest
from tests.support.suite import know_as_linted

FILES = [f"cases/test_{name}.py" for name in ("build", "network", "reject", "metamorphic")]
OPTIONS = [*FILES, "--case", "num_groups/*", "--case", "exact_groups/three*", "-q"]
TIMES = {"build_s", "duration_s", "engine"}


@pytest.fixture(autouse=True)
def _rtx():
    pytest.importorskip("tensorrt_rtx")


def run(folder, *arguments):
    done = run_pytest(*OPTIONS, "--target", "tensorrt_rtx", "--record-root", str(folder), *arguments)
    (path,) = folder.rglob("record.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return done, lines


def told(lines):
    """All that a record says but for times and where engines came from; in no order, since workers share the run."""
    found = []
    for line in lines:
        if line["kind"] == "verdict":
            figures = {k: v for k, v in line["figures"].items() if k not in TIMES}
            found.append(json.dumps(line | {"figures": figures}, sort_keys=True))
    return sorted(found)


def used(lines):
    (counted,) = lines[-1]["engines"].values()
    return counted


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cold")
    know_as_linted(folder / "cache")
    return folder / "cache", *run(folder / "run", "--cache-dir", str(folder / "cache"))


@pytest.mark.slow
def test_cold_warm_parallel_and_without_cache_say_the_same(cold, tmp_path):
    cache, done, first = cold
    warm, second = run(tmp_path / "warm", "--cache-dir", str(cache))
    _, parallel = run(tmp_path / "parallel", "--cache-dir", str(cache), "-n", "2")
    _, plain = run(tmp_path / "plain", "--no-cache", "--builders", "0", "--cache-dir", str(tmp_path / "none"))
    assert done.returncode == warm.returncode == 0, done.stdout
    assert told(first) == told(second) == told(parallel) == told(plain)
    assert len(told(first)) > 20
    assert set(used(first)) == {"built"}
    refused = sum("error" in line.get("figures", {}) for line in first)
    assert used(second) == {"cached": used(first)["built"], "remembered": refused} == used(parallel)
    assert used(plain) == used(first)
    assert not (tmp_path / "none").exists()
    assert "engines: " in warm.stdout
    (facts,), (plain_facts,) = (lines[0]["environment"]["targets"].values() for lines in (first, plain))
    assert (facts["cache"], plain_facts["cache"]) == ("engines", "none")


def test_a_damaged_cache_is_reported_and_fails_nothing(tmp_path):
    one = ("--cache-dir", str(tmp_path / "cache"), "--builders", "0", "-k", "test_build and three-fp16")
    know_as_linted(tmp_path / "cache")
    _, lines = run(tmp_path / "first", *one)
    assert used(lines) == {"built": 1}
    files = (path for path in (tmp_path / "cache" / "engines").rglob("*") if path.is_file())
    (victim, *_) = sorted(path for path in files if not path.suffix)
    victim.write_bytes(victim.read_bytes()[:100])
    done, lines = run(tmp_path / "again", *one)
    assert done.returncode == 0
    assert used(lines)["cache faults"] == 1
    assert "1 cache faults" in done.stdout
    (note,) = {line["figures"]["cache"] for line in lines if line.get("figures", {}).get("cache")}
    assert "corrupt" in note


def test_nothing_is_built_for_checks_that_need_no_engine(tmp_path):
    know_as_linted(tmp_path)
    done = run_pytest(
        "cases/test_network.py", "--case", "num_groups/*", "--target", "tensorrt_rtx", "--no-record",
        "--cache-dir", str(tmp_path), "-q",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    kept = [path for path in (tmp_path / "engines").rglob("*") if path.is_file()]
    assert kept and {path.suffix for path in kept} == {".network"}
