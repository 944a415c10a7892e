"""Latencies in the report: first in a run for them, next to each case's verdict, quick apart from full ones."""

import pytest

from tests.results.test_report import CATALOG, CEILINGS, latencies
from tests.support.runs import TARGET, record, timed, verdict
from trt_conformance.results.report.answer import answer
from trt_conformance.results.report.latency_rows import latency_rows
from trt_conformance.results.report.latency_summary import beside_cases, is_latency_run, tiles
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.roofline import rooflines
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
