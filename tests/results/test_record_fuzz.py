"""Damaged records are refused with file and line, or every reader copes with them."""

from __future__ import annotations

import json

import pytest

from tests.support import record_fuzz
from tests.support.helpers import sampled
from tests.support.record_fuzz import fuzz, sources
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.record import schema
from trt_conformance.results.record.record import read_record, record_content, save_record

EMPTY = Catalog((), {})


def test_damaged_records_raise_nothing(tmp_path):
    counts, failures = fuzz(120, 20261128, tmp_path, EMPTY)
    assert not failures
    assert counts["read"] > 20
    assert counts["refused"] > 20


def test_the_fuzzer_finds_a_reader_that_raises(tmp_path, monkeypatch):
    monkeypatch.setattr(record_fuzz, "merge", lambda records: 1 / 0)
    counts, failures = fuzz(10, 1, tmp_path, EMPTY)
    assert failures
    assert all("merge: ZeroDivisionError" in failure for failure in failures)
    assert counts["failed"] == counts["read"] == len(failures)


def test_the_fuzzer_finds_a_message_without_a_line(tmp_path, monkeypatch):
    def unhelpful(path):
        raise ConformanceError(f"{path}: something is wrong")

    readers = record_fuzz.Readers(tmp_path, EMPTY)
    monkeypatch.setattr(record_fuzz, "Readers", lambda *_: readers)
    monkeypatch.setattr(record_fuzz, "read_record", unhelpful)
    counts, failures = fuzz(3, 1, tmp_path, EMPTY)
    assert counts["failed"] == 3
    assert all("read: AssertionError" in failure for failure in failures)


@pytest.mark.parametrize(
    "path", sampled(sources(), 5), ids=lambda path: path.parent.name + "/" + path.name.partition(".")[0]
)
def test_every_published_record_is_read_and_written_again(path, tmp_path):
    found = read_record(path)
    assert found.end is not None
    before, after = record_content(path), save_record(tmp_path, found).read_bytes()
    assert len(before.splitlines()) == len(after.splitlines())
    for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
        # Checks have their present names.
        assert old.replace(b'"check": "ways"', b'"check": "execution_modes"') == new


def test_the_published_schema_refuses_what_the_reader_refuses(tmp_path):
    """But for the rules that the schema itself says it cannot express."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(schema.PATH.read_text(encoding="utf-8")))
    beyond = (
        "nested",
        "median",
        "actual, expected",
        "worst, offset",
        "indices",
        "x_at is longer",
        "date",
        "day ",
        "valid integer",
        "unicode string",
    )
    agreed = 0
    for line in record_fuzz.damaged_lines(400, 5):
        message = ""
        try:
            schema.validated(line)
        except schema.LineFault as fault:
            message = str(fault)
        valid = validator.is_valid(line)
        assert valid or message, line
        if valid and message:
            assert any(word in message for word in beyond), (message, line)
        agreed += not valid
    assert agreed > 50
