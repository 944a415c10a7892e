"""Do the target's outputs for derived inputs, shapes and attributes relate to each other as they must?"""

import pytest

from trt_conformance.checks.metamorphic import check_metamorphic


@pytest.mark.cases("exact", relations=True)
def test_metamorphic(subject, relation, judge):
    judge(check_metamorphic(subject, relation))
