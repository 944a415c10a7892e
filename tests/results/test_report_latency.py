"""Latencies in the report: first in a run for them, next to each case's verdict, quick apart from full ones."""

from __future__ import annotations

import re

import pytest

from tests.support.pages import CATALOG, CEILINGS, latencies, page
from tests.support.runs import TARGET, record, timed, verdict
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.record.record import read_record, save_record
from trt_conformance.results.report.answer import answer
from trt_conformance.results.report.latency_rows import latency_rows
from trt_conformance.results.report.latency_summary import beside_cases, is_latency_run, tiles
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.roofline import rooflines
from trt_conformance.results.report.strip_plot import MOST_LANES, strip_plot
from trt_conformance.results.report.view import View

QUICK = {"effort": "quick", "uncertainty": 0.05, "cost_s": 0.02}


def quick(case="stride_nd/h2_w2-fp32", **fields):
    return timed(case, check="quick_latency", **fields | {"figures": QUICK | fields.get("figures", {})})


def view(*verdicts):
    return View((record(*verdicts),), CATALOG)


def rows_of(*verdicts):
    return latency_rows(view(*verdicts))


def test_a_run_for_latencies_begins_with_them_and_has_no_empty_claims():
    page = report_page(View((latencies(),), CATALOG))
    assert page.index('id="latency-title"') < page.index('id="targets-title"')
    assert 'id="claims-title"' not in page and "claims of the Cookbook hold" not in page
    assert page.count('id="latency-title"') == 1
    tested = report_page(view(*latencies().verdicts, verdict()))
    assert tested.index('id="latency-title"') > tested.index('id="targets-title"')
    assert 'id="claims-title"' in tested and "claims of the Cookbook hold" not in tested  # several targets


def test_the_answer_counts_latencies_where_no_claim_was_checked():
    assert answer(view(timed())).text == f"No check fails: {TARGET} has 1 latency."
    assert answer(view(timed(), timed(mode="kernel"))).text == f"No check fails: {TARGET} has 2 latencies."
    assert "latenc" not in answer(view(timed(), verdict())).text


def test_the_numbers_keep_quick_and_full_apart():
    found = rows_of(timed(ceilings=CEILINGS), timed("vgg/slow-fp32", median=3e-3), quick(median=5e-6))
    told = {tile.label: (tile.value, tile.case) for tile in tiles(found, in_full=True)}
    assert told["latencies"] == ("2", "") and told["quick latencies"] == ("1", "")
    assert told["slowest"] == ("3.00 ms", "vgg/slow-fp32")
    assert told["slowest of quick latencies"] == ("5.00 µs", "stride_nd/h2_w2-fp32")
    assert told["median standard error of quick latencies"] == ("5.0 %", "")
    assert all(tile.error for tile in tiles(found, in_full=True) if tile.label.startswith("slowest"))
    assert set(told) >= {"median standard error", "of the roofline, median"}
    assert [tile.label for tile in tiles(found, in_full=False)] == ["latencies", "quick latencies"]


def test_a_median_error_counts_those_that_are_unknown():
    short = [quick(f"vgg/{name}-fp32", figures={"uncertainty": "inf"}) for name in "ab"]
    assert "median standard error of quick latencies" not in {t.label for t in tiles(rows_of(quick(), *short), True)}


def test_unstable_ones_are_counted():
    found = rows_of(timed(), timed(mode="enqueue", figures={"stopped": "limit"}))
    assert ("unstable", "1") in [tile[:2] for tile in tiles(found, in_full=True)]


def test_a_run_without_latencies_is_none_for_them():
    assert not is_latency_run(view(verdict()), ())
    assert not is_latency_run(view(verdict(), quick()), rows_of(verdict(), quick()))
    assert is_latency_run(view(timed()), rows_of(timed()))


def test_a_case_shows_its_full_latency_before_a_quick_one_and_graph_before_others():
    case = "stride_nd/h2_w2-fp32"
    given = [
        quick(case, median=1e-6),
        timed(case, mode="enqueue", median=2e-6),
        timed(case, mode="graph", median=3e-6, figures={"cold_l2": True}),
        timed(case, mode="graph", median=4e-6),
    ]
    (rows,) = beside_cases(rows_of(*given)).values()
    assert [(row.effort, row.mode, row.cache) for row in rows] == [
        ("full", "graph", "warm"),
        ("full", "graph", "cold"),
        ("full", "enqueue", "warm"),
        ("quick", "quick graph", "warm"),
    ]


def test_the_list_of_cases_has_latencies_beside_verdicts():
    run = view(verdict(), quick(median=67.1e-6), verdict("stride_nd/h2_w1-fp32", claims=()))
    page = report_page(run)
    row = page[page.index('<tr id="r', page.index('id="list"')) :]
    assert "67.1 µs <small>±5.0 %, quick</small>" in row[: row.index("</tr>")]
    assert 'data-sort="latency"' in page and 'data-sort="plan"' not in page
    assert 'data-sort="latency"' not in report_page(view(verdict()))


def test_the_list_of_cases_has_plans_beside_verdicts():
    costs = {"engine": "built", "plan_bytes": 266_240, "weights_bytes": 36}
    page = report_page(view(verdict(figures=costs), verdict("stride_nd/h2_w1-fp32", claims=())))
    assert 'data-v="266240">260 KiB</td>' in page[page.index('id="list"') :]


@pytest.mark.parametrize("uncertainty", ["inf", 0.25])
def test_a_quick_latency_states_its_own_error(uncertainty):
    (row,) = rows_of(quick(figures={"uncertainty": uncertainty}))
    assert row.error == ("±? %" if uncertainty == "inf" else "±25 %")
    (full,) = rows_of(timed())
    assert full.relative_error == full.summary.error


def test_quick_latencies_have_rooflines_of_their_own_under_the_ceilings_of_the_device():
    full = timed(ceilings=CEILINGS)
    both = rooflines(rows_of(full, quick("stride_nd/h2_w2-fp16", median=20e-6)))
    assert [(roof.effort, len(roof.points)) for roof in both] == [("full", 1), ("quick", 1)]
    assert [line.name for line in both[1].roofs] == ["memory", "fp16 compute"]
    (alone,) = rooflines(rows_of(quick("stride_nd/h2_w2-fp16")))
    assert alone.roofs == ()
    page = report_page(view(full, quick("stride_nd/h2_w2-fp16")))
    assert page.count("quick latencies</figcaption>") + page.count("quick latencies; no") == 1


def test_a_quick_latency_is_not_linked_to_a_full_one_of_its_case():
    case = "stride_nd/h2_w2-fp16"
    assert all(not roof.links for roof in rooflines(rows_of(timed(case), quick(case))))
    (roof,) = rooflines(rows_of(quick(case), quick(case, target="torch", median=80e-6)))
    assert len(roof.links) == 1


def test_latencies_are_shown_with_their_dispersion():
    found = page(latencies())
    rows = found.words.partition("How the samples spread")[0]
    assert f"resnet50/conv1_n1-fp16 {TARGET} graph warm 50.0 µs ±<0.1 % 49.7 µs to 50.3 µs 200 40 ±<0.1 %" in rows
    assert "80 ±<0.1 % 5.7 % ±<0.1 %, compute 25 % sm90_fprop" in rows
    assert "torch enqueue warm 60.0 µs" in rows
    assert "25 % sm90_fprop enqueue-bound; unstable" in rows
    assert "vgg/conv-fp32 numpy host cold 2.00 ms ±<0.1 %" in rows
    assert "alone" in rows
    numbers = re.findall(r"[\d.]+ [mµn]s(?! to| ±)", rows)
    assert len(numbers) == 3  # the upper ends of the three spreads, and no median alone


def test_the_roofline_shows_peers_beside_each_other_under_the_measured_ceilings():
    fp16, fp32 = rooflines(latency_rows(View((latencies(),))))
    assert [point.row.column.name for point in fp16.points] == [TARGET, "torch"]
    assert len({point.x for point in fp16.points}) == len(fp16.links) == 1
    memory, compute = fp16.roofs
    assert (memory.name, compute.name) == ("memory", "fp16 compute")
    assert (memory.x2, memory.y2) == (compute.x1, compute.y1)  # they meet in the ridge
    assert all(compute.y1 < point.high <= point.y <= point.low <= fp16.bottom for point in fp16.points)
    assert fp32.roofs == ()
    assert "no ceiling was measured" in page(latencies()).words


def test_the_strip_plot_shows_every_latency_and_survives_one_sample():
    run = latencies()
    lone = timed("a/lone-fp16", figures={"samples": [1e-3]})
    found = latency_rows(View((record(*run.verdicts, lone),)))
    plot = strip_plot(found)
    assert len(plot.strips) == len(found) == 4
    for strip in plot.strips:
        assert plot.left <= strip.time[0] <= strip.time[1] <= strip.time[2] <= plot.right
        assert list(strip.spread) == sorted(strip.spread)
        assert "M" in strip.dots
    assert "1.00 ms ±? %" in page(record(lone)).words


def test_samples_that_are_differences_may_be_negative():
    run = record(timed(figures={"samples": [5e-6, 5e-6, 5e-6, -1e-6, 0.0, 6e-6]}))
    (roofline,) = rooflines(latency_rows(View((run,))))
    assert roofline.points[0].high < roofline.points[0].y < roofline.points[0].low
    assert "5.00 µs" in page(run).words


def test_a_report_of_many_latencies_draws_the_first_and_lists_all():
    found = page(record(*(timed(f"a/case_{n}-fp16") for n in range(MOST_LANES + 5))))
    assert "the table has 5 more" in found.words
    assert f"{MOST_LANES + 5} rows" in found.words


@pytest.mark.parametrize(
    "figures",
    [
        {"samples": "many"},
        {"samples": [0.0]},
        {"samples": [None]},
        {"floor": {"bound": "memory"}},
        {"work": [1]},
        {"facts": {"ceilings": {"memory": "x"}}},
    ],
)
def test_latencies_of_other_programs_are_refused_when_they_are_read(tmp_path, figures):
    with pytest.raises(ConformanceError, match=r"record\.jsonl:2: figures"):
        read_record(save_record(tmp_path, record(timed(figures=figures))))


def test_a_report_without_latencies_has_nothing_of_them():
    html = report_page(View((record(verdict()),), CATALOG))
    assert "latencies" not in html
    assert "table.sorted" not in html
