"""Run records: what is written is read back, and what is no record, or a damaged one, is refused in words."""

from __future__ import annotations

import gzip
import json
import math
import re

import pytest

from tests.support.helpers import run_pytest, slow
from tests.support.runs import ENVIRONMENT, TARGET, flipped, record, verdict
from tests.support.suite import small_cases
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.record import schema as record_schema
from trt_conformance.results.record.record import CHECK_VARIABLE, RecordWriter, read_record, record_path, save_record
from trt_conformance.results.record.schema import LineFault


@pytest.fixture
def path(tmp_path):
    return save_record(tmp_path, record(verdict("a/b-fp32"), verdict("a/c-fp32", status="fail", message="no")))


@pytest.fixture
def writer(tmp_path):
    """A writer whose run never ends, as a killed one."""
    made = RecordWriter(tmp_path / "runs", [TARGET], ENVIRONMENT)
    yield made
    made._file.close()


def lines_of(path):
    return path.read_bytes().split(b"\n")[:-1]


def refusal(path):
    with pytest.raises(ConformanceError) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_written_is_read_back(writer):
    given = [verdict(), flipped(), verdict(status="not run", message="no GPU", known="")]
    for one in given:
        writer.write(one)
    writer.close({"counts": {"pass": 1}, "exit": 1})
    found = read_record(writer.folder)
    assert list(found.verdicts) == given
    assert found.complete
    assert found.end.exit == 1
    assert found.header.targets == [TARGET]


def test_a_compressed_record_is_read_as_it_is(writer, tmp_path):
    writer.write(verdict())
    writer.close({})
    folder = tmp_path / "compressed"
    path = save_record(folder, read_record(writer.path), compressed=True)
    assert path == record_path(folder) == folder / "record.jsonl.gz"
    assert read_record(path) == read_record(folder) == read_record(writer.folder)
    assert gzip.decompress(path.read_bytes()) == writer.path.read_bytes()
    assert save_record(folder, read_record(folder), compressed=True).read_bytes() == path.read_bytes()


def test_a_saved_record_replaces_that_of_the_other_form(writer, tmp_path):
    writer.close({})
    found = read_record(writer.folder)
    for compressed in (False, True, False):
        save_record(tmp_path / "one", found, compressed=compressed)
        assert len(list((tmp_path / "one").iterdir())) == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-9], "incomplete gzip file: its end is missing"),
        (lambda data: data + b"more", "there is data after the end of the gzip file"),
        (lambda data: data[:20] + bytes([data[20] ^ 0xFF]) + data[21:], "corrupt gzip file: "),
        (lambda data: gzip.compress(bytes(1000)), "larger than 0 GiB when decompressed"),
        (lambda data: gzip.compress(b""), ":1: not a run record: the file is empty"),
        (lambda data: gzip.compress(b"{}\n"), ":1: not a run record: its first line is not a header"),
    ],
)
def test_a_compressed_record_that_is_corrupt_is_refused(writer, monkeypatch, spoil, message):
    monkeypatch.setattr("trt_conformance.results.record.record.MAX_BYTES", 900)
    writer.close({})
    writer.path.write_bytes(spoil(gzip.compress(writer.path.read_bytes(), mtime=0)))
    assert message in refusal(writer.path)


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path):
    writers = [RecordWriter(tmp_path, ["numpy"], {}) for _ in range(3)]
    assert len({writer.folder for writer in writers}) == 3
    for writer in writers:
        writer.close({})


def test_a_line_that_the_schema_refuses_is_not_written_in_tests(writer, monkeypatch):
    wrong = verdict(figures={"samples": ["fast"]})
    with pytest.raises(LineFault, match="samples"):
        writer.write(wrong)
    assert len(lines_of(writer.path)) == 1
    monkeypatch.delenv(CHECK_VARIABLE)
    writer.write(wrong)
    assert len(lines_of(writer.path)) == 2


def test_a_killed_run_is_read_and_incomplete(writer):
    writer.write(verdict())
    found = read_record(writer.path)
    assert len(found.verdicts) == 1
    assert not found.complete


@pytest.mark.parametrize("kept", [1, 20, 60])
def test_a_last_line_cut_short_is_dropped(path, kept):
    whole = lines_of(path)
    path.write_bytes(b"\n".join([*whole[:2], whole[2][:kept]]))
    found = read_record(path)
    assert len(found.verdicts) == 1
    assert not found.complete


def test_a_last_line_cut_within_a_letter_is_dropped(path):
    with path.open("ab") as file:
        file.write('{"kind": "verdict", "message": "卷'.encode()[:-1])
    assert len(read_record(path).verdicts) == 2


def test_a_header_cut_short_is_no_record(path):
    path.write_bytes(lines_of(path)[0][:40])
    assert ":1: not a line of a run record: not valid JSON" in refusal(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1: not a run record: the file is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ":1: not a line of a run record: not valid UTF-8"),
        (b"a,b\n1,2\n", ":1: not a line of a run record: not valid JSON"),
        (b"[1, 2]\n", ":1: not a line of a run record: not a JSON object"),
        (b'{"kind": "verdict"}\n', "its first line is not a header"),
        (b'{"a": 1}\n{"b": 2}\n', "its first line is not a header"),
        (b'{"$schema": "x"}', "its first line is not a header"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, content, said):
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    assert said in refusal(path)


def test_what_is_not_there_is_refused(tmp_path):
    assert "no such file or folder: expected the folder of a run" in refusal(tmp_path / "nothing.jsonl")
    with pytest.raises(ConformanceError, match=r"contains no run record: expected the folder of a run.*record.jsonl$"):
        read_record(tmp_path)
    run = save_record(tmp_path / "runs" / "one", record(verdict())).parent
    with pytest.raises(ConformanceError, match=f"it contains folders of runs: name one, such as {re.escape(str(run))}"):
        read_record(tmp_path)


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_another_schema_version_is_refused(path, version):
    first, *rest = lines_of(path)
    header = json.loads(first) | {"schema_version": version}
    path.write_bytes(b"\n".join([json.dumps(header).encode(), *rest, b""]))
    assert f":1: schema version {json.dumps(version)}; this program reads 1" in refusal(path)


def test_bytes_that_are_not_utf_8_are_refused_where_they_stand(path):
    whole = lines_of(path)
    whole[1] = whole[1].replace(b"a/b", b"a/\xff")
    path.write_bytes(b"\n".join([*whole, b""]))
    assert ":2: not a line of a run record: not valid UTF-8" in refusal(path)


def test_a_damaged_line_is_refused_where_it_stands(path):
    whole = lines_of(path)
    whole[1] = whole[1][:30]
    path.write_bytes(b"\n".join([*whole, b""]))
    assert ":2: not a line of a run record: not valid JSON" in refusal(path)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_refused(path, word):
    whole = lines_of(path)
    whole[1] = whole[1].replace(b'"figures": {}', f'"figures": {{"fraction": {word}}}'.encode())
    path.write_bytes(b"\n".join([*whole, b""]))
    assert f":2: not a line of a run record: {word} is not valid JSON" in refusal(path)


def test_numbers_that_json_lacks_are_written_as_text(writer):
    writer.write(verdict(figures={"fraction": math.inf, "deep": {"list": [math.nan, 1.5]}}))
    figures = read_record(writer.path).verdicts[0].figures
    assert figures == {"fraction": "inf", "deep": {"list": ["nan", 1.5]}}


@pytest.mark.parametrize("text", ["卷积", "a\u2028b\u2029c\x85d", "tab\tline\nend\x1b[31m", 'quote " \\ slash'])
def test_any_text_survives(writer, text):
    writer.write(verdict(message=text))
    assert read_record(writer.path).verdicts[0].message == text


def test_half_a_surrogate_pair_stops_no_run(writer):
    writer.write(verdict(message="from a target: \udcff"))
    assert read_record(writer.path).verdicts[0].message == "from a target: \udcff"


def test_what_is_read_is_saved_again_to_the_byte(writer, tmp_path):
    writer.write(verdict(message="from a target: \udcff", figures={"fraction": math.inf}))
    writer.close({"counts": {"pass": 1}, "exit": 0})
    assert save_record(tmp_path / "again", read_record(writer.path)).read_bytes() == writer.path.read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "passed"}, "status: Input should be 'pass'"),
        ({"phase": "linking"}, "phase: Input should be 'lint'"),
        ({"case": 3}, "case: Input should be a valid string"),
        ({"claims": "one"}, "claims: Input should be a valid list"),
        ({"figures": {"fraction": "much"}}, "figures.fraction"),
        ({"figures": {"evidence": {"worst": [0]}}}, "figures.evidence.input_shape: Field required"),
        ({"kind": "latency"}, "does not match any of the expected tags"),
    ],
)
def test_a_line_that_says_something_else_is_refused_by_field(path, change, said):
    whole = lines_of(path)
    whole[2] = json.dumps(json.loads(whole[2]) | change).encode()
    path.write_bytes(b"\n".join([*whole, b""]))
    message = refusal(path)
    assert ":3: " in message
    assert said in message


def test_two_records_in_one_file_are_refused(path):
    path.write_bytes(path.read_bytes() * 2)
    assert ":5: unexpected line of kind 'run': more than one record?" in refusal(path)


def test_what_a_later_program_adds_is_accepted(path):
    whole = lines_of(path)
    whole[1] = json.dumps(json.loads(whole[1]) | {"mood": "good", "figures": {"mood": 1}}).encode()
    path.write_bytes(b"\n".join([*whole, b""]))
    assert read_record(path).verdicts[0].figures == {"mood": 1}


def test_a_check_of_an_older_record_has_its_present_name(tmp_path):
    path = save_record(tmp_path, record(verdict(check="ways"), verdict(check="forward")))
    assert [found.check for found in read_record(path).verdicts] == ["execution_modes", "forward"]


def test_the_published_schema_is_what_the_program_checks():
    assert record_schema.PATH.read_text(encoding="utf-8") == record_schema.rendered(), (
        "write it again: python -m trt_conformance.results.record.schema"
    )


def test_the_published_schema_accepts_records_and_refuses_others(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(record_schema.record_schema())
    validator.check_schema(validator.schema)
    path = save_record(tmp_path, record(verdict(), flipped(), verdict(status="not run")))
    for line in lines_of(path):
        validator.validate(json.loads(line))
    good = json.loads(lines_of(path)[1])
    for change in ({"status": "passed"}, {"case": 1}, {"figures": {"output_sha256": "XYZ"}}, {"kind": "other"}):
        assert not validator.is_valid(good | change)
        with pytest.raises(record_schema.LineFault):
            record_schema.validated(good | change)


def test_a_target_that_cannot_say_what_it_is_ends_no_run(tmp_path):
    (tmp_path / "silent.py").write_text(
        "from trt_conformance.targets.numpy import NumpyTarget\n"
        "class Silent(NumpyTarget):\n    name = 'silent'\n    def environment(self):\n        raise OSError('gone')\n"
    )
    options = ["--target", f"{tmp_path}/silent.py:Silent", "--cases", small_cases(), "--record-root", str(tmp_path)]
    done = run_pytest("cases/test_forward.py::test_forward", "-q", *options)
    assert done.returncode == 0, done.stdout
    (path,) = tmp_path.rglob("record.jsonl")
    facts = read_record(path).header.environment.targets["silent"]
    assert facts == {"environment": "not available: OSError: gone"}


def test_a_record_that_cannot_be_made_ends_the_run_in_words(tmp_path):
    (tmp_path / "file").write_text("in the way")
    options = ["--target", "numpy", "--cases", small_cases(), "--record-root", str(tmp_path / "file" / "runs")]
    done = run_pytest("cases/test_forward.py", "-q", *options)
    assert done.returncode == 2, done.stdout
    assert "the record cannot be written: Not a directory" in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr


@pytest.mark.parametrize("parallel", [(), slow(("-n", "2"))], ids=["alone", "parallel"])
def test_a_full_disk_ends_the_run_and_leaves_what_was_written(tmp_path, parallel):
    options = ["--target", "numpy", "--cases", small_cases(), "--record-root", str(tmp_path), *parallel]
    done = run_pytest("-p", "tests.support.full_disk", "cases/test_forward.py", "-q", *options)
    assert done.returncode == 2, done.stdout
    assert "the record cannot be written: No space left on device" in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr
    (path,) = tmp_path.rglob("record.jsonl")
    assert len(read_record(path).verdicts) == 3
    assert not read_record(path).complete


def test_the_targets_of_a_record_are_found_once():
    run = record(verdict(), verdict(target="numpy"))
    assert run.targets is run.targets
