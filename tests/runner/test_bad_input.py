"""Bad input to a run: one clear message, exit code 2, and nothing is run or written."""

import shutil
from types import SimpleNamespace

import pytest

from tests.support.helpers import SMALL_FILE, run_pytest, slow
from trt_conformance.core.paths import ROOT
from trt_conformance.runner.parametrize import parametrize_padding


def assert_refused(done, root, *messages):
    printed = done.stdout + done.stderr
    assert done.returncode == 2, printed
    assert "Traceback" not in printed
    assert "Error" not in printed.replace("CaseFileError", "")
    errors = printed.partition("short test summary info")[0]  # which repeats them, in CI without cutting
    for message in messages:
        assert errors.count(message) == 1, printed
    assert not (root / "records").exists()


@pytest.fixture
def checkout(tmp_path):
    """A copy of what a run needs."""
    for part in ("harness", "cases"):
        shutil.copytree(
            ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "networks", "exact_*")
        )
    for file in ("conftest.py", "pytest.ini"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


@pytest.fixture
def mine(tmp_path):
    """A folder with one case."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "one.toml").write_text(SMALL_FILE + '[[case]]\nid = "plain"\ndoc = "convolves"\n')
    return folder


def test_every_fault_of_case_files_is_named(tmp_path, mine):
    bad, worse = mine / "bad.toml", mine / "worse.toml"
    bad.write_text('section = "x"\n[[case]]\nid = "a"\ndoc = "has no tensors"\nclaims = ["no.such"]\nkernle = 3\n')
    worse.write_text("section = \n")
    options = ("--cases", str(mine), "--record-root", str(tmp_path / "records"), "--target", "numpy")
    done = run_pytest("cases", *options)
    assert_refused(done, tmp_path, f"{bad}:6: unknown key", f'{bad}:2: "input" is missing', f"{worse}:1:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--case", "strde_nd/*"), "--case strde_nd/*: no case matches"),
        (("--target", "tensort"), "did you mean tensorrt"),
        (("--target", "nowhere.py:Mine"), "there is no file nowhere.py"),
        (
            ("--target", "numpy", "--tactic-sources", "CUDNN,JIT"),
            "--tactic-sources: 'JIT' is not a TacticSource of TensorRT (CUBLAS, CUBLAS_LT, CUDNN, "
            "EDGE_MASK_CONVOLUTIONS, JIT_CONVOLUTIONS)\n",
        ),
        slow(("--target", "numpy", "--tactic-sources", "", "-n", "2"), "--tactic-sources: '' is not a TacticSource"),
        (("--tactic-sources", "CUDNN"), "--tactic-sources needs --target"),
    ],
    ids=["case", "target", "file", "source", "no_source", "sources_of_any_target"],
)
def test_arguments_that_name_nothing(tmp_path, mine, arguments, message):
    done = run_pytest("cases", "--cases", str(mine), "--record-root", str(tmp_path / "records"), *arguments)
    assert_refused(done, tmp_path, message)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--time-limit", "nan"),
        ("--cache-limit", "long"),
        *(slow(option, text) for option in ("--time-limit", "--cache-limit") for text in ("inf", "-1", "1e9")),
    ],
)
def test_an_invalid_limit_is_refused_in_one_line(option, text):
    done = run_pytest("cases", f"{option}={text}")
    assert done.returncode == 4
    assert f"argument {option}: '{text}' is not a number from" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_targets_of_one_name_are_refused(tmp_path, mine):
    """Engines and verdicts are known by it: the first one's engines would answer for both."""
    source = "from trt_conformance.targets.numpy import NumpyTarget\nclass {}(NumpyTarget):\n    name = 'mine'\n"
    targets = []
    for name in ("One", "Other"):
        (tmp_path / f"{name}.py").write_text(source.format(name))
        targets += ["--target", f"{tmp_path / name}.py:{name}"]
    options = ("--cases", str(mine), "--record-root", str(tmp_path / "records"))
    done = run_pytest("cases/test_forward.py", *options, *targets)
    assert_refused(done, tmp_path, "2 targets are named mine")


@pytest.mark.slow
def test_a_misspelled_marker_fails_the_collection(checkout):
    shutil.rmtree(checkout / "cases" / "expectations")
    (checkout / "cases" / "test_own.py").write_text(
        'import pytest\n\n\n@pytest.mark.cases("acepted")\ndef test_own(subject, judge): pass\n'
    )
    done = run_pytest("cases/test_own.py", "--record-root", "records", "--target", "numpy", root=checkout)
    message = '@pytest.mark.cases: unknown selection "acepted"; did you mean "accepted"?'
    assert_refused(done, checkout, f"cases/test_own.py::test_own: {message}")


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (pytest.mark.padding("nope"), 'unknown selection "nope"; expected one of table, sample, edges'),
        (pytest.mark.padding("table", needs="shape"), 'unknown value of needs "shape"; did you mean "shapes"?'),
        (pytest.mark.padding(), "expected one argument, got 0"),
    ],
    ids=["selection", "needs", "no argument"],
)
def test_a_wrong_marker_is_refused_with_the_test_and_the_known_values(mark, message):
    metafunc, run = (
        SimpleNamespace(definition=SimpleNamespace(nodeid="own.py::test_own")),
        SimpleNamespace(targets=[], selection=SimpleNamespace(has_suite=True)),
    )
    with pytest.raises(pytest.fail.Exception) as caught:
        parametrize_padding(metafunc, run, mark.mark)
    assert str(caught.value) == f"own.py::test_own: @pytest.mark.padding: {message}"
