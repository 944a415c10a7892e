"""Rebuilds and tactics in a record and in its report."""

import pytest

from tests.support.runs import record, verdict
from trt_conformance.results.record.schema import LineFault, validated
from trt_conformance.results.report.builds import rebuilt_rows, tactics_rows, tactics_total
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.view import View

REBUILD = {
    "times": 20,
    "built": 20,
    "ran": 20,
    "outputs": 2,
    "choices": [
        {
            "kernel": "fast_kernel",
            "kernels": ["fast_kernel"],
            "count": 17,
            "outputs": ["1" * 16],
            "latencies_s": [1e-5],
        },
        {"kernel": "slow<kernel>", "kernels": ["slow"], "count": 3, "outputs": ["2" * 16], "latencies_s": [1.4e-5]},
    ],
    "spread_of_choices": 0.4,
}
TACTICS = {
    "listed": 4,
    "ran": 3,
    "chosen": "0x01",
    "trials": [
        {"implementation": "0xa", "tactic": "0x01", "status": "pass", "is_chosen": True, "kernel": "k1"},
        {"implementation": "0xa", "tactic": "0x02", "status": "fail", "is_chosen": False, "kernel": "k2"},
        {"implementation": "0xa", "tactic": "0x03", "status": "pass", "is_chosen": False, "kernel": "k1"},
        {"implementation": "0xa", "tactic": "0x04", "status": "refused", "is_chosen": False},
    ],
}


def made(**figures):
    (check,) = figures
    return verdict(check=check, phase="compare", figures=figures)


def line(**figures):
    return {"kind": "verdict", **made(**figures).to_json()}


def test_a_record_holds_rebuilds_and_tactics():
    validated(line(rebuild=REBUILD))
    validated(line(tactics=TACTICS))


@pytest.mark.parametrize(
    ("figures", "place"),
    [
        ({"rebuild": REBUILD | {"times": -1}}, r"figures\.rebuild\.times"),
        ({"rebuild": REBUILD | {"choices": [{"kernel": "a"}]}}, r"figures\.rebuild\.choices\[0\]\.count"),
        ({"tactics": TACTICS | {"trials": [{"tactic": "0x01", "status": "pass"}]}}, r"trials\[0\]\.implementation"),
        ({"tactics": {"ran": 1}}, r"figures\.tactics\.listed"),
    ],
)
def test_malformed_ones_are_refused(figures, place):
    with pytest.raises(LineFault, match=place):
        validated(line(**figures))


def test_the_report_shows_choices_by_how_much_they_cost():
    steady = REBUILD | {"choices": REBUILD["choices"][:1], "spread_of_choices": None}
    view = View(
        (record(verdict(case="a/b-fp32", check="rebuild", figures={"rebuild": steady}), made(rebuild=REBUILD)),)
    )
    rows = rebuilt_rows(view)
    assert [len(row.choices) for row in rows] == [2, 1]
    assert rows[0].choices == (("fast_kernel", 17, "10.0 µs"), ("slow<kernel>", 3, "14.0 µs"))
    page = report_page(view)
    assert "slow&lt;kernel&gt;</code> × 3, 14.0 µs" in page
    assert '<section id="rebuilds"' in page
    assert '<section id="tactics"' not in page


def test_the_report_shows_what_share_of_the_tactics_ran():
    view = View((record(made(tactics=TACTICS)),))
    (row,) = tactics_rows(view)
    assert (row.listed, row.ran, row.wrong, row.refused, row.kernels, row.share) == (4, 3, 1, 1, 2, "75 %")
    assert tactics_total([row]) == "3 of 4 listed tactics ran: 75 %"
    page = report_page(view)
    assert "3 of 4 listed tactics ran: 75 %" in page
    assert '<td class="n fail">1</td>' in page
