"""A claim's state follows from its verdicts, from what it takes to check it, and from its versions."""

import pytest

from tests.support.runs import TARGET, verdict
from trt_conformance.catalog.claims import Claim, Versions
from trt_conformance.results import claims

GUIDE = "guide.one"


def claim(name: str = GUIDE, checkable: str = "run", versions: Versions | None = None) -> Claim:
    given = {"id": name, "section": "a section", "statement": "says something", "checkable": checkable}
    return Claim.model_validate(given | {"versions": versions and versions.model_dump()})


@pytest.mark.parametrize(
    ("checkable", "check", "phase", "state"),
    [
        ("run", "network", "network", "built"),
        ("run", "build", "build", "built"),
        ("run", "forward", "compare", "holds"),
        ("run", "reject", "network", "holds"),
        ("build", "network", "network", "built"),
        ("build", "build", "build", "holds"),
        ("network", "network", "network", "holds"),
        ("network", "build", "build", "holds"),
        ("dla", "network", "network", "not run"),
        ("dla", "build", "build", "built"),
        ("dla", "reject", "build", "holds"),
    ],
)
def test_a_claim_holds_when_what_it_takes_has_passed(checkable, check, phase, state):
    found = claims.states([verdict(claims=(GUIDE,), check=check, phase=phase)], {GUIDE: claim(checkable=checkable)})
    assert found == {GUIDE: state}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"status": "fail"}, "differs"),
        ({"status": "error"}, "differs"),
        ({"status": "fail", "known": "an_expectation"}, "known"),
        ({"status": "not run"}, "not run"),
        ({"status": "unsupported"}, "unsupported"),
        ({"status": "fallback"}, "fallback"),
    ],
)
def test_a_verdict_that_is_no_pass_gives_its_own_state(fields, state):
    found = claims.states([verdict(claims=(GUIDE,), **fields)], {GUIDE: claim(checkable="network")})
    assert found == {GUIDE: state}


def test_the_worst_verdict_decides():
    network = verdict(claims=(GUIDE,), check="network", phase="network")
    build = verdict(claims=(GUIDE,), check="build", phase="build", status="fail")
    assert claims.states([network, build], {GUIDE: claim(checkable="network")}) == {GUIDE: "differs"}


def test_a_claim_of_another_version_is_not_counted_as_unchecked():
    later = claim("guide.later", versions=Versions(tensorrt=">=99"))
    registered = {GUIDE: claim(), "guide.open": claim("guide.open"), "guide.later": later}
    (document,) = claims.by_document(registered)
    count = claims.counts(document, TARGET, {GUIDE: "holds"}, registered)
    assert count == {"holds": 1, "open": 1, "unstated": 1}
    assert claims.lines([verdict(claims=(GUIDE,))], registered) == [
        f"{TARGET}: guide: 1 of 2 claims holds, 0 differ, 1 not checked"
    ]


def test_a_document_without_a_checked_claim_has_no_line():
    registered = {name: claim(name) for name in (GUIDE, "nvinfer_h.one", "stride_nd.h2_w2")}
    assert claims.lines([verdict(claims=("nvinfer_h.one",))], registered) == [
        f"{TARGET}: nvinfer_h: 1 of 1 claims holds, 0 differ, 0 not checked"
    ]


def test_claims_that_are_not_registered_belong_to_the_document_that_their_id_names():
    documents = claims.by_document({GUIDE: claim()}, ["old.claim", "guide.old", GUIDE])
    assert [(d.name, d.ids) for d in documents] == [("cookbook", ("old.claim",)), ("guide", (GUIDE, "guide.old"))]
