"""What became slower is grouped by what changed of its GPU kernels."""

import json
from dataclasses import replace

from typer.testing import CliRunner

from tests.support.latency_runs import run
from tests.support.pages import Page
from trt_conformance.cli import app
from trt_conformance.results.changes import between
from trt_conformance.results.latency.gate import compare_latency
from trt_conformance.results.latency.kernel_groups import lines, slower_by_kernel
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report.page import compare_page

SLOWER = dict.fromkeys((3, 5, 8), 1.3) | {11: 1.5, 20: 1.2}
WITH = {3: "sm90_new", 5: "sm90_new", 11: "sm90_new", 8: "sm90_other", 20: "sm80_xmma_fprop", 30: "sm90_faster"}


def runs():
    """Before and now: five latencies are longer, four of them with another kernel; a sixth kernel costs nothing."""
    before, now = run(1, between=0.0005), run(2, SLOWER, between=0.0005)
    verdicts = list(now.verdicts)
    for index, kernel in WITH.items():
        verdicts[index] = replace(verdicts[index], figures={**verdicts[index].figures, "kernel": kernel})
    return before, replace(now, verdicts=tuple(verdicts))


def compared():
    return compare_latency(*runs(), calibration=[run(seed, between=0.0005) for seed in (3, 4, 5)])


def test_slower_layers_are_grouped_by_their_change_of_kernel():
    groups = slower_by_kernel(compared())
    assert [(group.cause, len(group.changes)) for group in groups] == [
        ("sm80_xmma_fprop -> sm90_new", 3),
        ("sm80_xmma_fprop -> sm90_other", 1),
        ("the same kernel", 1),
    ]
    assert groups[0].changes[0].case == "net/layer11_n8-fp16"
    assert abs(groups[0].ratio - (1.3 * 1.3 * 1.5) ** (1 / 3)) < 0.02


def test_the_text_names_the_worst_layer_of_each_group():
    first, *rest = lines(slower_by_kernel(compared()))
    assert first == "slower latencies by change of kernel:" and len(rest) == 3
    assert rest[0].startswith("  3 slower, +3") and "at most +" in rest[0]
    assert rest[0].endswith("(net/layer11_n8-fp16): sm80_xmma_fprop -> sm90_new")


def test_without_a_slower_layer_there_is_no_group():
    before, _ = runs()
    assert slower_by_kernel(compare_latency(before, before)) == ()
    assert lines(()) == []


def test_quick_latencies_are_grouped_apart():
    before, now = runs()
    quick = [
        replace(record, verdicts=tuple(_quick(verdict) for verdict in record.verdicts)) for record in (before, now)
    ]
    both = [
        replace(full, verdicts=(*full.verdicts, *other.verdicts))
        for full, other in zip((before, now), quick, strict=True)
    ]
    groups = slower_by_kernel(compare_latency(*both, calibration=both[:1] * 3))
    assert {group.effort for group in groups} == {"full", "quick"}
    assert [group.effort for group in groups] == sorted(group.effort for group in groups)
    assert all(change.effort == group.effort for group in groups for change in group.changes)
    assert any(" quick latencies slower" in group.text() for group in groups)


def _quick(verdict):
    return replace(verdict, check="quick_latency", figures={**verdict.figures, "effort": "quick"})


def test_the_page_and_the_command_show_the_groups(tmp_path):
    before, now = runs()
    page = Page(compare_page(between(before, now), 10, compared()))
    assert "Slower by change of kernel" in page.words and "sm80_xmma_fprop -> sm90_new" in page.words
    paths = [str(save_record(tmp_path / name, record)) for name, record in (("a", before), ("b", now))]
    calibration = [str(save_record(tmp_path / f"c{seed}", run(seed, between=0.0005))) for seed in (3, 4, 5)]
    options = [part for path in calibration for part in ("--calibration", path)]
    done = CliRunner().invoke(app, ["compare", *paths, *options])
    assert "slower latencies by change of kernel:" in done.output
    found = json.loads(CliRunner().invoke(app, ["compare", *paths, *options, "--json"]).output)
    assert found["latency"]["slower_by_kernel"][0]["now"] == ["sm90_new"]
    assert "Slower by change of kernel" not in compare_page(
        between(before, before), 10, compare_latency(before, before)
    )
