"""The closing summary of a run says how many checks have no result, and why."""

from tests.support.runs import TARGET, verdict
from trt_conformance.results import summary


def test_reasons_are_counted_and_faults_are_not_among_them():
    found = [
        verdict("a/b-tf32", status="unsupported", message="no tf32 convolution"),
        verdict("a/c-tf32", status="unsupported", message="no tf32 convolution"),
        verdict("a/d-fp32", status="not run", message="no GPU"),
        verdict("a/e-fp32", status="fail", message="it differs"),
        verdict("a/f-fp32", status="unsupported", message="refused", known="int8_not_built"),
        verdict("a/g-fp32"),
    ]
    assert summary.reasons(found) == [f"{TARGET}: 1 not run: no GPU", f"{TARGET}: 2 unsupported: no tf32 convolution"]
