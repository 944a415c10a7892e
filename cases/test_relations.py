"""Do outputs relate to each other, and to their input, as the Cookbook says?"""

import pytest

from trt_conformance.checks.relations import check_relation


@pytest.mark.cases("related")
def test_relations(subject, judge, find):
    for relation in subject.case.relations:
        judge(check_relation(subject, relation, find))
