"""Do the API's old names behave as documented: a warning, or absence?"""

import pytest

from trt_conformance.checks.deprecated import check_deprecated


@pytest.mark.no_engine
@pytest.mark.cases("deprecated", needs="api")
def test_deprecated(subject, judge):
    judge(check_deprecated(subject))
