"""Profiles of a target: computed from verdicts, passed only if every case passes, shown in report, site and badges."""

import json

import pytest

from tests.support.helpers import make_case
from tests.support.pages import CLAIMS, Page
from tests.support.runs import TARGET, record, timed, verdict
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.claims import Claim, Versions
from trt_conformance.catalog.profiles import Profile, Rule
from trt_conformance.results.profiles import profile_results
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.view import View
from trt_conformance.results.site.pages import Site, site_files
from trt_conformance.results.versions.matrix import matrix

CASES = tuple(make_case(id=f"{family}/{name}") for family in ("stride_nd", "exact") for name in ("a", "b"))
CATALOG = Catalog(CASES, CLAIMS)
FLOAT = Profile(
    id="float", doc="What the document says.", core=Rule(cases=("stride_nd/*",)), extended=Rule(cases=("exact/*",))
)
A, B, EXACT_A, EXACT_B = (case.id for case in CASES)


def results(*verdicts, catalog=CATALOG, target=TARGET):
    return [one.words for one in profile_results((FLOAT,), catalog, target, verdicts)]


def good(*cases):
    return [verdict(case) for case in cases]


@pytest.mark.parametrize(
    ("verdicts", "core", "extended"),
    [
        (good(A, B, EXACT_A, EXACT_B), "pass", "pass"),
        (good(A, B), "pass", "not run 2"),
        ([], "not run 2", "not run 4"),
        ([verdict(A, status="fallback"), *good(B, EXACT_A, EXACT_B)], "pass", "pass"),
        ([verdict(A, status="fail"), *good(B)], "fails 1", "fails 1, not run 2"),
        ([verdict(A, status="error"), *good(B)], "fails 1", "fails 1, not run 2"),
        ([verdict(A, status="fail", known="x"), *good(B)], "fails 1", "fails 1, not run 2"),
        ([verdict(A, status="unsupported"), *good(B)], "unsupported 1", "unsupported 1, not run 2"),
        ([verdict(A, status="not run"), *good(B)], "not run 1", "not run 3"),
        ([verdict(A, status="fail", check="second_input"), *good(A, B)], "fails 1", "fails 1, not run 2"),
        ([verdict(A, check="build", phase="build"), verdict(A, status="not run"), *good(B)], "not run 1", "not run 3"),
        ([verdict(A, target="numpy"), *good(B)], "not run 1", "not run 3"),
    ],
)
def test_a_profile_is_passed_only_if_every_case_passes(verdicts, core, extended):
    assert results(*verdicts) == [core, extended]


def test_a_case_whose_claims_are_not_stated_for_the_version_is_left_out():
    newer = Claim(
        id="stride_nd.new", section="x", statement="holds since TensorRT 10", versions=Versions(tensorrt=">=10")
    )
    cases = (make_case(id="stride_nd/a", claims=("stride_nd.new",)), *CASES[1:])
    catalog = Catalog(cases, {**CLAIMS, "stride_nd.new": newer})
    assert results(*good(B, EXACT_A, EXACT_B), catalog=catalog) == ["pass", "pass"]
    assert results(catalog=catalog, target="tensorrt-10.3.0-sm90") == ["not run 2", "not run 4"]


def test_without_cases_there_is_no_profile():
    assert profile_results((FLOAT,), None, TARGET, good(A, B)) == ()


def test_the_report_has_a_table_of_profiles_and_their_failing_cases():
    run = record(verdict(A, status="fail", message="no"), *good(B))
    page = Page(report_page(View((run,), CATALOG, (), (FLOAT,))))
    assert (
        f"profile {TARGET} float, core What the document says. fails 1 {A} float, extended fails 1, not run 2"
        in page.words
    )
    assert "#profiles" in page.links


@pytest.mark.parametrize("run", [record(timed()), record(verdict("mine/own-fp32"))], ids=["timed", "own"])
def test_a_run_of_none_of_their_cases_has_no_table(run):
    assert "#profiles" not in Page(report_page(View((run,), CATALOG, (), (FLOAT,)))).links


def test_the_site_has_them_for_each_version_and_badges():
    other = "torch-2.11-cudnn9-sm90"
    runs = {"one": record(*good(A, B)), "two": record(verdict("mine/own-fp32", target=other))}
    files = site_files(Site(runs, matrix(list(runs.values()), CATALOG), (FLOAT,)))
    words = Page(files["index.html"]).words
    assert "float, core What the document says. pass none ran float, extended not run 2 none ran" in words
    assert (
        "float, core What the document says. pass float, extended not run 2"
        in Page(files[f"targets/{TARGET}.html"]).words
    )
    assert 'id="profiles"' not in files[f"targets/{other}.html"]
    badges = {path: json.loads(text) for path, text in files.items() if path.startswith("badges/")}
    assert badges[f"badges/{TARGET}-float-core.json"] == {
        "schemaVersion": 1,
        "label": "float core, TensorRT 8.6.1, H200",
        "message": "pass",
        "color": "brightgreen",
    }
    assert badges[f"badges/{TARGET}-float-extended.json"]["message"] == "not run 2"
    assert badges[f"badges/{TARGET}-float-extended.json"]["color"] == "lightgrey"
    assert f"badges/{other}-float-core.json" not in badges
