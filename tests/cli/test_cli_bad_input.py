"""Bad input of every command: one message on stderr that says what is wrong, where, and what to do; exit code 2."""

import shutil
import sys

import pytest
import typer

from tests.support.helpers import SMALL_FILE, slow
from tests.support.runs import record, verdict
from trt_conformance.cli import app, main
from trt_conformance.results.record.record import save_record

CASE = "stride_nd/h2_w2"
FULL = f"{CASE}-fp32"

BAD_RUNS = [
    ("absent", "absent: no such file or folder: expected the folder of a run, or its record.jsonl"),
    ("empty", "empty: contains no run record: expected the folder of a run, or its record.jsonl"),
    ("text.txt", "text.txt:1: not a line of a run record: not valid JSON"),
    ("binary", "binary:1: not a line of a run record: not valid JSON"),
    ("nothing", "nothing:1: not a run record: the file is empty"),
    (
        "newer",
        "newer/record.jsonl:1: schema version 9; this program reads 1: read it with the trt-conformance that wrote",
    ),
    ("unreadable/record.jsonl", "unreadable/record.jsonl: cannot be read: Permission denied"),
]
"""Paths that lead to no record, and what is said of each."""
READERS = {
    "accept": ["accept"],
    "bisect": ["bisect", CASE, "--over"],
    "compare": ["compare", "good"],
    "calibration": ["compare", "good", "good", "--calibration"],
    "export": ["export", "--format", "csv"],
    "history": ["history"],
    "matrix": ["matrix"],
    "merge": ["merge", "--output", "out"],
    "report": ["report"],
    "site": ["site", "-o", "out"],
    "repro": ["repro"],
}
"""How the commands that read records are told one."""
AFTER = {"repro": [CASE]}

RECORD_AFILE = "afile: the record cannot be written: Not a directory"
NO_CASE = "no case matches 'zzz/zzz'"
NO_FOLDER = [
    ("absent", "absent: no such directory"),
    ("afile", "afile: is a file"),
]
FOLDERS = {
    "cases list": [],
    "cases claims": [],
    "cases lint": [],
    "cases expand": [],
    "cases coverage": [],
    "cases show": ["x/y"],
    "golden verify": [],
    "golden diff": [],
    "golden update": [],
    "golden show": ["x/y"],
    "golden observe": ["--target", "numpy", "x/y"],
    "explore": ["--target", "numpy", "--near", "x/y"],
    "mutants": [],
    "rebuild": ["--target", "numpy"],
    "report": ["good"],
    "export": ["good", "-f", "csv"],
    "repro": ["good", CASE],
}
"""The commands that take ``--cases``, and what else they need."""

WRONG = [
    ("bisect zzz --over good", "no run has a check of case \"zzz\""),
    ("compare good good good", "compare takes two runs, BASE and NEW, or NEW alone; 3 were given"),
    ("compare good good --pair a", "--pair a: give OLD=NEW with OLD one of tensorrt-8.6.1-sm90"),
    ("compare good good --settings absent.toml", "absent.toml:1: cannot be read: No such file"),
    ("compare good good --settings empty", "empty:1: is a directory, not a file"),
    ("compare good good --settings broken.toml", "broken.toml:1: is not valid TOML"),
    ("compare good good --settings odd.toml", 'odd.toml:2: latency.tolerance: expected a number, got "a"'),
    ("compare good good --tolerance x", "'--tolerance'"),
    ("compare good good --tolerance -1", "greater than or equal to 0.001"),
    ("compare good good --tolerance inf", "--tolerance: must be a finite number, got Infinity"),
    ("compare good good --plan-bytes-tolerance -3", "--plan-bytes-tolerance: must be at least 0, got -3"),
    ("compare good good --html empty", "empty: cannot be written: Is a directory"),
    ("compare good good --html afile/x", "afile/x: cannot be written: Not a directory"),
    ("compare good good --markdown --json", "give --markdown or --json, not both"),
    ("accept good --accepted afile", "afile/tensorrt-sm90: cannot be written: Not a directory"),
    ("export good", "Choose from: junit, markdown, csv"),
    ("export good -f zzz", "'zzz' is not one of 'junit', 'markdown', 'csv'"),
    ("export good -f csv -o empty", "empty: cannot be written: Is a directory"),
    ("export good -f parquet", "Parquet is a binary format: give --output FILE"),
    ("history good --db empty", "empty: is a folder and is not a history, so it is not overwritten"),
    ("history good --db afile/x", "afile/x: cannot be written: Not a directory"),
    ("history good --db text.txt", "text.txt: exists and is not a history, so it is not overwritten"),
    ("history good --top -1", "greater than or equal to 0"),
    ("history good --case zzz", "--case zzz: the runs have no trend of such a case"),
    ("matrix good -o x.pdf", "--output x.pdf: the name must end in .html or .md"),
    ("matrix good --target zzz", 'no run has a target like "zzz"; there are tensorrt-8.6.1-sm90'),
    ("merge good", "Missing option '--output'"),
    ("merge good -o afile", "afile: cannot be written: File exists"),
    ("report good -o empty", "empty: cannot be written: Is a directory"),
    ("repro good zzz/zzz", "good: the run has no check of a case 'zzz/zzz'"),
    (f"repro good {FULL}", f"{FULL} has no failure in the run (forward on tensorrt-8.6.1-sm90: pass)"),
    ("init good", "good: is not empty: name a new folder"),
    ("init afile", "afile: is not a directory"),
    ("init", "Missing argument 'DIR'"),
    ("cases list --case zzz/zzz", NO_CASE),
    ("cases list --tier zzz", 'unknown tier "zzz"; expected one of smoke, ci, nightly'),
    ("cases claims --document zzz", 'unknown document "zzz"; expected one of cookbook, '),
    ("cases lint zzz/zzz --cases mine", NO_CASE),
    ("cases show zzz/zzz", "no case has the id 'zzz/zzz'"),
    (f"cases show {CASE}", f"{CASE} runs in several precisions; give one of {FULL}, "),
    ("cases coverage --tier zzz", 'unknown tier "zzz"'),
    ("cases expand zzz", "Got unexpected extra argument"),
    ("cases import absent.onnx", "absent.onnx: cannot be read: No such file"),
    ("cases import empty", "empty:1: is a directory, not a file"),
    ("cases import binary", "binary:2: is not UTF-8: byte 0x80"),
    ("cases import text.txt", "text.txt:1: expected a field such as mb1 or kh3"),
    ("golden verify zzz/zzz", NO_CASE),
    ("golden diff zzz/zzz", NO_CASE),
    ("golden update zzz/zzz", NO_CASE),
    (f"golden update {FULL} --golden afile", "afile: cannot lock the store for writing: File exists"),
    ("golden update --cases mine --cases good --golden x", "--golden names the goldens of one folder"),
    ("golden show zzz/zzz", NO_CASE),
    ("golden show absent.h5", "absent.h5 does not exist"),
    (f"golden show {FULL} --golden empty", "does not exist; write it again with `trt-conformance golden update"),
    ("golden pack -o empty", "empty: cannot be written: Is a directory"),
    ("golden pack --golden absent -o x", "absent/MANIFEST.json does not exist"),
    ("golden unpack absent -o x", "absent: not an archive of goldens: No such file"),
    ("golden unpack text.txt -o x", "text.txt: not an archive of goldens"),
    ("golden unpack empty -o x", "empty: not an archive of goldens: it is not a regular file"),
    ("golden observe zzz/zzz --target numpy", NO_CASE),
    (f"golden observe {FULL} --target zzz", "--target zzz: no such target (there are tensorrt, tensorrt_rtx, "),
    (f"golden observe {FULL} --target absent.py:X", "--target absent.py:X: there is no file absent.py"),
    ("mutants --case zzz/zzz", NO_CASE),
    ("mutants --mutant zzz", "no mutant matches 'zzz'; `trt-conformance mutants` lists them"),
    ("mutants --mutant kernel_fliped", 'no mutant matches \'kernel_fliped\'; did you mean "kernel_flipped"?'),
    ("rebuild", "Missing option '--target'"),
    ("rebuild --target zzz", "--target zzz: no such target"),
    ("rebuild --target numpy --case zzz/zzz", NO_CASE),
    ("rebuild --target numpy --times 0", "greater than or equal to 1"),
    ("rebuild --target numpy --budget x", "'--budget'"),
    ("rebuild --target numpy --tactics zzz", "--tactics: expected fast, default, exhaustive, got 'zzz'"),
    (f"rebuild --target numpy --case {FULL} --record-root afile", RECORD_AFILE),
    ("explore --target zzz --draws 1", "--target zzz: no such target"),
    ("explore --target numpy --time x", "--time: expected a duration such as 90s, 30m or 8h, got 'x'"),
    ("explore --target numpy --draws 0", "greater than or equal to 1"),
    ("explore --target numpy --focus zzz", '--focus: no precision or theme "zzz"; expected one of '),
    ("explore --target numpy --near zzz/zzz", "no case has the id 'zzz/zzz'"),
    ("explore --target numpy --resume absent", "absent: no such file or folder"),
    ("explore --target numpy --draws 1 --record-root afile", RECORD_AFILE),
    ("site good -o afile", "afile: exists and is not a site, so it is not replaced; name a new folder"),
    ("verify absent", "absent: there is no such record"),
    ("verify empty", "empty: contains no run record: expected the folder of a run"),
    ("doctor zzz", "Got unexpected extra argument"),
    ("zzz", "No such command 'zzz'"),
    ("lint", "No such command 'lint': use `trt-conformance cases lint`"),
    ("show", "use `trt-conformance cases show` or `trt-conformance golden show`"),
    ("cases zzz", "No such command 'zzz'"),
    ("--zzz", "No such option: --zzz"),
]  # fmt: skip


LONG = {
    "golden pack -o empty",
    f"golden show {FULL} --golden empty",
    f"golden update {FULL} --golden afile",
    "verify absent",
    "verify empty",
}
"""Those that read all goldens, or make the cases of all sweeps, before they find what is wrong."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Good and bad input, which no test changes."""
    folder = tmp_path_factory.mktemp("inputs")
    path = save_record(folder / "good", record(verdict(FULL)))
    (folder / "empty").mkdir()
    (folder / "text.txt").write_text("this is not what is expected\n")
    (folder / "binary").write_bytes(bytes(range(256)) * 10)
    for name in ("nothing", "afile"):
        (folder / name).touch()
    (folder / "broken.toml").write_text("[latency\n")
    (folder / "odd.toml").write_text('[latency]\ntolerance = "a"\n')
    (folder / "newer").mkdir()
    newer = path.read_text().replace('"schema_version": 1', '"schema_version": 9')
    (folder / "newer" / "record.jsonl").write_text(newer)
    shutil.copytree(folder / "good", folder / "unreadable")
    (folder / "mine").mkdir()
    (folder / "mine" / "small.toml").write_text(f'{SMALL_FILE}[[case]]\nid = "x"\ndoc = "a small case"\n')
    return folder


@pytest.fixture
def refused(inputs, shared_suite, monkeypatch, capsys):
    """Runs a command in the folder of inputs, and returns its message."""
    monkeypatch.chdir(inputs)
    read = type(inputs).read_bytes

    def read_bytes(path):  # root may read everything
        if "unreadable" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(type(inputs), "read_bytes", read_bytes)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["trt-conformance", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert ended.value.code == 2, (words, printed)
        assert "Traceback" not in printed.out + printed.err
        assert not printed.out, "results are for stdout, messages for stderr"
        assert len(printed.err.splitlines()) <= 3, "one message is enough"
        return printed.err

    before = {path: path.stat().st_mtime_ns for path in inputs.rglob("*")}
    yield run
    assert {path: path.stat().st_mtime_ns for path in inputs.rglob("*")} == before, "bad input leaves nothing behind"


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize(("path", "message"), BAD_RUNS, ids=[path for path, _ in BAD_RUNS])
def test_what_is_no_record(refused, command, path, message):
    assert message in refused(*READERS[command], path, *AFTER.get(command, []))


@pytest.mark.parametrize("command", FOLDERS)
@pytest.mark.parametrize(("folder", "message"), NO_FOLDER, ids=[folder for folder, _ in NO_FOLDER])
def test_what_is_no_folder_of_cases(refused, command, folder, message):
    assert message in refused(*command.split(), *FOLDERS[command], "--cases", folder)


@pytest.mark.parametrize(
    ("line", "message"),
    [slow(line, message) if line in LONG else (line, message) for line, message in WRONG],
    ids=[line for line, _ in WRONG],
)
def test_wrong_words_and_numbers(refused, line, message):
    assert message in refused(*line.split())


def commands(group, before=""):
    found = getattr(group, "commands", None)
    return (
        [before] if found is None else [name for key, one in found.items() for name in commands(one, f"{before} {key}")]
    )


def test_every_command_is_tried():
    """`run` is pytest's door: `tests/runner/test_bad_input.py` tries it."""
    tried = [line for line, _ in WRONG] + [*FOLDERS]
    for name in commands(typer.main.get_command(app)):
        assert name == " run" or any(line.startswith(name.strip()) for line in tried), name


def every_option(group, before=""):
    found = getattr(group, "commands", None)
    if found is not None:
        return {
            (name, word) for key, one in found.items() for name, word in every_option(one, f"{before} {key}".strip())
        }
    return {(before, word) for parameter in group.params for word in parameter.opts}


def test_every_command_that_takes_cases_is_tried():
    assert {name for name, word in every_option(typer.main.get_command(app)) if word == "--cases"} == {*FOLDERS}
