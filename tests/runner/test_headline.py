"""A requested target without a result fails the run; the last lines say how the run ended, and why."""

import pytest

from tests.support.helpers import run_pytest_often
from tests.support.runs import TARGET, verdict
from tests.support.suite import small_cases
from trt_conformance.catalog.claims import Claim
from trt_conformance.results.record.record import read_record
from trt_conformance.runner.headline import headline, untested

CLAIM = "stride_nd.h2_w2"


def claim(name, **fields):
    return Claim(id=name, section="a section", statement="says something", **fields)


@pytest.mark.parametrize("status", ["unsupported", "not run"])
def test_a_target_without_a_result_is_untested(status):
    (reason,) = untested([verdict(status=status)], [TARGET], None)
    assert reason == f"no check on {TARGET} had a result (--min-claims 0 accepts this)"
    assert untested([verdict(status=status)], [TARGET], 0) == []


@pytest.mark.parametrize("status", ["pass", "fail", "error", "fallback"])
def test_one_result_is_enough_by_default(status):
    assert untested([verdict(status=status)], [TARGET], None) == []
    assert len(untested([verdict(status=status)], [TARGET, "other"], None)) == 1


def test_claims_are_counted_once():
    found = [verdict(), verdict(), verdict(claims=("other.claim",))]
    assert untested(found, [TARGET], 2) == []
    assert untested(found, [TARGET], 3) == [f"{TARGET} checked 2 claims, fewer than --min-claims 3"]


def test_the_headline_gives_the_reason_of_the_exit_code():
    passed = f"{TARGET}: 1 of 2 claims holds, 0 differ"
    claims = {name: claim(name) for name in (CLAIM, "other.claim")}
    assert headline([verdict()], claims, 0, []) == [passed, "exit code 0: no check failed"]
    assert headline([verdict()], claims, 1, ["a reason"])[-1] == "exit code 1: a reason"
    failed = "exit code 1: a test outside the conformance checks failed"
    assert headline([verdict()], claims, 1, [])[-1] == failed
    assert headline([verdict()], claims, 2, [])[-1] == "exit code 2: the run was interrupted"
    faults = [verdict(status="fail"), verdict(status="fail"), verdict(status="error")]
    assert headline(faults, claims, 1, []) == [
        f"{TARGET}: 0 of 2 claims hold, 1 differs",
        "exit code 1: 2 checks failed, 1 check ended in an error",
    ]


def test_each_target_has_a_line_that_sums_the_documents_beside_the_cookbook():
    claims = {name: claim(name) for name in (CLAIM, "guide.one", "guide.two", "nvinfer_h.one", "docstring.one")}
    found = [verdict(claims=(CLAIM, "guide.one")), verdict(status="fail", claims=("nvinfer_h.one",))]
    others = verdict(target="other", claims=("guide.one",))
    assert headline([*found, others], claims, 1, [])[:-1] == [
        "other: other documents: 1 of 2 claims holds, 0 differ",
        f"{TARGET}: 1 of 1 claims holds, 0 differ; other documents: 1 of 3 claims holds, 1 differs",
    ]


def test_a_target_without_claims_has_its_checks_counted():
    found = [verdict(claims=()), verdict(claims=(), status="unsupported"), verdict(claims=(), status="fail")]
    assert headline(found, {}, 1, [])[:-1] == [f"{TARGET}: 1 of 3 checks passes, 1 differs"]


def test_a_known_difference_is_not_counted_among_those_that_differ():
    claims = {name: claim(name) for name in (CLAIM, "other.claim")}
    found = [verdict(status="fail", known="a_cause")]
    expected = [f"{TARGET}: 0 of 2 claims hold, 1 is a known difference, 0 differ", "exit code 0: no check failed"]
    assert headline(found, claims, 0, []) == expected
    found = [verdict(claims=(), status="fail", known="a_cause"), verdict(claims=())]
    assert headline(found, {}, 0, [])[0] == f"{TARGET}: 1 of 2 checks passes, 1 is a known difference, 0 differ"


def test_the_headline_fits_the_terminal_except_for_the_reason():
    claims = {name: claim(name) for name in (CLAIM, "guide.one")}
    found = [verdict(claims=(CLAIM, "guide.one"))]
    *told, last = headline(found, claims, 1, ["a long reason " * 5], width=40)
    assert len(told) > 1
    assert all(len(line) <= 40 for line in told)
    assert [" ".join(line.strip() for line in told)] == headline(found, claims, 1, [])[:-1]
    assert len(last) > 40, "a line that starts with the exit code and has the whole reason can be searched for"


BROKEN = """
from trt_conformance.targets import registry


def breaks(options):
    raise OSError("libcudart.so.12: cannot open shared object file")


registry.REGISTERED.clear()
registry.REGISTERED |= {"numpy": registry._numpy, "torch": breaks}
"""


@pytest.mark.slow
def test_a_run_names_the_targets_that_cannot_run_here(tmp_path):
    """On the console, one line each, and in the record; a target that is not requested and broken fails no run."""
    (tmp_path / "broken.py").write_text(BROKEN)
    options = ["-p", "broken", "cases/test_forward.py", "--case", "stride_nd/h2_w2", "--no-isolation", "-q"]
    ((code, output),) = run_pytest_often([[*options, f"--record-root={tmp_path}"]], path=[tmp_path])
    assert code == 0, output
    (title,) = [number for number, line in enumerate(output.splitlines()) if line.startswith("claims of the Cookbook")]
    assert output.splitlines()[title + 1].startswith("  numpy: 1 of ")
    reason = "torch does not load: OSError: libcudart.so.12: cannot open shared object file"
    (line,) = [line for line in output.splitlines() if line.startswith("  torch: ")]
    assert line.startswith(f"  torch: {reason}; to get it: ")
    assert line.endswith("install -e '.[torch]'")
    (path,) = tmp_path.glob("*/record.jsonl")
    header = read_record(path).header
    assert list(header.environment.unavailable) == ["torch"]
    assert header.environment.unavailable["torch"] == reason
    assert header.targets == ["numpy"]


EMPTY = """
from trt_conformance.targets.numpy import NumpyTarget

class Empty(NumpyTarget):
    name = "empty"

    def supports(self, case):
        return "nothing works here"
"""


def test_a_run_that_compared_nothing_fails(tmp_path):
    (tmp_path / "empty.py").write_text(EMPTY)
    run = [
        "cases/test_forward.py", "--cases", small_cases(), "--no-isolation", f"--record-root={tmp_path}", "-q",
        "--target", f"{tmp_path}/empty.py:Empty",
    ]  # fmt: skip
    found = run_pytest_often([run, [*run, "--min-claims", "0"], [*run, "--target", "numpy", "--min-claims", "1"]])
    assert [code for code, _ in found] == [1, 0, 1]
    assert [output.splitlines()[-1] for _, output in found] == [
        "exit code 1: no check on empty had a result (--min-claims 0 accepts this)",
        "exit code 0: no check failed",
        "exit code 1: empty checked 0 claims, fewer than --min-claims 1",
    ]
