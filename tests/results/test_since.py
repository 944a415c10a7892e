"""A report says what changed since the last run of its targets in the same folder, or since the accepted one."""

import gzip
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.results.test_engine_costs import built
from tests.support.pages import CATALOG, Page
from tests.support.runs import TARGET, record, timed, verdict
from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results import report as reports
from trt_conformance.results.accepted import accept
from trt_conformance.results.previous import previous_run
from trt_conformance.results.record.record import read_header, read_record, save_record
from trt_conformance.results.report import write_beside
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.since import since_last
from trt_conformance.results.report.view import View


def at(hour, *verdicts, **given):
    """A run that started at an hour of a day."""
    found = record(*(verdicts or (verdict(),)), **given)
    started = f"2026-11-22T{hour:02}:00:00+00:00"
    return replace(found, header=found.header.model_copy(update={"started": started}))


def stored(root, hour, run=None, name=None, **how):
    return save_record(root / (name or f"20261122T{hour:02}0000-{TARGET}"), run or at(hour), **how)


def last(path, accepted):
    return previous_run(path.parent, read_record(path), accepted)


def test_it_is_the_latest_earlier_run_of_the_target(tmp_path):
    for hour in (1, 5, 3, 9):
        stored(tmp_path, hour, compressed=hour == 5)
    found = last(stored(tmp_path, 7), tmp_path / "none")
    assert found.path.parent.name == f"20261122T050000-{TARGET}"
    assert not found.is_accepted
    assert last(tmp_path / f"20261122T010000-{TARGET}" / "record.jsonl", tmp_path / "none") is None


def test_another_version_counts_and_another_target_or_device_does_not(tmp_path):
    stored(tmp_path, 1, at(1, verdict(target="tensorrt-10.1-sm90")))
    stored(tmp_path, 2, at(2, verdict(target="tensorrt-8.6.1-sm80")))
    stored(tmp_path, 3, at(3, verdict(target="onnxruntime-1.32-cpu")))
    found = last(stored(tmp_path, 7), tmp_path / "none")
    assert found.record.targets == ("tensorrt-10.1-sm90",)


def test_a_run_of_other_checks_is_passed_over(tmp_path):
    stored(tmp_path, 1)
    stored(tmp_path, 2, at(2, verdict("other/case-fp32")))
    found = last(stored(tmp_path, 7), tmp_path / "none")
    assert found.path.parent.name == f"20261122T010000-{TARGET}"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]\n", b'{"kind": "end"}\n', b"\x1f\x8bnone", b"\xff\n"])
def test_what_is_no_record_is_passed_over(tmp_path, content):
    stored(tmp_path, 1)
    broken = tmp_path / f"20261122T030000-{TARGET}"
    broken.mkdir()
    (broken / "record.jsonl").write_bytes(content)
    found = last(stored(tmp_path, 7), tmp_path / "none")
    assert found.path.parent.name == f"20261122T010000-{TARGET}"


def test_a_record_with_a_broken_line_further_down_is_passed_over(tmp_path):
    stored(tmp_path, 1)
    broken = stored(tmp_path, 3)
    broken.write_bytes(broken.read_bytes() + b"nonsense\n")
    assert last(stored(tmp_path, 7), tmp_path / "none").path.parent.name == f"20261122T010000-{TARGET}"


def test_folders_that_are_not_named_as_runs_are_not_looked_at(tmp_path):
    stored(tmp_path, 1, name="mine")
    assert last(stored(tmp_path, 7), tmp_path / "none") is None
    stored(tmp_path, 2)
    assert last(stored(tmp_path, 8, name="yours"), tmp_path / "none") is None


def test_without_a_run_beside_it_the_accepted_one_counts(tmp_path):
    accept(at(1), tmp_path / "accepted")
    found = last(stored(tmp_path / "runs", 7), tmp_path / "accepted")
    assert found.is_accepted and found.record.header.started.startswith("2026-11-22T01")
    accept(at(7), tmp_path / "accepted")
    assert last(tmp_path / "runs" / f"20261122T070000-{TARGET}" / "record.jsonl", tmp_path / "accepted") is None
    stored(tmp_path / "runs", 5)
    assert not last(stored(tmp_path / "runs", 8), tmp_path / "accepted").is_accepted


def test_the_header_is_read_alone(tmp_path):
    path = stored(tmp_path, 1)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b"nonsense\n")
    assert read_header(path).targets == [TARGET]
    packed = tmp_path / "record.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_header(packed).targets == [TARGET]
    packed.write_bytes(gzip.compress(path.read_bytes())[:40])
    with pytest.raises(ConformanceError, match=r"record\.jsonl\.gz:1: not a run record"):
        read_header(packed)


def changed(tmp_path):
    before = at(1, verdict(), timed(), built("a/plan-fp32"))
    now = at(2, verdict(status="fail", message="it differs"), timed(median=80e-6), built("a/plan-fp32", plan=90_000))
    stored(tmp_path, 1, before)
    path = stored(tmp_path, 2, now)
    return path, since_last(path, read_record(path), tmp_path / "none")


def test_results_latencies_and_engines_are_compared(tmp_path):
    _, since = changed(tmp_path)
    assert since.regressions == 2
    assert since.sentence.startswith("1 regression of results, and 1 case slower.")
    assert [title for title, _, _ in since.tables] == ["newly failing (regressions)", "changed engines"]
    assert len(since.latency_lines) == len(since.slower) == 1 and "slower: 50.0 µs -> 80.0 µs" in since.latency_lines[0]


def test_the_report_shows_it_before_everything_else(tmp_path):
    path, since = changed(tmp_path)
    view = View((read_record(path),), CATALOG)
    page = report_page(view, since)
    assert page.index('id="since-title"') < page.index('id="targets-title"')
    words = Page(page).words
    assert "Since the last run" in words and "worse since the last run 2" in words.replace("\n", " ")
    assert "it differs" in words and "a/plan-fp32" in words
    assert f"trt-conformance compare {tmp_path}/20261122T010000-{TARGET} {path.parent}" in words
    assert 'id="since-title"' not in report_page(view)


def test_equal_runs_have_nothing_worse(tmp_path):
    stored(tmp_path, 1)
    path = stored(tmp_path, 2)
    since = since_last(path, read_record(path), tmp_path / "none")
    assert (since.regressions, since.tables, since.latency_lines) == (0, [], [])
    assert since.sentence == "No regression. The runs share 1 check."


def test_checks_of_cases_that_were_not_chosen_now_are_counted_and_not_worse(tmp_path):
    stored(tmp_path, 1, at(1, verdict(), verdict("a/b-fp32"), verdict("a/c-fp32")))
    path = stored(tmp_path, 2)
    since = since_last(path, read_record(path), tmp_path / "none")
    assert since.regressions == 0
    assert "not in this run: 2 checks of that run" in since.notes


def test_a_check_that_is_not_run_any_more_is_worse(tmp_path):
    stored(tmp_path, 1)
    path = stored(tmp_path, 2, at(2, verdict(status="not run", message="no GPU")))
    assert since_last(path, read_record(path), tmp_path / "none").regressions == 1


def test_a_run_and_the_command_write_it(tmp_path, monkeypatch):
    monkeypatch.setattr(reports, "load_catalog", lambda *_, **__: CATALOG)
    stored(tmp_path, 1)
    path = stored(tmp_path, 2, at(2, verdict(status="fail", message="no")))
    assert "Since the last run" in write_beside(path, CATALOG, ()).read_text(encoding="utf-8")
    out = tmp_path / "out.html"
    arguments = ["report", str(path.parent), "-o", str(out)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert "Since the last run" in out.read_text(encoding="utf-8")
    both = ["report", str(path.parent), str(tmp_path / f"20261122T010000-{TARGET}"), "-o", str(out)]
    assert CliRunner().invoke(app, both).exit_code == 0
    assert "Since the last run" not in out.read_text(encoding="utf-8")


def test_texts_of_targets_are_text(tmp_path):
    stored(tmp_path, 1, at(1, verdict("a/<script>-fp32")))
    path = stored(tmp_path, 2, at(2, verdict("a/<script>-fp32", status="fail", message="<b>no</b>")))
    page = report_page(View((read_record(path),), CATALOG), since_last(path, read_record(path), tmp_path / "none"))
    section = page[page.index('id="since-title"') : page.index('id="targets-title"')]
    assert "a/&lt;script&gt;-fp32" in section and "&lt;b&gt;no&lt;/b&gt;" in section
    assert "<script>" not in section and "<b>no" not in section
