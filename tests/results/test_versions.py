"""Versions side by side: each change between neighbors is one line with its cause and its smallest case.

Two of the records are of real runs, cut to a few cases: tests/data/rtx_1_4.jsonl and rtx_1_7.jsonl.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.results.test_engine_costs import built
from tests.support.helpers import make_case
from tests.support.latency_runs import run as timed
from tests.support.pages import Page
from tests.support.runs import record, verdict
from trt_conformance.catalog.expectations import Expectation, Expectations
from trt_conformance.cli import app, main
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import relative
from trt_conformance.results.record.record import read_record, save_record
from trt_conformance.results.record.schema import ListedFolder
from trt_conformance.results.report import view_of
from trt_conformance.results.report.matrix import matrix_page
from trt_conformance.results.report.matrix_text import changed_claims, tables
from trt_conformance.results.versions.columns import neighbors, of_targets, versions
from trt_conformance.results.versions.events import step
from trt_conformance.results.versions.matrix import matrix
from trt_conformance.results.versions.runs import read_runs
from trt_conformance.results.versions.since import histories

pytestmark = pytest.mark.usefixtures("shared_suite")

DATA = Path(__file__).parents[1] / "data"
RTX_1_4, RTX_1_7 = DATA / "rtx_1_4.jsonl", DATA / "rtx_1_7.jsonl"
INT8 = {
    "num_groups/int8_groups_of_8-int8",
    "set_input/values-int8",
    "exact_int8/full_range-int8",
    "exact_int8/extremes-int8",
}
RTX = "tensorrt_rtx-1.7.1-aot"
OLD, NEW, NEWER = "tensorrt-8.6.1-sm90", "tensorrt-10.13.0-sm90", "tensorrt-10.9.1-sm90"


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def of(target, *given):
    """A run of a target: each verdict of a case's id and fields."""
    return record(*(verdict(case, target=target, **fields) for case, fields in given))


def fault(message, **more):
    return {"status": "fail", "message": message} | more


def events_of(before, now, size=lambda case: 0):
    ((old, new),) = neighbors(versions([before, now]))
    return step(old, new, size).events


def told(events):
    return [(event.change, event.what, event.cause, event.cases) for event in events]


def test_versions_are_ordered_by_their_numbers_and_apart_for_each_gpu():
    other = "tensorrt-8.5.3-sm80"
    runs = [of(name, ("a/b-fp32", {})) for name in (NEW, OLD, other, NEWER)]
    found = versions(runs)
    assert [version.target for version in found] == [other, OLD, NEWER, NEW]
    assert [(old.label, new.label) for old, new in neighbors(found)] == [("8.6.1", "10.9.1"), ("10.9.1", "10.13.0")]


def test_runs_of_one_version_are_one_in_which_the_last_verdict_counts():
    first = of(OLD, ("a/b-fp32", fault("wrong")), ("a/c-fp32", {}))
    again = of(OLD, ("a/b-fp32", {}))
    again = replace(again, header=again.header.model_copy(update={"started": "2026-12-01T00:00:00+00:00"}))
    (version,) = versions([again, first])
    assert {key[0]: v.status for key, v in version.verdicts.items()} == {"a/b-fp32": "pass", "a/c-fp32": "pass"}
    assert len(version.started) == 2


def test_what_began_and_what_ended_is_a_line_for_each_cause_with_its_smallest_case():
    wrong = fault(
        "a/small [fp32] FAILED in compare  (x.toml:1)\n  output: 3/9 elements beyond the bound; worst at (n=0)"
    )
    before = of(OLD, ("a/large-fp32", {}), ("a/small-fp32", {}), ("a/old-fp32", {"known": "old_one"} | fault("no")))
    now = of(NEW, ("a/large-fp32", wrong), ("a/small-fp32", wrong), ("a/old-fp32", {}))
    sizes = {"a/large-fp32": 100, "a/small-fp32": 7, "a/old-fp32": 1}
    assert told(events_of(before, now, sizes.__getitem__)) == [
        (
            "began",
            "differs",
            "output: 3/9 elements beyond the bound; worst at (n=0)",
            ("a/small-fp32", "a/large-fp32"),
        ),
        ("ended", "differs", "old_one", ("a/old-fp32",)),
    ]


def test_another_cause_of_the_same_check_ended_and_began():
    before, now = of(OLD, ("a/b-fp32", fault("no", known="one"))), of(NEW, ("a/b-fp32", fault("never", known="two")))
    assert [(event.change, event.cause) for event in events_of(before, now)] == [("began", "two"), ("ended", "one")]


def test_the_same_difference_under_the_id_of_another_version_has_not_changed():
    before, now = of(OLD, ("a/b-fp32", fault("no", known="one"))), of(NEW, ("a/b-fp32", fault("no", known="two")))
    assert events_of(before, now) == ()


def test_what_is_unsupported_or_wider_began_too_and_what_only_one_has_says_nothing():
    wide = {"status": "fallback", "message": "the values are right, but it ran in fp32, not in fp16"}
    gone = {"status": "unsupported", "message": "PaddingMode.CAFFE_ROUND_UP does not exist in tensorrt 10.13.0"}
    before = of(OLD, ("a/b-fp16", {}), ("a/c-fp32", {}), ("a/only_old-fp32", fault("no")))
    now = of(NEW, ("a/b-fp16", wide), ("a/c-fp32", gone), ("a/only_new-fp32", fault("no")))
    assert [(event.change, event.what, event.cases) for event in events_of(before, now)] == [
        ("began", "fallback", ("a/b-fp16",)),
        ("began", "unsupported", ("a/c-fp32",)),
    ]


def test_a_version_in_a_message_is_no_change():
    lacks = "PaddingMode.CAFFE_ROUND_UP does not exist in tensorrt "
    before = of(OLD, ("a/b-fp32", {"status": "unsupported", "message": f"{lacks}8.6.1"}))
    now = of(NEW, ("a/b-fp32", {"status": "unsupported", "message": f"{lacks}10.13.0"}))
    assert events_of(before, now) == ()


def test_not_run_began_where_a_check_passed_and_ended_nothing_else():
    skipped = {"status": "not run", "message": "no GPU"}
    before = of(OLD, ("a/b-fp32", {}), ("a/c-fp32", fault("no", known="one")))
    now = of(NEW, ("a/b-fp32", skipped), ("a/c-fp32", skipped))
    assert told(events_of(before, now)) == [
        ("began", "not run", "no GPU", ("a/b-fp32",)),
        ("ended", "differs", "one", ("a/c-fp32",)),
    ]


def test_slower_and_faster_latencies_are_lines_by_kernel():
    before = timed(1, cases=12, target=OLD, gpu="NVIDIA H200")
    now = timed(2, {0: 1.3, 1: 0.7}, cases=12, target=NEW, gpu="NVIDIA H200", kernel="sm90_other")
    found = events_of(before, now)
    assert [(event.change, event.cause, event.cases) for event in found] == [
        ("slower", "sm80_xmma_fprop -> sm90_other", ("net/layer0_n8-fp16",)),
        ("faster", "sm80_xmma_fprop -> sm90_other", ("net/layer1_n8-fp16",)),
    ]
    assert "% on average" in found[0].amount


def test_plans_that_grew_are_a_line_that_says_which_part_grew():
    sizes = {"plan": 40_000, "stored_weights_bytes": 512}
    before = record(*(built(case, **sizes) for case in ("a/b-fp32", "a/c-fp32")))
    now = record(
        built("a/b-fp32", target=NEW, plan=90_000, stored_weights_bytes=50_512),
        built("a/c-fp32", target=NEW, plan=60_000, stored_weights_bytes=512),
    )
    assert [event.text() for event in events_of(before, now)] == [
        "larger: plan: code and metadata: 1 case, +50.0 % in all, the smallest a/c-fp32",
        "larger: plan: weights as stored: 1 case, +125.0 % in all, the smallest a/b-fp32",
    ]


def test_costs_that_changed_are_lines_that_compare_the_kernels_and_the_memory():
    def engine(case, target, plan, kernels, **figures):
        layers = [{"name": "layer", "type": "conv", "kernel": name} for name in kernels]
        return built(case, target=target, plan=plan, layers=layers, stored_weights_bytes=None, **figures)

    memory = {"device_memory_bytes": 4096, "workspace_bytes": 1024}
    before = [engine(f"a/{name}-fp32", OLD, 40_000, ["x", "y"], **memory) for name in "bcde"]
    now = [
        engine("a/b-fp32", NEW, 60_000, ["y", "x"], **memory),
        engine("a/c-fp32", NEW, 60_000, ["z"], device_memory_bytes=8192, workspace_bytes=5120),
        engine("a/d-fp32", NEW, 20_000, ["x", ""], device_memory_bytes=1024, workspace_bytes=1024),
        engine("a/e-fp32", NEW, 40_000, ["x", "y"], device_memory_bytes=8192, workspace_bytes=None),
    ]
    assert [event.text().partition(" case")[0] for event in events_of(record(*before), record(*now))] == [
        "larger: device memory: scratch memory, other kernels: 1",
        "larger: device memory: the same kernels: 1",
        "larger: plan: other kernels: 1",
        "larger: plan: the same kernels: 1",
        "smaller: device memory: tensors between layers: 1",
        "smaller: plan: the engines report no cause: 1",
    ]


def test_a_fault_of_an_old_run_has_the_cause_that_is_known_today():
    entry = {
        "id": "late", "cause": "deviation", "doc": "found later", "targets": ["tensorrt-*"], "cases": ["a/b-*"],
        "checks": ["forward"], "phase": "compare", "difference": "wrong bits",
    }  # fmt: skip
    expectations = Expectations([Expectation.model_validate(entry)])
    (version,) = versions([of(OLD, ("a/b-fp32", fault("wrong bits")), ("a/c-fp32", fault("wrong bits")))], expectations)
    assert [v.known for v in version.verdicts.values()] == ["late", ""]
    (passing,) = versions([of(OLD, ("a/b-fp32", {}))], expectations)
    assert [v.status for v in passing.verdicts.values()] == ["pass"]


@pytest.fixture(scope="module")
def real():
    return matrix([read_record(RTX_1_7), read_record(RTX_1_4)])


def test_between_two_real_versions_int8_began_to_be_built(real):
    (found,) = real.steps
    assert found.shared == len(found.before.verdicts) == len(found.now.verdicts)
    built_now = next(event for event in found.events if event.cause == "int8_not_built")
    assert (built_now.change, built_now.what, built_now.is_known) == ("ended", "differs", True)
    assert set(built_now.cases) == INT8
    assert {event.cause for event in found.events if event.change == "began"} == {"window_past_the_end_accepted"}


def test_a_row_of_a_known_difference_says_where_it_is_gone_and_where_nothing_ran(real):
    rows = {row.name: row.cells for row in real.known}
    assert rows["int8_not_built"][0] == "4"
    assert rows["int8_not_built"][1] == "0"
    one = matrix([of(OLD, ("a/b-fp32", fault("no"))), of(NEW, ("a/c-fp32", {}))])
    assert [(row.name, row.cells) for row in one.known] == [("unexplained", ("1", ""))]


def test_claims_and_families_have_a_column_for_each_version(real):
    families = {row.name: row.cells for row in real.families}
    assert families["set_input"][0] != families["set_input"][1]
    assert {document.name for document in real.documents} >= {"cookbook"}
    found = matrix([of(OLD, ("a/b-fp32", {})), of(NEW, ("a/b-fp32", fault("no")))])
    (document,) = found.documents
    assert [row.cells for _, row in found.claims_of(document)] == [("holds", "differs")]
    assert found.claim_counts[0].cells == ("1 holds", "1 differs")


def test_a_claim_changed_only_where_it_did_between_versions_of_one_flavor_on_one_gpu():
    """What a target without a GPU shows of a claim differs from what one with a GPU does, whatever their versions."""
    older, newer = (of(name, ("a/b-fp32", fault("no"))) for name in (RTX, "tensorrt_rtx-1.9.0-aot"))
    apart = matrix([of(OLD, ("a/b-fp32", {})), of(NEW, ("a/b-fp32", {})), older, newer])
    assert changed_claims(apart) == []
    assert len(changed_claims(matrix([of(OLD, ("a/b-fp32", {})), of(NEW, ("a/b-fp32", fault("no"))), older]))) == 1


def test_runs_of_doubles_are_left_out_of_the_matrix_and_of_bisect(tmp_path):
    double = record(verdict("a/b-fp32", target=NEW, status="error"), arguments=["--target=tests/x.py:Broken"])
    save_record(tmp_path / "double", double)
    save_record(tmp_path / "real", of(OLD, ("a/b-fp32", {})))
    for arguments in (["matrix", tmp_path], ["bisect", "a/b", "--over", tmp_path]):
        done = invoke(*arguments)
        assert done.exit_code == 0, done.output
        assert "double is left out: its target is tests/x.py:Broken, not the registered one" in done.output
        assert NEW not in done.output


def test_a_record_of_cases_that_are_not_here_takes_nothing_from_the_others(tmp_path):
    """Without the case files, no condition of an expectation holds, and no case is the smallest."""
    own = of("onnxruntime-1.32-cpu", ("net/conv-fp32", {}))
    header = own.header.model_copy(update={"case_folders": [ListedFolder(path="not/here", golden="not/here/golden")]})
    found = view_of([read_record(RTX_1_4), replace(own, header=header)]).catalog
    assert found is not None
    assert found.find("set_input/values-int8") is not None
    assert view_of([replace(own, header=header)]).catalog is None


def test_without_a_record_the_suites_own_cases_are_in_view():
    found = view_of(())
    assert found.catalog is not None
    assert found.catalog.find("set_input/values-int8") is not None
    assert found.profiles


def test_records_of_one_folder_are_all_read():
    assert list(read_runs([RTX_1_4, RTX_1_7]).records) == [relative(RTX_1_4), relative(RTX_1_7)]


def test_the_smallest_case_is_that_with_the_fewest_elements():
    class Catalog:
        def __init__(self):
            self.claims = {}

        def find(self, name):
            edge = {"a/wide-fp32": 40, "a/narrow-fp32": 5}.get(name)
            return edge and make_case(input={"shape": [1, 1, 6, edge], "fill": "ones"})

    names = ("a/unfiled", "a/wide-fp32", "a/narrow-fp32")
    before, now = (of(target, *((name, given) for name in names)) for target, given in ((OLD, {}), (NEW, fault("no"))))
    (found,) = matrix([before, now], Catalog()).steps[0].events
    assert found.cases == ("a/narrow-fp32", "a/wide-fp32", "a/unfiled")


def test_every_form_holds_the_changes(tmp_path):
    text = invoke("matrix", RTX_1_4, RTX_1_7)
    assert text.exit_code == 0, text.output
    assert "ended: differs: int8_not_built: 4 checks of 4 cases, the smallest set_input/values-int8" in text.output
    for name in ("page.html", "page.md"):
        assert invoke("matrix", RTX_1_4, RTX_1_7, "-o", tmp_path / name).exit_code == 0
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "int8_not_built" in page.words
    assert page.loads == ["data:,"]
    assert set(page.links) <= {f"#{name}" for name in page.ids} | {link for link in page.links if "://" in link}
    assert "| ended | differs | int8\\_not\\_built | 4 checks of 4 cases |" in (tmp_path / "page.md").read_text("utf-8")
    found = json.loads(invoke("matrix", RTX_1_4, RTX_1_7, "--json").output)
    assert [version["target"] for version in found["versions"]] == ["tensorrt_rtx-1.4.0-aot", "tensorrt_rtx-1.7.1-aot"]
    assert INT8 in [set(event["cases"]) for event in found["steps"][0]["events"]]


@pytest.mark.parametrize(("days", "stated"), [((22,), "2026-11-22"), ((23, 22, 22, 25), "2026-11-22 to 2026-11-25")])
def test_many_runs_of_a_version_have_their_number_and_their_first_and_last_day(days, stated):
    run = record(verdict())
    starts = [run.header.model_copy(update={"started": f"2026-11-{day}T13:50:40+00:00"}) for day in days]
    runs = [replace(run, header=header) for header in starts]
    title, columns, rows = next(iter(tables(matrix(runs))))
    assert (title, columns[1:3]) == ("versions", ("runs", "started"))
    assert [tuple(row[1:3]) for row in rows] == [(str(len(days)), stated)]


def test_one_version_alone_has_no_changes_and_a_killed_run_says_so():
    alone = matrix([of(OLD, ("a/b-fp32", {}))])
    assert alone.steps == ()
    killed = record(verdict("a/b-fp32", target=NEW), complete=False)
    page = matrix_page(matrix([of(OLD, ("a/b-fp32", {})), killed]))
    assert f"a run of {NEW} did not finish; nothing changed" in Page(page).words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["matrix", str(RTX_1_4), "-o", "page.txt"], "must end in .html or .md"),
        (["matrix", str(RTX_1_4), "--target", "torch*"], 'no run has a target like "torch*"; there are tensorrt_rtx-1'),
        (["matrix", "nothing/here"], "nothing/here"),
        (["bisect", "set_input/valuse-int8", "--over", str(RTX_1_4)], 'did you mean "set_input/values-int8"'),
    ],
)
def test_bad_input_gets_one_line_and_2(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trt-conformance", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert message in printed.err


def test_no_verdict_of_a_target_is_an_error():
    with pytest.raises(ConformanceError, match="no run has a verdict of a target"):
        versions([record(verdict(target="reference", check="golden"))])
    assert of_targets([of(OLD, ("a/b-fp32", {}))], "tensorrt-*")


def test_bisect_says_since_which_version():
    found = invoke("bisect", "set_input/values-int8", "--over", RTX_1_7, RTX_1_4)
    assert found.exit_code == 0, found.output
    lines = {line.split()[2]: line for line in found.output.splitlines()}
    assert lines["build"].endswith("pass since 1.7.1; before: known (int8_not_built) in 1.4.0")
    assert lines["network"].endswith("pass in 1.4.0 to 1.7.1")
    (build,) = [
        one
        for one in json.loads(invoke("bisect", "set_input/values-int8", "--over", RTX_1_4, RTX_1_7, "--json").output)
        if one["check"] == "build"
    ]
    assert (build["since"], [span["outcome"] for span in build["spans"]]) == ("1.7.1", ["known", "pass"])
    assert "refused, but should be accepted" in build["spans"][0]["message"]


def test_a_history_names_every_span_and_the_versions_without_the_check():
    states = [("8.5.3", {}), ("8.6.0", fault("no")), ("8.6.1", None), ("10.9.1", fault("no")), ("10.13.0", {})]
    runs = [
        of(f"tensorrt-{name}-sm90", ("a/other-fp32", {}), *([("a/b-fp32", given)] if given is not None else []))
        for name, given in states
    ]
    (found,) = histories(versions(runs), "a/b-*")
    assert found.text() == (
        "pass since 10.13.0; before: fail (no) in 8.6.0 to 10.9.1, pass in 8.5.3; no verdict in 8.6.1"
    )
