"""Does the target accept the network as documented, with the documented shape and attributes?"""

import pytest

from trt_conformance.checks.network import check_network


@pytest.mark.no_engine
@pytest.mark.cases("accepted", needs="networks")
def test_network(subject, judge):
    judge(check_network(subject))
