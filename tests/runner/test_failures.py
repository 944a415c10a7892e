"""A run shows each cause of failures once, and its short summary begins with the reason."""

import re
from functools import cache

import pytest

from tests.support.helpers import run_pytest_often, slow

TARGETS = """
import numpy as np
from trt_conformance.targets.numpy import NumpyTarget


class Engine:
    def __init__(self, engine, change):
        self.engine, self.change = engine, change

    def run(self, feeds):
        return {name: self.change(value.copy()) for name, value in self.engine.run(feeds).items()}

    def close(self):
        pass


class Wide(NumpyTarget):
    name = "wide"

    def build(self, case):
        return Engine(super().build(case), self.change)

    def change(self, y):
        return np.concatenate([y, y], axis=-1)


class OneNaN(Wide):
    name = "one_nan"

    def change(self, y):
        y.flat[0] = np.nan
        return y


class Raises(Wide):
    name = "raises"

    def change(self, y):
        return missing(y)


def missing(y):
    return {}["nothing"]
"""

CASES = ["cases/test_forward.py", "--no-isolation", "-k", "test_forward["]
CASES += ["--case", "padding_mode/*-fp32"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs wrong targets with options, each choice once."""
    folder = tmp_path_factory.mktemp("failures")
    (folder / "wrong.py").write_text(TARGETS)
    (folder / "test_own.py").write_text("def test_own():\n    assert 1 == 2\n")

    @cache
    def run(classes, *options):
        targets = [word for name in classes.split() for word in ("--target", f"{folder}/wrong.py:{name}")]
        ((code, output),) = run_pytest_often([[*CASES, *targets, f"--record-root={folder}/records", *options]])
        return code, output

    return run


@pytest.mark.parametrize("parallel", [(), slow(("-n", "2"))], ids=["alone", "xdist"])
def test_equal_shape_faults_are_one_entry(run, parallel):
    code, output = run("Wide", *parallel)
    assert code == 1, output
    count = int(re.search(r"(\d+) failed", output)[1])
    assert count > 10
    assert output.count("FAILED in compare") == 1, output
    assert output.count("output.shape is") == 2, "once with its message, once in the short summary"
    assert re.search(rf"{count} checks of {count} cases failed for this reason; the other cases: ", output)
    (short,) = re.findall(r"^FAILED .*", output, re.MULTILINE)
    assert re.fullmatch(
        rf"FAILED output\.shape is \(.*\), but should be \(.*\) \({count} checks, the first: "
        r"cases/test_forward\.py::test_forward\[.*\]\)",
        short,
    )


def test_targets_and_kinds_of_faults_are_separate_entries(run):
    code, output = run("OneNaN Raises")
    assert code == 1
    assert output.count("FAILED in ") == 2, output
    shorts = re.findall(r"^FAILED .*", output, re.MULTILINE)
    assert re.match(r"FAILED output: 1/\d+ elements beyond the bound; one element is not finite \(", shorts[0]), shorts
    assert shorts[1].startswith("FAILED KeyError: 'nothing' (")
    assert "look at pre-padding" not in output


def test_an_exception_of_a_users_target_shows_file_and_line(run):
    _, output = run("OneNaN Raises")
    line = 1 + TARGETS.splitlines().index('    return {}["nothing"]')
    assert re.search(rf"at missing \(.*wrong\.py:{line}\): return {{}}\[\"nothing\"\]", output), output


def test_options_that_hide_failures_hide_them(run):
    code, output = run("Wide", "--tb=no", "-rN")
    assert code == 1
    assert "output.shape" not in output
    assert re.search(r"\d{2} failed, ", output)


def test_no_line_of_the_results_is_wider_than_80_columns(run):
    _, output = run("OneNaN Raises")
    table = output.partition("= conformance =")[2].partition("\n\n")[0]
    assert "unsupported  not run" in table
    assert max(map(len, table.splitlines()[1:])) <= 80
