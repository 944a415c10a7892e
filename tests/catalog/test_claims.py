"""Claims and the cases that check them fit each other; each claim says for which versions it is stated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_text import CASE, CLAIMS, HEADER, case, faults, write
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.claims import Claim
from trt_conformance.core.case_folder import CaseFolder


def test_claim_that_no_case_names(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE, claims="# text\n" + CLAIMS)
    text = 'no case checks the claim "stride_nd.h2_w2": write one, or give the reason in "unchecked"'
    assert faults(tmp_path) == [("claims.toml", 2, text)]


def test_claim_that_says_why_no_case_checks_it(tmp_path: Path) -> None:
    reason = 'unchecked = "needs a DLA"\n'
    catalog = load_catalog(CaseFolder.at(write(tmp_path, one=HEADER + CASE, claims=CLAIMS + reason)))
    assert catalog.claims["stride_nd.h2_w2"].unchecked == "needs a DLA"
    write(tmp_path, one=HEADER + case("a", 'claims = ["stride_nd.h2_w2"]'))
    text = 'unchecked: a case checks the claim "stride_nd.h2_w2": remove the reason'
    assert faults(tmp_path) == [("claims.toml", 5, text)]


VERSIONS = {"tensorrt": ">=8.6,<12", "tensorrt_rtx": ">=1.3"}


@pytest.mark.parametrize(
    ("versions", "target", "stated"),
    [
        (None, "tensorrt-8.6.1-sm90", True),
        (VERSIONS, "tensorrt-8.6.1-sm90", True),
        (VERSIONS, "tensorrt-8.5.3-sm90", False),
        (VERSIONS, "tensorrt-12.0.0-sm90", False),
        (VERSIONS, "tensorrt_rtx-1.7.1-aot", True),
        (VERSIONS, "tensorrt_rtx-1.2.0-aot", False),
        ({"tensorrt": ">=8.6"}, "tensorrt_rtx-1.7.1-aot", False),
        ({"tensorrt": ">=8.6"}, "tensorrt", True),
        ({"tensorrt": ">=8.6"}, "numpy", True),
    ],
)
def test_claim_is_stated_for_versions(versions: dict[str, str] | None, target: str, stated: bool) -> None:
    given = {"id": "nvinfer_h.name", "section": "ILayer", "statement": "A layer has a name.", "versions": versions}
    claim = Claim.model_validate(given)
    assert (claim.document, claim.stated_for(target)) == ("nvinfer_h", stated)


def test_source_of_the_file_is_for_cases_that_check_other_documents_too(tmp_path: Path) -> None:
    claims = CLAIMS.replace("stride_nd.h2_w2", "nvinfer_h.name")
    write(tmp_path, claims=claims, one=HEADER + case("a", 'claims = ["nvinfer_h.name"]'))
    (found,) = load_catalog(CaseFolder.at(tmp_path)).cases
    assert (found.claims, found.source) == (("nvinfer_h.name",), "a source")


@pytest.mark.parametrize(
    ("claims", "line", "message"),
    [
        ('[[claims]]\nid = "a.b"\n', 1, 'unknown key "claims"; did you mean "claim"?'),
        ('claim = "x"\n', 1, "claim: expected [[claim]] tables"),
        ("claim = [3]\n", 1, "expected a table, got 3"),
        ('[[claim]]\nid = "a.b"\nsection = "s"\n', 1, '"statement" is missing'),
        (
            '[[claim]]\nid = "ab"\nsection = "s"\nstatement = "says something"\n',
            2,
            'id: expected a section and a statement, like "stride_nd.h2_w2"; each may have only lower-case letters, '
            'digits and underscores, got "ab"',
        ),
        ('[[claim]]\nid = []\nsection = "s"\nstatement = "says something"\n', 2, "id: expected a string, got []"),
        (CLAIMS + CLAIMS, 6, 'duplicate claim "stride_nd.h2_w2"'),
        (CLAIMS + 'text = "x"\n', 5, 'unknown key "text"; expected one of id, section, statement'),
        (CLAIMS + 'versions.tensorrt = "8.6 on"\n', 1, '"8.6 on" is not a version range, like ">=8.5,<10"'),
        (CLAIMS + 'versions.onnxruntime = ">=1"\n', 5, 'unknown key in versions: "onnxruntime"'),
        (CLAIMS + 'checkable = "later"\n', 5, 'checkable: unknown value "later"; expected one of network, build, run'),
        (CLAIMS + 'unchecked = "no"\n', 5, "unchecked: needs at least 8 characters, got 2"),
        ("claim = [", 1, "is not valid TOML"),
    ],
)
def test_fault_of_the_claims(claims: str, line: int, message: str, tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE, claims=claims)
    found = faults(tmp_path)
    assert any(fault[:2] == ("claims.toml", line) and message in fault[2] for fault in found), found
