"""Does the target infer the formula's output shape whatever the padding, and build and compute what it infers?"""

from dataclasses import replace

import pytest

from trt_conformance.checks.build import check_build
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.network import check_network
from trt_conformance.checks.padding.sample import check_edge, golden
from trt_conformance.checks.padding.table import check_fresh, check_table


@pytest.mark.padding("table", needs="shapes")
def test_padding(table, judge):
    judge(check_table(*table))


@pytest.mark.padding("table", needs="shapes")
def test_fresh(table, judge):
    judge(check_fresh(*table))


@pytest.mark.no_engine
@pytest.mark.padding("sample", needs="shapes")
def test_network(subject, judge):
    judge(check_network(subject))


@pytest.mark.padding("sample", needs="shapes")
def test_build(subject, judge):
    judge(check_build(subject))


@pytest.mark.padding("sample")
def test_forward(subject, judge):
    judge(check_forward(replace(subject, golden=golden)))


@pytest.mark.padding("edges", needs="shapes")
def test_edge(subject, judge):
    judge(check_edge(subject))
