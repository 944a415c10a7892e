"""The report: the answer first, everything a record holds, alone in one file, quick and small."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.support.helpers import make_case
from tests.support.pages import CATALOG, KNOWN, Page, latencies, page, say
from tests.support.runs import TARGET, flipped, record, verdict
from tests.support.suite import suite_catalog
from tests.support.work import calls_in
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.results.bound_use import share
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report import document, write_beside
from trt_conformance.results.report.bound_plot import plot
from trt_conformance.results.report.document import section_title
from trt_conformance.results.report.page import report_page, rerun
from trt_conformance.results.report.picture import pictures, sum_picture
from trt_conformance.results.report.view import View


def test_the_answer_comes_first():
    good = record(verdict(), verdict(claims=("stride_nd.h2_w1",)), verdict(claims=("example.values",)))
    assert say(good).tone == "pass"
    assert say(good).text == f"No check fails: {TARGET} does what the Cookbook states in 3 of 3 claims."
    assert page(good).words.split("layer", 1)[1].startswith(f" ✓ {say(good).text}")


def test_the_answer_names_differences_known_ones_and_gaps():
    run = record(
        verdict(status="fail", message="no"),
        verdict(status="fail", message="no", claims=("stride_nd.h2_w1",), known="wildcard"),
    )
    assert say(run).tone == "fail"
    assert say(run).text == (
        f"1 of 2 checks fails: {TARGET} does what the Cookbook states in 0 of 3 claims, differs in 1 "
        "and has known differences in 1; 1 has no result."
    )


@pytest.mark.parametrize(
    ("verdicts", "tone", "text"),
    [
        ((verdict(status="not run", message="no GPU"),), "open", "No check fails, but no output was compared"),
        ((verdict(phase="latency", check="latency", claims=()),), "pass", f"No check fails on {TARGET}."),
        (
            (verdict(phase="build", check="build"),),
            "open",
            "builds 1 more without a comparison of values; 2 have no result",
        ),
        ((verdict(), verdict(target="numpy")), "pass", f"No check fails: {TARGET} and numpy pass."),
        (
            (verdict(), verdict(target="numpy", status="error", message="boom")),
            "fail",
            f"1 of 2 targets fail: numpy fails and {TARGET} passes.",
        ),
        ((verdict(), verdict(target="rtx", status="not run")), "open", "nothing was compared on rtx"),
        (
            (verdict(), verdict(target="reference", status="fail", check="golden")),
            "fail",
            "1 check of the suite's own data fails, so no result is valid.",
        ),
        ((verdict(status="fallback", message="ran in fp32"),), "open", "correct values in a wider precision in 1"),
        ((), "open", "No target was tested."),
    ],
)
def test_answers(verdicts, tone, text):
    told = say(record(*verdicts))
    assert told.tone == tone
    assert text in told.text
    page(record(*verdicts))


def test_a_target_without_a_verdict_is_named():
    assert say(record(asked=["tensorrt-11.0-sm90"])).text == "Nothing was run on tensorrt-11.0-sm90."


def test_a_killed_run_is_no_good_news():
    run = record(verdict(), complete=False)
    assert say(run).tone == "open"
    assert say(run).text.startswith("The run did not finish. Until then: no check fails")
    assert "end killed" in page(run).words


def test_a_run_that_was_stopped_is_not_called_complete():
    finished = record(verdict())
    assert finished.end is not None
    run = replace(finished, end=finished.end.model_copy(update={"stopped": True, "exit": 2}))
    assert say(run).text.startswith("The run did not finish. Until then: no check fails")
    words = page(run).words
    assert "did not finish, ended after 51 s" in words
    assert "end stopped, exit code 2" in words
    assert "complete, in" not in words


def test_what_was_tested_is_stated():
    words = page(record(verdict())).words
    for fact in ("NVIDIA H200", "580.1", "3.12.1", "commit 0123456789ab clean", "22 November 2026, 13:50", "in 51 s"):
        assert fact in words
    dirty = record(verdict(), source={"commit": "0123456789abcdef", "clean": False})
    assert "with uncommitted changes" in page(dirty).words
    assert "commit unknown" in page(record(verdict(), source={})).words


def test_the_page_stands_alone_and_its_links_lead_somewhere():
    run = record(
        verdict(),
        flipped(),
        verdict("a/unknown-fp32", status="fail", known="wildcard", message="x\ndiffers"),
        verdict("a/skipped-fp32", status="not run", message="no GPU"),
        verdict(target="reference", check="golden"),
        *latencies().verdicts,
    )
    html = report_page(View((run,), CATALOG, (KNOWN,)))
    found = Page(html)
    assert found.loads == ["data:,"]
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", html)
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        assert (
            link in (KNOWN.link, document.LINK) or link.startswith("#cases:") or link.removeprefix("#") in found.ids
        ), link


def test_texts_of_targets_are_text():
    evil = "<script>alert(1)</script>\"'&"
    run = record(
        verdict(evil, target=evil, status="fail", message=evil, check=evil, location=evil, claims=(evil,)),
        verdict(f"{evil}2", status="not run", message=evil, figures={"kernel": evil, "ran_in": evil, "fraction": 0.5}),
        device={"gpu": evil},
        targets={evil: {evil: evil}},
    )
    html = report_page(View((run,), None))
    assert "<script>alert" not in html
    assert evil in Page(html).words


def test_claims_by_target_lead_to_their_cases():
    run = record(verdict(), verdict(target="numpy", status="fail", message="no"))
    found = page(run)
    assert f"#cases:claim=stride_nd.h2_w2&target={TARGET}" in found.links
    assert "#cases:claim=stride_nd.h2_w2&target=numpy" in found.links
    assert f"holds on {TARGET}" in found.words
    assert "differs on numpy" in found.words
    assert "not checked" in found.words


def test_claims_are_counted_by_document_and_target():
    found = page(record(verdict(claims=("guide.old", "old.claim")), verdict(status="fail", claims=("guide.older",))))
    assert f"TensorRT Developer Guide {TARGET} 1 1 2" in found.words
    assert "guide.older" in found.words
    assert "#claims-guide" in found.links


def test_claims_that_the_checkout_does_not_state_are_still_shown():
    found = page(record(verdict(claims=("old.claim",))))
    assert "Claims that are not in this checkout old.claim" in found.words


def test_a_failure_shows_its_message_picture_and_rerun():
    found = page(record(flipped()))
    assert "28/28 elements beyond the bound; worst at (n=0, k=0, h=0, w=0)" in found.words
    assert "The case: the first example of the document." in found.words
    for part in (
        "|error| / bound",
        "actual",
        "expected",
        "1 × 10000",
        "12345.7",
        f"{flipped().figures['evidence']['actual'][0]:.6g}",
    ):
        assert part in found.words
    assert 'pytest cases -k "test_forward" --case "example/values-fp32" --target flipped_kernel' in found.words


def test_the_recorded_way_to_rerun_wins():
    assert rerun(verdict(figures={"rerun": "pytest this"})) == "pytest this"


def test_every_fault_of_a_case_stands_on_its_card():
    run = record(flipped(), verdict("example/values-fp32", target="flipped_kernel", status="error", message="and boom"))
    assert "1 more check of this case" in page(run).words
    assert "and boom" in page(run).words


def test_pictures():
    drawn = pictures(flipped().figures["evidence"])
    assert [picture.title for picture in drawn] == ["|error| / bound", "actual", "expected"]
    assert "28 of the 28 elements of the output" in drawn[0].words
    for picture in drawn:
        cells = "".join(part for parts in picture.drawing.areas.values() for part in parts)
        assert cells.count("z") == 28
        assert picture.drawing.marked == (20, 15, picture.drawing.marked[2], 24)
    total = sum_picture(flipped().figures["evidence"])
    assert total is not None
    assert sum(text.text.startswith("1 × 10000") for text in total.drawing.texts) == 1


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [
        ((2, 3, 4, 5), (3, 3, 3, 3)),
        ((1, 8, 40, 40), (16, 8, 3, 3)),
        ((1, 64, 1, 1), (300, 64, 1, 1)),
        ((1, 2, 4, 5, 6), (2, 2, 2, 2, 2)),
        ((1, 1, 1, 900), (1, 1, 1, 12)),
        ((1, 1, 12, 12), (1, 1, 12, 12)),
    ],
)
def test_pictures_of_any_output_are_whole(shape, kernel):
    case = make_case(
        input={"shape": shape, "fill": "uniform"}, kernel={"shape": kernel, "fill": "uniform", "seed": 1}, id="a/b"
    )
    found = flipped(case)
    count = len(found.figures["evidence"]["actual"])
    for picture in pictures(found.figures["evidence"]):
        drawing = picture.drawing
        assert "".join(part for parts in drawing.areas.values() for part in parts).count("z") == count
        assert drawing.marked is not None
        assert drawing.marked[0] + drawing.marked[2] <= drawing.width
        assert drawing.marked[1] + drawing.marked[3] <= drawing.height
    page(record(found))


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0"),
        (0.5, "50 %"),
        (0.996, "100 %"),
        (1, "100 %"),
        (0.00001, "0.001 %"),
        (3.91, "3.91×"),
        (5.4e6, "5.4e6×"),
        (1e300, "1.0e300×"),
    ],
)
def test_shares(fraction, text):
    assert share(fraction) == text
    assert share(float("inf")) == "∞"


def test_known_differences_come_with_their_cause():
    found = page(record(verdict(status="fail", known="wildcard", message="x\ndiffers")), expectations=(KNOWN,))
    assert "wildcard The target accepts it. A reported bug. https://example.org/1" in found.words
    assert KNOWN.link in found.links


def test_fractions_are_plotted_and_listed():
    run = record(
        verdict("a/low-fp32", figures={"fraction": 0.001}),
        verdict("a/mid-fp16", figures={"fraction": 0.5}),
        verdict("a/high-int8", figures={"fraction": 0.93}),
        verdict("a/none-int8", figures={"fraction": 0}),
        verdict("a/over-int8", figures={"fraction": "inf"}, status="fail"),
    )
    found = page(run)
    for text in ("a/low-fp32: 0.1 %", "a/mid-fp16: 50 %", "a/high-int8: 93 %", "a/over-int8: ∞"):
        assert text in found.words
    assert "Over 80 %: 1 Close to the bound" in found.words
    assert "Under 1 %, but not exact: 1 Such a wide bound" in found.words
    assert "1 of 5 cases have no error at all" in found.words


def test_the_document_is_named_with_its_license_and_english_titles():
    found = page(record(verdict()))
    assert "NVIDIA TensorRT Cookbook, chapter ConvolutionNd" in found.words
    assert "license: Apache-2.0" in found.words
    assert document.LINK in found.links


def test_every_section_of_the_document_has_an_english_title():
    sections = {claim.section for claim in suite_catalog().claims.values()}
    assert len(sections) > 5
    for section in sections:
        assert section_title(section).partition(" (")[0].isascii(), section
    assert section_title("初始示例代码") == "Initial example (初始示例代码)"


def test_kernels_and_precisions_that_ran():
    run = record(
        verdict("a/x-tf32", figures={"ran_in": "fp32", "kernel": "sm80_xmma_one"}),
        verdict("a/y-tf32", figures={"ran_in": "tf32", "arithmetic": "fp32", "kernel": "sm80_xmma_two"}),
    )
    words = page(run).words
    assert "1 case in tf32 ran in fp32" in words
    assert "tf32, fp32 by its digits" in words
    assert "sm80_xmma_two" in words


def test_coverage_counts_each_value_and_shows_gaps():
    words = page(record(verdict())).words
    assert "stride_nd pass default not in this run (2, 2) 1 of 1" in words
    assert "CAFFE_ROUND_UP no case" in words
    assert "fp16 no case" in words


def test_reasons_are_gathered():
    run = record(*(verdict(f"a/{n}-fp32", status="not run", message="no GPU here") for n in range(30)))
    words = page(run).words
    assert words.count("no GPU here forward 30") == 1


def test_several_runs_of_one_target_are_distinguished():
    found = page(record(verdict()), record(verdict(status="error", message="boom")))
    assert f"{TARGET} (run 1)" in found.words
    assert f"1 of 2 targets fail: {TARGET} (run 2) fails and {TARGET} (run 1) passes." in found.words


def test_a_report_needs_no_case_files():
    assert "unknown" not in page(record(verdict(), flipped()), catalog=None).words


def many(count):
    """A record of many verdicts: five checks a case, a fifth of the cases failing with pictures."""
    evidence = flipped().figures["evidence"]
    for n in range(count // 5):
        case = f"sweep_{n % 40}/case_{n}_of_a_sweep_with_a_long_name-{('fp32', 'tf32', 'fp16', 'int8')[n % 4]}"
        for check, phase in (
            ("network", "network"),
            ("build", "build"),
            ("execution_modes", "run"),
            ("printed", "compare"),
        ):
            yield verdict(case, check=check, phase=phase, status="not run" if n % 7 == 0 else "pass", message="no GPU")
        figures = {
            "fraction": (n % 997 + 1) / 1000,
            "ran_in": "fp32",
            "kernel": f"sm80_xmma_fprop_implicit_gemm_{n % 50}",
        }
        if n % 5:
            yield verdict(case, figures=figures)
        else:
            figures |= {"fraction": 3.0 + n, "evidence": evidence}
            yield verdict(case, status="fail", message=f"{case} FAILED in compare\n  {n} elements", figures=figures)


def page_of(folder, count):
    """The bytes of the report of so many verdicts, and the calls of functions that it takes."""
    path = save_record(folder / str(count), record(*many(count)))

    def write():
        return write_beside(path, Catalog((), {}), ())

    page = write()
    return page.stat().st_size, calls_in(write)


def test_the_size_and_the_work_of_a_report_grow_with_its_verdicts(tmp_path):
    (small, little), (large, much) = page_of(tmp_path, 200), page_of(tmp_path, 800)
    assert large < 4 * small, "four times the verdicts take more than four times the bytes"
    assert much < 4.4 * little, "four times the verdicts take more than four times the calls"


@pytest.mark.slow
def test_a_report_of_many_verdicts_is_small(tmp_path):
    path = save_record(tmp_path, record(*many(10_000)))
    assert write_beside(path, Catalog((), {}), ()).stat().st_size < 8e6


@pytest.mark.parametrize(
    ("case", "bound_for", "lane"),
    [
        ("stride_nd/h2_w1-fp16", "fp16", "fp16, fp16 sums"),
        ("stride_nd/h2_w1-fp16", "fp32", "fp16"),
        ("stride_nd/h2_w1-fp32", "winograd", "fp32, winograd"),
        ("stride_nd/h2_w1-fp32", "fp32", "fp32"),
    ],
)
def test_the_plot_distinguishes_what_bounds_rest_on(case, bound_for, lane):
    drawn = plot(View((record(verdict(case=case, figures={"fraction": 0.5, "bound_for": bound_for})),)).rows, False)
    assert [one.arithmetic for one in drawn.lanes] == [lane]


def test_failures_of_one_cause_are_one_card():
    """83 equal faults of shape are one entry with 83 cases, which the table links to."""
    message = "{} FAILED in compare\n  output.shape is (1, {}), but should be (1, 2)"
    equal = [verdict(f"a/c{n}-fp32", status="fail", message=message.format(f"a/c{n}", n)) for n in range(83)]
    other = verdict("a/other-fp32", status="fail", message="a/other FAILED in compare\n  output.dtype is int8")
    run = record(*equal, other)
    found = View((run,), CATALOG)
    assert [len(rows) for rows in found.failures_by_cause] == [83, 1]
    html = report_page(found)
    assert html.count('<details class="card" id="f') == 2
    assert "84 cases, with 2 causes" in " ".join(html.split())
    assert "and 82 more cases" in html
    first = found.failures_by_cause[0][0].number
    assert html.count(f'href="#f{first}"') == 83
