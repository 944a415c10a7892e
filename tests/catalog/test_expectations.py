"""A known difference is accepted where it is stated and as it is stated, and nowhere else."""

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.suite import suite_case, suite_catalog
from trt_conformance.catalog.expectations import Expectation, Expectations, read_expectations
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case
from trt_conformance.core.check_names import DATA_CHECKS, QUICK_LATENCY, RENAMED_CHECKS, TARGET_CHECKS
from trt_conformance.core.paths import CASES
from trt_conformance.core.tensors import OUTPUT
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

KNOWN = Expectation.model_validate(
    {
        "id": "kernel_as_it_is",
        "cause": "deviation",
        "doc": "the kernel is not quantized",
        "targets": ["tensorrt-*"],
        "versions": ">=8.6,<8.7",
        "cases": ["exact/depthwise-int8"],
        "also": ["layer/*-int8"],
        "checks": ["forward"],
        "phase": "compare",
        "difference": "as if: .*neither_rounded",
    }
)
SAID = "FAILED in compare\n  as if: the kernel stays as it is (neither_rounded_nor_saturated)"


def verdict(case="exact/depthwise-int8", target="tensorrt-8.6.1-sm90", status="fail", phase="compare", message=SAID):
    fields = {"location": "a:1", "claims": (), "figures": {}, "known": "", "check": "forward"}
    return Verdict(case=case, target=target, phase=phase, status=status, message=message, **fields)


def judged(**fields):
    found = Expectations([KNOWN]).apply(verdict(**fields))
    return found.status, found.known


@pytest.mark.parametrize("case", ["exact/depthwise-int8", "layer/2d_f3_c8dw_int8c-int8"])
def test_a_difference_is_known_in_its_cases_and_in_those_that_may_differ(case):
    assert judged(case=case) == ("fail", KNOWN.id)


def test_a_case_that_differs_every_time_fails_when_it_passes():
    status, known = judged(status="pass", message="")
    assert (status, known) == ("fail", "")


def test_a_case_that_may_differ_may_pass():
    assert judged(case="layer/2d_f3_c8dw_int8c-int8", status="pass", message="") == ("pass", "")


@pytest.mark.parametrize(
    "other",
    [
        {"case": "layer/2d_f3_c8dw-fp16"},
        {"target": "tensorrt-10.0.0-sm90"},
        {"target": "tensorrt_rtx-8.6.1-sm90"},
        {"phase": "run"},
        {"message": "FAILED in compare\n  as if: the bias is dropped (bias_dropped)"},
    ],
)
def test_another_difference_is_not_known(other):
    assert judged(**({"case": "layer/2d_f3_c8dw_int8c-int8"} | other)) == ("fail", "")


def test_one_that_was_met_nowhere_is_unused_by_its_own_cases_alone():
    known = Expectations([KNOWN])
    other = verdict(message="FAILED in compare\n  something else")
    assert known.unused([other]) == [KNOWN]
    assert known.unused([known.apply(verdict())]) == []
    assert known.unused([verdict(case="layer/2d_f3_c8dw_int8c-int8", status="pass")]) == []


def test_a_pattern_of_cases_that_may_differ_must_match_some(tmp_path):
    lines = [
        f"{key} = {value!r}"
        for key, value in KNOWN.model_dump(mode="json", exclude={"link", "where"}).items()
        if key != "also"
    ]
    (tmp_path / "known.toml").write_text("\n".join(["[[expectation]]", *lines, "also = ['no/such-*']"]))
    _, faults = read_expectations(tmp_path, ["exact/depthwise-int8"])
    assert [fault.message for fault in faults] == ['also: "no/such-*" matches no case']


@pytest.mark.parametrize(
    ("target", "is_suite", "message"),
    [
        ("tensort-*", True, 'targets: unknown target "tensort-*"; did you mean "tensorrt"?'),
        ("tensort-*", False, None),
        ("acme-*", True, None),
        ("acme-*", False, None),
        ("tensorrt-*", True, None),
    ],
)
def test_a_target_of_a_users_own_is_known_by_any_name(tmp_path, monkeypatch, target, is_suite, message):
    """In the suite's own files, a name that resembles a registered target's is taken for a misspelled one."""
    if is_suite:
        monkeypatch.setattr("trt_conformance.catalog.expectations.SUITE", SimpleNamespace(expectations=tmp_path))
    fields = KNOWN.model_dump(mode="json", exclude={"link", "where", "also", "targets", "versions"})
    lines = ["[[expectation]]", *(f"{key} = {value!r}" for key, value in fields.items()), f"targets = [{target!r}]"]
    (tmp_path / "known.toml").write_text("\n".join(lines))
    entries, faults = read_expectations(tmp_path, None)
    assert [fault.message for fault in faults] == ([message] if message else [])
    assert Expectations(entries).apply(verdict(target=target.replace("*", "1.0"))).known == KNOWN.id
    assert Expectations(entries).apply(verdict(target="other-1.0")).known == ""


@pytest.mark.parametrize("name", ["acme", "acme-kernel", "acme-8.6.x-gpu"])
def test_a_name_without_a_version_is_in_no_range(name):
    ours = KNOWN.model_copy(update={"targets": ("acme*",)})
    assert Expectations([ours]).apply(verdict(target=name)).known == ""
    assert Expectations([ours.model_copy(update={"versions": ""})]).apply(verdict(target=name)).known == KNOWN.id


def with_checks(folder, *checks):
    """The faults of a file whose only expectation covers these checks, each on a line of its own."""
    fields = KNOWN.model_dump(mode="json", exclude={"link", "where", "checks", "also"})
    names = [f"  {name!r}," for name in checks]
    text = "\n".join(
        ["[[expectation]]", *(f"{key} = {value!r}" for key, value in fields.items()), "checks = [", *names, "]"]
    )
    (folder / "known.toml").write_text(text)
    return text.splitlines(), [str(fault) for fault in read_expectations(folder, None)[1]]


def test_an_unknown_check_is_an_error_that_names_the_checks(tmp_path):
    lines, faults = with_checks(tmp_path, "forward", "forwards")
    line = lines.index("  'forwards',") + 1
    (fault,) = faults
    assert f'known.toml:{line}: checks: unknown check "forwards"; did you mean "forward"?' in fault
    assert fault.endswith(", ".join(TARGET_CHECKS))


def test_a_renamed_check_is_an_error_that_gives_the_present_name(tmp_path):
    _, (fault,) = with_checks(tmp_path, "ways")
    assert fault.endswith('checks: the check "ways" is now named "execution_modes"')


def test_every_check_of_a_target_may_be_expected(tmp_path):
    named = set()
    for file in CASES.glob("test_*.py"):
        for function in file.read_text(encoding="utf-8").split("\ndef test_")[1:]:
            given = re.findall(r'judge\(.*, (?:"(\w+)"|QUICK_LATENCY)\)', function)
            named |= {name or QUICK_LATENCY for name in given} or {function.partition("(")[0]}
    of_commands = {"rebuild", "tactics"}
    assert named | of_commands == {*TARGET_CHECKS, *DATA_CHECKS}
    assert with_checks(tmp_path, *TARGET_CHECKS)[1] == []
    assert set(RENAMED_CHECKS).isdisjoint({*TARGET_CHECKS, *DATA_CHECKS})
    assert set(RENAMED_CHECKS.values()) <= set(TARGET_CHECKS)


@pytest.mark.parametrize("check", DATA_CHECKS)
def test_a_check_of_the_suites_own_data_cannot_be_expected(check, tmp_path):
    _, (fault,) = with_checks(tmp_path, check)
    assert fault.endswith(f'checks: the check "{check}" is about the suite\'s own data, not about a target')


class Off(NumpyTarget):
    """Gets one element wrong: by as much as TensorRT 8.6 did on an H200, or more."""

    def __init__(self, times: float) -> None:
        self.times = times

    def build(self, case: Case) -> Any:
        engine = super().build(case)
        run = engine.run

        def wrong(feeds: Any) -> dict[str, Any]:
            outputs = run(feeds)
            outputs[OUTPUT][1, 3, 0, 0] += 5.7625e-6 * self.times
            return outputs

        engine.run = wrong  # type: ignore[method-assign]
        return engine


@pytest.mark.parametrize(("times", "known"), [(1, "tanh_of_a_hundred_units"), (20, ""), (10**6, "")])
def test_a_tanh_that_is_off_by_a_hundred_units_is_known_and_a_wrong_one_is_not(times: float, known: str) -> None:
    case = suite_case("fused/tanh-fp32")
    found = check_forward(Subject(case, Engines(Off(times)), lambda c, index: reference(c)))
    assert found.status == "fail"
    on_target = replace(found, target="tensorrt-8.6.0-sm90", check="forward")
    stated, _ = read_expectations(CASES / "expectations", None)
    assert Expectations(stated, suite_catalog().find).apply(on_target).known == known
