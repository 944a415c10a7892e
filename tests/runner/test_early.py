"""The value of an option is never a folder of tests: pytest runs no conftest.py there, nor in a parent of it."""

import pytest
import tomli

from tests.support.helpers import run_pytest_often, slow
from trt_conformance.core.paths import ROOT
from trt_conformance.runner import early, options

PATHS = ("--cache-dir", "--cases", "--record-root")
MARK = "import pathlib\npathlib.Path(__file__).with_name('mark').touch()\n"


def trap(folder, content=MARK):
    """A folder inside another, each with a conftest.py that leaves a mark."""
    inner = folder / "inner"
    inner.mkdir(parents=True)
    for place in (folder, inner):
        (place / "conftest.py").write_bytes(content if isinstance(content, bytes) else content.encode())
    return inner


def installed(folder):
    """Python's path with the entry points that an installation would register."""
    declared = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    info = folder / "suite_entry-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: suite-entry\nVersion: 1\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in declared.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


def test_every_option_with_a_value_is_guarded():
    parser = pytest.Parser(_ispytest=True)
    options.pytest_addoption(parser)
    (group,) = (group for group in parser._groups if group.name == "conformance")
    valued = {option.names()[0] for option in group.options if option._action.nargs != 0}
    assert valued == early.WITH_VALUE


@pytest.mark.parametrize("given", [["--cases"], slow(sorted(early.WITH_VALUE))], ids=["one", "all"])
def test_both_spellings_of_an_option_run_no_conftest(tmp_path, given):
    """The last folder's files are not Python: they are not even read."""
    runs, inner = [], []
    for number, option in enumerate(given):
        for spelling in ("two words", "one word", "two words, first"):
            folder = trap(tmp_path / f"{number} {spelling}", b"\xff(" if option in PATHS else MARK)
            inner.append(folder)
            words = [option, str(folder)] if spelling != "one word" else [f"{option}={folder}"]
            runs.append([*words, "cases", "--markers"] if "first" in spelling else ["cases", *words, "--markers"])
    for arguments, (code, output) in zip(runs, run_pytest_often(runs), strict=True):
        assert "Traceback" not in output, arguments
        assert "conftest" not in output, arguments
        any_text = (*PATHS, "--case", "--tactic-sources", "--target")
        accepted = arguments[0] in any_text or any(word.startswith(any_text) for word in arguments)
        assert code == (0 if accepted else 4), (arguments, output)
    assert len(inner) == 3 * len(given)
    assert not list(tmp_path.rglob("mark"))


@pytest.mark.parametrize("paths", [PATHS[:1], slow(PATHS[1:])])
def test_a_folder_that_draws_pytest_away_from_its_configuration_is_refused(tmp_path, paths):
    """Without a test's path pytest looks for its configuration in DIR; the entry point is loaded nevertheless."""
    path = installed(tmp_path / "site")
    runs, folders = [], []
    for option in paths:
        for other in ("", "[pytest]\n"):
            folder = trap(tmp_path / f"{option}{len(other)}")
            if other:
                (folder / "pytest.ini").write_text(other)
            folders.append(folder)
            runs += [[option, str(folder), "--markers"], [f"{option}={folder}", "--markers"]]
    found = run_pytest_often(runs, path=[path])
    for number, folder in enumerate(folders):
        (code, output), (plain, _) = found[2 * number : 2 * number + 2]
        assert code == 4
        assert output.count(f"={folder} instead of") == 1
        assert "Traceback" not in output
        assert plain == 0
    assert not list(tmp_path.rglob("mark"))


def test_options_that_pytest_learns_too_late_are_refused(tmp_path):
    folder = trap(tmp_path / "late")
    late = ["-o", "addopts=--import-mode=importlib", "-p", "no:trt_conformance.runner.early", "cases", "--markers"]
    (code, output), (plain, _) = run_pytest_often(
        [[*late, "--cache-dir", str(folder)], [*late, f"--cache-dir={folder}"]]
    )
    assert (code, plain) == (4, 0)
    assert f"write --cache-dir={folder} instead of" in output


FOREIGN = """
import sys

def test_is_left_alone(pytestconfig):
    assert pytestconfig.getoption("target") == "theirs"
    assert "trt_conformance.runner.early" in sys.modules
    heavy = ("numpy", "h5py", "pydantic", "trt_conformance.runner.plugin", "trt_conformance.catalog")
    assert [name for name in heavy if name in sys.modules] == []
"""


def test_another_project_is_left_alone(tmp_path):
    """In an environment with the suite, its own options of the same names work, and nothing heavy is imported."""
    path = installed(tmp_path / "site")
    project = tmp_path / "project"
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "conftest.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--target')\n")
    (project / "test_foreign.py").write_text(FOREIGN)
    arguments = ["--target", "theirs", "-p", "no:benchmark", "-p", "no:hypothesispytest"]
    ((code, output),) = run_pytest_often([arguments], root=project, path=[path], fresh=True)
    assert code == 0, output
    assert "1 passed" in output
    assert "conformance" not in output
