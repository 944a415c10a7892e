"""JUnit XML as Jenkins and GitLab read it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from trt_conformance.core.verdict import FAULTS, Verdict
from trt_conformance.results.report.page import rerun
from trt_conformance.results.report.view import View
from trt_conformance.results.summary import outcome

# Characters that XML 1.0 does not allow, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(view: View) -> str:
    """One suite for each target, one test for each check."""
    root = ET.Element("testsuites", name="trt-conformance")
    for column in view.columns:
        record = view.records[max(0, column.run - 1)]
        suite = _suite(root, column.name, record.header.started)
        properties = ET.SubElement(suite, "properties")
        for name, value in column.facts.items():
            ET.SubElement(properties, "property", name=_xml(str(name)), value=_xml(str(value)))
        for verdict in column.verdicts:
            _test(suite, verdict)
    for number, record in enumerate(view.records, start=1):
        if not record.complete:
            suite = _suite(root, f"run {number}", record.header.started)
            test = ET.SubElement(suite, "testcase", classname="run", name="completes")
            ET.SubElement(test, "error", type="killed", message="the run was killed before it ended")
    for parent in (*root, root):
        tests = parent.findall(".//testcase")
        parent.set("tests", str(len(tests)))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            if attribute != "skipped" or parent is not root:
                parent.set(attribute, str(sum(test.find(tag) is not None for test in tests)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, started: str) -> ET.Element:
    return ET.SubElement(root, "testsuite", name=_xml(name), timestamp=started[:19])


def _test(suite: ET.Element, verdict: Verdict) -> None:
    folder, _, _ = verdict.case.partition("/")
    name = f"{verdict.check}[{verdict.case}]"
    test = ET.SubElement(suite, "testcase", classname=_xml(f"conformance.{folder}"), name=_xml(name))
    found, first = outcome(verdict), next(iter(_lines(verdict)), "")
    if found in FAULTS:
        fault = ET.SubElement(test, "error" if found == "error" else "failure", type=found, message=_xml(first))
        fault.text = _xml(f"{verdict.message}\nrerun: {rerun(verdict)}")
    elif found != "pass":
        why = f"known difference {verdict.known}" if verdict.known else found
        ET.SubElement(test, "skipped", message=_xml(f"{why}: {first}" if first else why))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _lines(verdict: Verdict) -> list[str]:
    """The lines of a message without the headline that names its case."""
    return [line.strip() for line in verdict.message.splitlines() if line.strip() and " FAILED in " not in line]
