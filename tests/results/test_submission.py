"""Whether a record can be submitted: each reason not to has a record that has it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.helpers import run_pytest
from tests.support.runs import ENVIRONMENT, TARGET, record, verdict
from trt_conformance.cli import app
from trt_conformance.cli import verify as command
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import GOLDEN
from trt_conformance.golden.sums import golden_sums, short_sums
from trt_conformance.results.profiles import ProfileResult
from trt_conformance.results.record.merge import merge
from trt_conformance.results.record.record import read_record, record_paths, save_record
from trt_conformance.results.record.schema import ListedFolder, Shard
from trt_conformance.results.submission import Checkout, check, choice_of, place_of

COMMIT = "0" * 40
SOURCE = {"commit": COMMIT, "clean": True}
GOLDENS = {"MANIFEST.json": "0" * 16, "reference/convolution/stride_nd.h5": "1" * 16}
CASES = ("stride_nd/h2_w2-fp32", "stride_nd/h2_w1-fp32")
OLDER = "1" * 40
OLD_GOLDENS = {"MANIFEST.json": "3" * 16}
CHECKOUT = Checkout(
    goldens=GOLDENS,
    goldens_at={COMMIT: GOLDENS, OLDER: OLD_GOLDENS}.get,
    has_same_cases={COMMIT: True, OLDER: False}.get,
    cases=lambda choice: CASES,
    has_commit=lambda commit: commit in (COMMIT, OLDER),
    profiles=lambda target, verdicts: [
        ProfileResult("float", "core", "doc", {verdict.case: verdict.status for verdict in verdicts}),
        ProfileResult("int8", "core", "doc", {"a/b-int8": "not run"}),
    ],
)
PATH = Path("anywhere/record.jsonl.gz")


def good(*verdicts, goldens=GOLDENS, folders=(), shard=None, **environment):
    """A record that can be submitted, unless something else is asked for."""
    found = record(*(verdicts or map(verdict, CASES)), **{"source": SOURCE} | environment)
    given = {"goldens": dict(goldens), "case_folders": list(folders), "shard": shard}
    return replace(found, header=found.header.model_copy(update=given))


def faults(found, path=PATH):
    return [fault.what for fault in check(path, found, CHECKOUT).faults]


def test_a_whole_record_can_be_submitted():
    found = check(PATH, good(), CHECKOUT)
    assert found.faults == ()
    assert (found.cases, found.of, found.place) == (2, 2, "results/tensorrt-8.6.1/h200/record.jsonl.gz")


def test_what_the_closing_line_counts_is_there():
    assert faults(counting(**{"pass": 2})) == []


def stopped():
    found = good()
    return replace(found, end=found.end.model_copy(update={"stopped": True}))


def ended(code):
    found = good()
    return replace(found, end=found.end.model_copy(update={"exit": code}))


def counting(**counts):
    found = good()
    return replace(found, end=found.end.model_copy(update={"counts": counts}))


def merged(*parts, of=2):
    shards = {
        str(index): good(verdict(CASES[index - 1]), shard=Shard(index=index, of=of, tests="x")) for index in parts
    }
    return merge(shards).record


def without_facts():
    return good(targets={})


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (replace(good(), end=None), "it has no closing line: the run was killed, or is still running"),
        (stopped(), "the run was stopped before all its tests had run"),
        (ended(2), "the run ended with exit code 2, not 0 or 1"),
        (ended(None), "the run ended with exit code None, not 0 or 1"),
        (counting(**{"pass": 3}), "its closing line counts 3 pass, but it has 2 pass"),
        (counting(**{"pass": 2, "fail": 1}), "its closing line counts 1 fail, 2 pass, but it has 2 pass"),
        (good(shard=Shard(index=1, of=2, tests="x")), "it is shard 1 of 2 alone"),
        (good(folders=[ListedFolder(path="mine", golden="mine/golden")]), "it has cases from folders other than"),
        (good(verdict(target="reference", check="golden")), "it has no check of a target"),
        (good(verdict(CASES[0])), f"1 of 2 cases of tier smoke have no verdict: {CASES[1]}"),
        (good(source={"commit": None, "clean": None}), "it does not state which commit was tested"),
        (good(source={"commit": "f" * 40, "clean": True}), f"commit {'f' * 12} is not in this repository"),
        (good(source=SOURCE | {"clean": False}), "the tree had uncommitted changes"),
        (good(source=SOURCE | {"clean": None}), "it does not state whether the tree was clean"),
        (good(goldens={}), "it does not state the goldens that it was compared with"),
        (
            good(goldens=GOLDENS | {"MANIFEST.json": "2" * 16}),
            "1 of 2 golden files match neither this checkout nor the run's commit: MANIFEST",
        ),
        (
            good(goldens={"MANIFEST.json": "0" * 16}),
            "1 of 2 golden files match neither this checkout nor the run's commit: ref",
        ),
        (good(targets={}), f"it does not state which version {TARGET} is"),
        (
            good(arguments=["cases", "--target", "tests/doubles/slowed.py:Slowed"]),
            "its target is tests/doubles/slowed.py:Slowed, not the registered one of that name",
        ),
        (good(device={"reason": "no driver"}), f"it does not state on which GPU {TARGET} ran"),
    ],
)
def test_what_cannot_be_submitted_is_refused_for_its_reason_alone(found, fault):
    said = faults(found)
    assert len(said) == 1, said
    assert said[0].startswith(fault)


def test_a_record_of_an_older_commit_is_judged_by_what_was_there():
    older = {"commit": OLDER, "clean": True}
    found = check(PATH, good(verdict(CASES[0]), goldens=OLD_GOLDENS, source=older), CHECKOUT)
    assert found.faults == ()
    assert found.notes == (
        "cases were changed since its commit",
        "it was compared with the goldens of its commit; 1 file changed since",
    )
    other = check(PATH, good(goldens={"MANIFEST.json": "4" * 16}, source=older), CHECKOUT)
    assert [fault.what.partition(":")[0] for fault in other.faults] == [
        "2 of 2 golden files match neither this checkout nor the run's commit"
    ]
    assert check(PATH, good(), CHECKOUT).notes == ()


def test_where_git_cannot_tell_the_checkout_counts():
    blind = replace(CHECKOUT, goldens_at=lambda commit: None, has_same_cases=lambda commit: None)
    assert check(PATH, good(), blind).faults == ()
    assert len(check(PATH, good(verdict(CASES[0]), goldens=OLD_GOLDENS), blind).faults) == 2


def test_a_record_of_two_versions_is_refused():
    both = [verdict(case, target=name) for case in CASES for name in (TARGET, "tensorrt-8.5.3-sm90")]
    facts = {name: {"version": "x"} for name in (TARGET, "tensorrt-8.5.3-sm90")}
    assert faults(good(*both, targets=facts)) == [f"it has several versions: {TARGET}, tensorrt-8.5.3-sm90"]


def test_an_implementation_beside_tensorrt_is_welcome():
    both = [verdict(case, target=name) for case in CASES for name in ("torch-2.11-cudnn9-sm90", TARGET)]
    found = good(*both)
    assert faults(found) == []
    assert place_of(found) == "results/tensorrt-8.6.1/h200/record.jsonl.gz"


def test_merged_shards_are_whole_or_refused():
    assert faults(merged(1, 2)) == []
    lacking = faults(merged(1))
    assert lacking[:2] == [
        "it has no closing line: the run was killed, or is still running",
        "it lacks 1 shard of 2: 2",
    ]


def test_parts_that_compared_with_other_goldens_are_not_merged():
    one, other = good(), good(goldens=GOLDENS | {"MANIFEST.json": "2" * 16})
    with pytest.raises(ConformanceError, match="these are runs with different goldens"):
        merge({"one": one, "other": other})
    assert merge({"one": one, "two": good()}).record.header.goldens == GOLDENS
    assert merge({"one": one, "old": good(goldens={})}).record.header.goldens == {}


def test_one_part_of_a_changed_tree_is_enough():
    changed = good(source=SOURCE | {"clean": False})
    assert "the tree had uncommitted changes" in faults(merge({"one": good(), "changed": changed}).record)


def test_a_chosen_part_is_no_fault_and_is_said():
    found = check(PATH, good(verdict(CASES[0]), arguments=["cases", "--case", "stride_nd/h2_w2"]), CHECKOUT)
    assert found.faults == ()
    assert (found.cases, found.of, found.choice.part) == (1, 2, ("--case stride_nd/h2_w2",))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["cases"], ("smoke", False, False, ())),
        (["cases", "--tier", "ci", "--target=tensorrt"], ("ci", False, False, ())),
        (["cases", "--tier=nightly", "--latency", "--large"], ("nightly", True, True, ())),
        (["--latency=quick", "cases"], ("smoke", False, False, ())),
        (["cases/test_forward.py", "-k", "a"], ("smoke", False, False, ("-k a", "cases/test_forward.py"))),
        (
            ["cases/test_forward.py::test_forward[x]"],
            ("smoke", False, False, ("cases/test_forward.py::test_forward[x]",)),
        ),
        (["cases", "--lf", "-m", "slow"], ("smoke", False, False, ("-m slow", "--lf"))),
        (["cases", "--target", "tests/doubles/flipped.py:FlippedKernel"], ("smoke", False, False, ())),
        (["cases", "--tier=bogus"], ("smoke", False, False, ())),
    ],
)
def test_what_a_run_chose_is_read_from_its_arguments(arguments, expected):
    found = choice_of(arguments)
    assert (found.tier, found.timed, found.large, found.part) == expected


def test_a_submission_lies_where_its_version_and_gpu_say(tmp_path):
    right = tmp_path / "results" / "tensorrt-8.6.1" / "h200" / "record.jsonl.gz"
    assert faults(good(), right) == []
    for wrong in ("results/8.6.1/h200/record.jsonl.gz", "results/tensorrt-8.6.1/h100/record.jsonl.gz"):
        assert faults(good(), tmp_path / wrong) == [f"it is at {wrong}"]


@pytest.mark.parametrize(
    ("gpu", "place"),
    [("NVIDIA GeForce RTX 4090", "geforce-rtx-4090"), ("../..", "unknown"), ("", "no-gpu")],
)
def test_the_place_is_a_plain_path(gpu, place):
    found = good(device=ENVIRONMENT["device"] | {"gpu": gpu or None, "reason": "x"})
    assert place_of(found) == f"results/tensorrt-8.6.1/{place}/record.jsonl.gz"


@pytest.fixture
def invoke(monkeypatch):
    monkeypatch.setattr(command, "_checkout", lambda: CHECKOUT)
    return lambda *arguments: CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_the_command_says_what_is_wrong_and_how_to_fix_it(tmp_path, invoke):
    save_record(tmp_path / "results" / "tensorrt-8.6.1" / "h200", good(), compressed=True)
    done = invoke(tmp_path / "results")
    assert done.exit_code == 0
    assert "note:" not in done.output
    assert "  profile float, core: pass\n" in done.output
    assert "profile int8" not in done.output
    assert "can be submitted as results/tensorrt-8.6.1/h200/record.jsonl.gz; 2 of 2 cases (tier smoke)" in done.output
    save_record(tmp_path / "results" / "tensorrt-8.6.1" / "h100", good(source=SOURCE | {"clean": False}))
    done = invoke(tmp_path / "results")
    assert done.exit_code == 1
    assert "  wrong: the tree had uncommitted changes\n  fix:   run the suite again in a clean clone" in done.output
    assert "1 of 2 records cannot be submitted" in done.output
    found = json.loads(invoke(tmp_path / "results", "--json").stdout)
    assert [len(one["faults"]) for one in found["records"]] == [2, 0]
    assert [one["profiles"][0]["result"] for one in found["records"]] == ["pass", "pass"]


def test_a_line_that_the_schema_refuses_is_named(tmp_path, invoke):
    path = save_record(tmp_path / "run", good())
    path.write_text(
        path.read_text(encoding="utf-8").replace('"phase": "compare"', '"phase": "guess"', 1), encoding="utf-8"
    )
    done = invoke(tmp_path / "run")
    assert done.exit_code == 1
    assert "record.jsonl:2: phase: " in done.output
    assert "1 of 1 record cannot be submitted" in done.output


def test_what_is_no_record_is_bad_input(tmp_path, invoke):
    for path, message in ((tmp_path, "contains no run record"), (tmp_path / "none.gz", "there is no such record")):
        done = invoke(path)
        assert isinstance(done.exception, ConformanceError)
        assert message in str(done.exception)


def test_records_are_found_below_versions_and_gpus(tmp_path):
    for version, gpu in (("tensorrt-8.6.1", "h200"), ("tensorrt-8.6.1", "h100"), ("tensorrt-10.1", "h200")):
        save_record(tmp_path / version / gpu, good(), compressed=True)
    save_record(tmp_path / "too" / "far" / "down", good())
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = [path.relative_to(tmp_path.resolve()).parent.as_posix() for path in record_paths([tmp_path])]
    assert found == ["tensorrt-10.1/h200", "tensorrt-8.6.1/h100", "tensorrt-8.6.1/h200"]


def test_the_sums_are_those_of_what_runs_compare_with(tmp_path):
    for file in ("MANIFEST.json", "reference/a.h5", "hashes/b.tsv", "observed/target/c.h5", "notes.txt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(file, encoding="utf-8")
    before = golden_sums(tmp_path)
    assert list(before) == ["MANIFEST.json", "hashes/b.tsv", "reference/a.h5"]
    (tmp_path / "reference" / "a.h5").write_text("other", encoding="utf-8")
    after = golden_sums(tmp_path)
    assert [file for file in before if before[file] != after[file]] == ["reference/a.h5"]
    assert short_sums(tmp_path) == {file: digest[:16] for file, digest in after.items()}


@pytest.mark.slow
def test_a_run_says_which_goldens_it_compared_with(tmp_path):
    arguments = ["--target", "numpy", "--case", "set_input/values", "--no-isolation", f"--record-root={tmp_path}"]
    done = run_pytest("cases/test_forward.py", *arguments)
    assert done.returncode == 0, done.stdout
    (path,) = record_paths([tmp_path])
    assert read_record(path).header.goldens == short_sums(GOLDEN)
