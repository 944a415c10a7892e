"""JUnit XML as Jenkins and GitLab read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from trt_conformance.core.verdict import FAULTS, Verdict
from trt_conformance.core.words import cache_word
from trt_conformance.results.causes import reason
from trt_conformance.results.report.exports.series import series_names
from trt_conformance.results.report.page import rerun
from trt_conformance.results.report.view import Column, View
from trt_conformance.results.summary import outcome

# Characters that XML 1.0 does not allow, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(view: View) -> str:
    """One suite for each target, one test for each check. No two tests have the same class and name."""
    names = series_names(view)
    root = JUnitXml("trt-conformance")
    for column in view.columns:
        suite = _suite(column.name, view.records[max(0, column.run - 1)].header.started)
        for name, value in column.facts.items():
            suite.add_property(_xml(str(name)), _xml(str(value)))
        suite.add_testcases(list(_tests(view, column, names[column])))
        root.add_testsuite(suite)
    for number, record in enumerate(view.records, start=1):
        if not record.complete:
            suite = _suite(f"run {number}", record.header.started)
            test = TestCase("completes", "run")
            test.result = [Error("the run did not finish", "incomplete")]
            suite.add_testcase(test)
            root.add_testsuite(suite)
    root.update_statistics()
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + str(root.tostring(), "utf-8") + "\n"


def _suite(name: str, started: str) -> TestSuite:
    suite = TestSuite(_xml(name))
    suite.timestamp = started[:19]
    return suite


def _tests(view: View, column: Column, target: str) -> Iterable[TestCase]:
    """The tests of a target. A check that was recorded twice under one name gets a number."""
    seen: Counter[tuple[str, str]] = Counter()
    for verdict in column.verdicts:
        folder, _, _ = verdict.case.partition("/")
        inside = [verdict.case, *([] if column.is_reference else [target]), *_mode(verdict)]
        key = f"conformance.{folder}", f"{verdict.check}[{', '.join(inside)}]"
        seen[key] += 1
        yield _test(view, verdict, key[0], key[1] if seen[key] == 1 else f"{key[1]} ({seen[key]})")


def _mode(verdict: Verdict) -> list[str]:
    """What was timed, and whether caches were emptied before it."""
    mode = verdict.figures.get("mode")
    return [mode, cache_word(verdict.figures)] if mode else []


def _test(view: View, verdict: Verdict, folder: str, name: str) -> TestCase:
    duration = verdict.figures.get("duration_s")
    test = TestCase(_xml(name), _xml(folder), None if duration is None else round(duration, 4))
    found, first = outcome(verdict), reason(verdict.message)
    if found in FAULTS:
        fault = (Error if found == "error" else Failure)(_xml(first), found)
        known = view.known_as(verdict)
        also = f"\na known difference today, but not when it ran: {known}" if known else ""
        fault.text = _xml(f"{verdict.message}{also}\nrerun: {rerun(verdict)}")
        test.result = [fault]
    elif found != "pass":
        why = f"known difference {verdict.known}" if verdict.known else found
        test.result = [Skipped(_xml(f"{why}: {first}" if first else why))]
    return test


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
