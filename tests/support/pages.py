"""Records that reports are made of, and what is read from the pages."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.support.helpers import make_case
from tests.support.runs import record, timed
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.claims import Claim
from trt_conformance.catalog.expectations import Expectation
from trt_conformance.results.report.answer import answer
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.view import View

CLAIMS = {
    name: Claim(id=name, section="stride_nd", statement=f"the document states {name}")
    for name in ("stride_nd.h2_w2", "stride_nd.h2_w1", "example.values")
}
CATALOG = Catalog((make_case(id="stride_nd/h2_w2", set={"stride_nd": [2, 2]}), make_case()), CLAIMS)
KNOWN = Expectation(
    id="wildcard",
    cause="bug",
    doc="The target accepts it.",
    link="https://example.org/1",
    targets=("tensorrt-*",),
    cases=("*",),
    checks=("forward",),
    phase="compare",
    difference="differs",
)
VOID = {"meta", "link", "br", "input", "hr", "img"}


class Page(HTMLParser):
    """Tags balance; collects ids, links, text, and whatever would load something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.ids, self.links, self.loads, self.text = [], [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        elif tag == "link":
            self.loads.append(given["href"])
        self.loads += [given[name] for name in ("src", "srcset", "data", "action") if name in given]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page(*records, catalog=CATALOG, expectations=()):
    return Page(report_page(View(records, catalog, expectations)))


def say(*records, catalog=CATALOG):
    return answer(View(records, catalog))


CEILINGS = {"memory": 4e12, "fp16": 7e14}
TRACED = [
    {"name": "sm90_fprop", "seconds": 15e-6, "class": "convolution"},
    {"name": "nchwToNhwc", "seconds": 5e-6, "class": "reformat"},
]


def latencies():
    """A case on two targets, as a GPU's run records it, and one as a CPU's does."""
    return record(
        timed(ceilings=CEILINGS, figures={"kernels": TRACED}),
        timed(target="torch", median=60e-6, mode="enqueue", figures={"kernels": TRACED, "stopped": "limit"}),
        timed("vgg/conv-fp32", target="numpy", median=2e-3, mode="host", figures={"cold_l2": True, "notes": ["alone"]}),
    )
