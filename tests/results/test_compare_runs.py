"""Two runs compared: every kind of change is distinguished, and the gate stops regressions and nothing else."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.support.pages import Page
from tests.support.runs import ENVIRONMENT, TARGET, flipped, record, timed, verdict
from trt_conformance.cli import app, main
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.changes import GROUPS, between
from trt_conformance.results.latency import gate as latency_gate
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report.compare_text import markdown, sentence, terminal
from trt_conformance.results.report.page import compare_page

OUTCOMES = {
    "pass": {"status": "pass"},
    "fail": {"status": "fail", "message": "a [fp32] FAILED in compare\n  it differs"},
    "error": {"status": "error", "message": "boom"},
    "known": {"status": "fail", "known": "wildcard"},
    "fallback": {"status": "fallback"},
    "unsupported": {"status": "unsupported"},
    "not run": {"status": "not run", "message": "no GPU"},
}
GROUP_OF = {
    ("pass", "fail"): "failing",
    ("known", "fail"): "failing",
    ("not run", "fail"): "failing",
    ("unsupported", "fail"): "failing",
    ("fallback", "fail"): "failing",
    ("absent", "fail"): "failing",
    ("error", "fail"): "other",
    ("pass", "error"): "erroring",
    ("fail", "error"): "erroring",
    ("known", "error"): "erroring",
    ("fallback", "error"): "erroring",
    ("not run", "error"): "erroring",
    ("unsupported", "error"): "erroring",
    ("absent", "error"): "erroring",
    ("pass", "not run"): "lost",
    ("pass", "absent"): "lost",
    ("fail", "pass"): "passing",
    ("error", "pass"): "passing",
    ("known", "pass"): "passing",
    ("fallback", "pass"): "passing",
    ("not run", "pass"): "passing",
    ("unsupported", "pass"): "passing",
}


def one(outcome):
    """A run of one other check and, unless absent, the one that changes."""
    rest = verdict("a/other-fp32")
    return record(rest) if outcome == "absent" else record(rest, verdict("a/b-fp32", **OUTCOMES[outcome]))


@pytest.mark.parametrize("before", [*OUTCOMES, "absent"])
@pytest.mark.parametrize("now", [*OUTCOMES, "absent"])
def test_every_change_of_a_result_is_of_one_kind(before, now):
    changes = between(one(before), one(now))
    expected = GROUP_OF.get((before, now), "other" if before != now and "absent" not in (before, now) else None)
    assert {group for group in GROUPS if changes.groups[group]} == ({expected} if expected else set())
    assert bool(changes.regressions) == (expected in ("failing", "erroring", "lost"))


def test_equal_runs_differ_in_nothing():
    run = record(verdict(figures={"output_sha256": "0" * 16, "fraction": 0.5, "kernel": "k"}), flipped())
    changes = between(run, run)
    assert sentence(changes) == "No regression. The runs share 2 checks."
    assert terminal(changes, 10) == sentence(changes)
    assert not changes.environment


def test_bits_kernels_precisions_and_fractions():
    base = record(
        verdict("a/x-fp32", figures={"output_sha256": "0" * 16, "fraction": 0.25, "kernel": "one", "ran_in": "tf32"}),
        verdict("a/x-fp32", check="build", figures={"kernel": "one", "ran_in": "tf32"}),
        verdict("a/y-fp32", figures={"output_sha256": "1" * 16, "fraction": 0.5, "kernel": "same"}),
        verdict("a/z-fp32", figures={"fraction": 0.1}),
    )
    new = record(
        verdict("a/x-fp32", figures={"output_sha256": "2" * 16, "fraction": 0.5, "kernel": "two", "ran_in": "fp32"}),
        verdict("a/x-fp32", check="build", figures={"kernel": "two", "ran_in": "fp32"}),
        verdict("a/y-fp32", figures={"output_sha256": "1" * 16, "fraction": 0.5, "kernel": "same"}),
        verdict("a/z-fp32", status="fail", figures={"fraction": "inf"}),
    )
    changes = between(base, new)
    assert [(c.case, c.before, c.now) for c in changes.bits] == [("a/x-fp32", "0" * 16, "2" * 16)]
    assert changes.compared_bits == 2
    assert [(c.before, c.now) for c in changes.kernels] == [("one", "two")]
    assert [(c.before, c.now) for c in changes.precisions] == [("tf32", "fp32")]
    assert [(d.case, d.size) for d in changes.drifts] == [("a/z-fp32", float("inf")), ("a/x-fp32", 0.25)]
    assert "a/z-fp32" in terminal(changes, 1)
    assert "the largest of 2" in terminal(changes, 1)


def test_infinite_fractions_that_stay_are_no_change():
    run = record(verdict(figures={"fraction": "inf"}))
    assert not between(run, run).drifts


@pytest.mark.parametrize("known", ["", "a known difference"])
def test_how_wrong_an_output_is_in_both_runs_is_no_use_of_its_bound(known):
    base, new = (record(verdict(status="fail", known=known, figures={"fraction": used})) for used in (2e4, 3e4))
    assert not between(base, new).drifts
    assert len(between(base, record(verdict(figures={"fraction": 0.5}))).drifts) == 1


def test_a_check_that_judges_a_case_twice_is_compared_in_order():
    base = record(verdict(check="relations"), verdict(check="relations"))
    new = record(verdict(check="relations"), verdict(check="relations", **OUTCOMES["fail"]))
    assert len(between(base, new).groups["failing"]) == 1


def test_what_changed_of_the_environment():
    old, current = ENVIRONMENT, dict(ENVIRONMENT)
    current |= {"device": old["device"] | {"driver": "590.0", "clock_sm_mhz": 100}, "arguments": ["other"]}
    current |= {"targets": {"tensorrt-10.1-sm90": {"version": "10.1", "gpu": "NVIDIA H200"}}}
    new = record(verdict(target="tensorrt-10.1-sm90"), **current)
    changes = between(record(verdict()), new)
    assert changes.environment == (
        ("device.driver", "580.1", "590.0"),
        ("targets.tensorrt-10.1-sm90.version", "8.6.1", "10.1"),
    )


def test_cases_that_one_run_alone_holds():
    base = record(verdict("a/old-fp32", status="fail"), verdict("a/both-fp32"), verdict("a/both-fp32", check="build"))
    new = record(verdict("a/new-fp32"), verdict("a/both-fp32"))
    changes = between(base, new)
    assert changes.only_base == (("a/old-fp32", TARGET),)
    assert changes.only_new == (("a/new-fp32", TARGET),)


@pytest.mark.parametrize(
    ("base", "new", "stated", "pairs"),
    [
        (["a-1", "b-1"], ["b-1", "a-1"], [], {"a-1": "a-1", "b-1": "b-1"}),
        (["tensorrt-8-sm90"], ["tensorrt-10-sm90"], [], {"tensorrt-8-sm90": "tensorrt-10-sm90"}),
        (
            ["tensorrt-8-sm90", "numpy"],
            ["tensorrt_rtx-1-aot", "tensorrt-10-sm90", "numpy"],
            [],
            {"numpy": "numpy", "tensorrt-8-sm90": "tensorrt-10-sm90"},
        ),
        (["numpy"], ["mine"], [], {"numpy": "mine"}),
        (["tensorrt-8-a"], ["tensorrt-10-a", "tensorrt-10-b"], [], {}),
        (
            ["tensorrt-8-a"],
            ["tensorrt-10-a", "tensorrt-10-b"],
            ["tensorrt-8-a=tensorrt-10-b"],
            {"tensorrt-8-a": "tensorrt-10-b"},
        ),
        (["a", "b"], ["a", "b"], ["a=b", "b=a"], {"a": "b", "b": "a"}),
    ],
)
def test_targets_are_paired(base, new, stated, pairs):
    runs = [record(*(verdict(target=name) for name in names)) for names in (base, new)]
    assert dict(between(*runs, stated).pairs) == pairs


def test_a_base_target_without_partner_is_kept_apart():
    base = record(verdict(target="a"), verdict(target="b", **OUTCOMES["fail"]))
    new = record(verdict(target="b"), verdict(target="c"))
    changes = between(base, new, ["a=b"])
    assert dict(changes.pairs) == {"a": "b", "b": "c"}
    assert len(changes.both) == 2
    assert len(changes.groups["passing"]) == 1


@pytest.mark.parametrize("pair", ["a", "a=", "=b", "a=c", "x=b"])
def test_a_pair_that_is_none_is_refused(pair):
    with pytest.raises(ConformanceError, match="give OLD=NEW with OLD one of a and NEW one of b"):
        between(record(verdict(target="a")), record(verdict(target="b")), [pair])


def test_texts_say_what_to_know_first():
    base, new = record(verdict(target="numpy")), record(verdict(target="mine", **OUTCOMES["fail"]), complete=False)
    changes = between(base, new)
    for text in (terminal(changes, 10), markdown(changes, 10), " ".join(Page(compare_page(changes, 10)).text)):
        assert "1 regression. The runs share 1 check." in text
        assert "numpy is compared with mine" in text
        assert "the new run did not finish" in text
        assert "output bits were not compared" in text
        assert "it differs" in text


def test_runs_that_share_nothing_say_so():
    changes = between(record(verdict("a/x-fp32", status="fail")), record(verdict("a/y-fp32")))
    assert sentence(changes) == "The runs have no check in common."
    assert "?" in Page(compare_page(changes, 10)).words


def test_long_tables_are_cut_in_text_and_whole_in_html_and_json():
    cases = [f"a/case_{n}-fp32" for n in range(150)]
    changes = between(record(*map(verdict, cases)), record(*(verdict(case, **OUTCOMES["fail"]) for case in cases)))
    assert "and 130 more; see --html or --json" in terminal(changes, 10)
    assert "and 50 more" in markdown(changes, 10)
    assert cases[-1] in Page(compare_page(changes, 10)).words
    assert len(changes.to_json()["failing"]) == 150


def test_tables_fit_a_terminal_of_eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    kernel = "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize64x128x32_stage5_warpsize2x2x1_g1"
    ran = [verdict(f"exact_groups/depthwise_multiplier_3_{n}-fp16", figures={"kernel": kernel}) for n in range(2)]
    runs = [replace(v, status="fail", message="FAILED\n  it differs " * 9, figures={"kernel": "k" * 90}) for v in ran]
    text = terminal(between(record(*ran), record(*runs)), 10)
    assert max(map(len, text.splitlines())) <= 80
    assert "changed kernels: 2" in text
    assert "    now: kkkk" in text


def test_markdown_holds_no_markup_of_messages():
    changes = between(record(verdict()), record(verdict(status="fail", message="<b>|`*_[link](x)")))
    row = next(line for line in markdown(changes, 10).splitlines() if "h2\\_w2" in line and "link" in line)
    assert "&lt;b&gt;\\|\\`\\*\\_\\[link\\](x)" in row


@pytest.fixture
def runs(tmp_path):
    good = save_record(tmp_path / "good", record(verdict(), verdict("a/b-fp32")))
    bad = save_record(tmp_path / "bad", record(verdict(), verdict("a/b-fp32", **OUTCOMES["fail"])))
    killed = save_record(tmp_path / "killed", record(verdict(), complete=False))
    gone = save_record(tmp_path / "gone", record(verdict(), verdict("a/b-fp32", status="unsupported")))
    return {"good": good, "bad": bad, "killed": killed, "gone": gone}


@pytest.mark.parametrize(
    ("base", "new", "code"),
    [
        ("good", "good", 0),
        ("good", "bad", 1),
        ("bad", "good", 0),
        ("bad", "bad", 0),
        ("good", "killed", 1),
        ("killed", "good", 0),
        ("good", "gone", 0),
    ],
)
def test_the_gate(runs, base, new, code):
    arguments = ["compare", str(runs[base]), str(runs[new].parent)]
    gated = CliRunner().invoke(app, [*arguments, "--gate"])
    assert gated.exit_code == code
    assert gated.output.splitlines()[-1] == f"gate: exit code {code}: {'a' if code else 'no'} regression"
    assert CliRunner().invoke(app, [*arguments, "--gate", "--markdown"]).output.splitlines()[-1].startswith("- gate: ")
    assert CliRunner().invoke(app, arguments).exit_code == 0


def test_the_command_writes_every_form(runs, tmp_path):
    arguments = ["compare", str(runs["good"]), str(runs["bad"])]
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    assert found["regressions"] == 1
    assert found["failing"][0]["message"] == "it differs"
    html = tmp_path / "changes.html"
    done = CliRunner().invoke(app, [*arguments, "--markdown", "--html", str(html)])
    assert done.output.startswith("**1 regression. The runs share 2 checks.**")
    assert "| a/b-fp32 |" in done.output
    assert Page(html.read_text(encoding="utf-8")).loads == ["data:,"]


@pytest.mark.parametrize("extra", [[], ["--gate"], ["--json"]])
def test_bad_input_ends_with_2(runs, tmp_path, monkeypatch, capsys, extra):
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text('{"a": 1}\n', encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["trt-conformance", "compare", str(runs["good"]), str(foreign), *extra])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "not a run record" in capsys.readouterr().err


CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
EVIL = "evil\x1b[2J\x1b]0;owned\x07\r\u009b31m\n| x | <img src=x>"


@pytest.mark.parametrize("form", [[], ["--markdown"], ["--json"]])
def test_what_a_record_says_cannot_command_the_terminal(tmp_path, form):
    good = save_record(tmp_path / "good", record(verdict(f"{EVIL}-fp32"), timed(EVIL), device={"driver": EVIL}))
    bad = verdict(f"{EVIL}-fp32", target=EVIL, status="fail", message=EVIL)
    bad = save_record(tmp_path / "bad", record(bad, timed(EVIL, 60e-6, target=EVIL), device={"driver": "1"}))
    done = CliRunner().invoke(app, ["compare", str(good), str(bad), *form])
    assert done.exit_code == 0, done.output
    assert "evil" in done.output
    assert not CONTROL.search(done.output.replace("\n", ""))
    if form == ["--markdown"]:
        assert "<img" not in done.output


@pytest.mark.parametrize("command", ["history", "merge"])
def test_the_other_commands_are_as_careful(tmp_path, command, capsys, monkeypatch):
    for number, median in enumerate((50e-6, 70e-6)):
        found = record(timed(EVIL, median, target=f"{EVIL}{number}"), device={"driver": f"{EVIL}{number}"})
        save_record(tmp_path / str(number), found)
    output = ["--output", str(tmp_path / "merged")] if command == "merge" else []
    paths = [str(tmp_path / str(number)) for number in range(2)]
    monkeypatch.setattr(sys, "argv", ["trt-conformance", command, *paths, *output])
    with pytest.raises(SystemExit):
        main()
    printed = "".join(capsys.readouterr())
    assert printed
    assert not CONTROL.search(printed.replace("\n", ""))


def test_a_message_of_a_refused_record_is_as_careful(tmp_path, capsys, monkeypatch):
    path = save_record(tmp_path, record(verdict()))
    path.write_text(path.read_text().replace('"figures": {}', '"figures": {"facts": {"ceilings": {"\\u001b[31m": 0}}}'))
    monkeypatch.setattr(sys, "argv", ["trt-conformance", "compare", str(path), str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert "record.jsonl:2: figures.facts.ceilings" in message
    assert "\x1b" not in message


def test_a_fault_of_the_program_is_not_a_regression(runs, capsys, monkeypatch):
    monkeypatch.setattr(latency_gate, "latency_section", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["trt-conformance", "compare", str(runs["good"]), str(runs["bad"]), "--gate"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_two_forms_at_once_are_refused(runs):
    done = CliRunner().invoke(app, ["compare", str(runs["good"]), str(runs["bad"]), "--json", "--markdown"])
    assert isinstance(done.exception, ConformanceError)


def test_the_help_describes_the_gate():
    text = " ".join(CliRunner().invoke(app, ["compare", "--help"]).output.replace("│", " ").split())
    assert "Exit codes with --gate: 1 if a check newly fails or errs" in text
