"""The rerun line of a failure, pasted into a shell, runs that failure again."""

import json
import os
import shlex

import pytest

from tests.support.helpers import run_pytest_often, slow
from trt_conformance.core.paths import ROOT

WRONG = '''
import numpy as np
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import NetworkFacts


class Engine:
    def __init__(self, engine, added):
        self.engine, self.added = engine, added

    def run(self, feeds):
        return {name: value + np.asarray(self.added, value.dtype) for name, value in self.engine.run(feeds).items()}

    def execution_modes(self):
        return ("backwards",)

    def run_in_mode(self, mode, feeds):
        return self.engine.run(feeds)

    def timing_modes(self):
        return ("host",)

    def measure(self, *arguments):
        raise RuntimeError("cannot be timed")

    def close(self):
        pass


class Wrong(NumpyTarget):
    """Adds a number of each case to its output; networks, names, shapes and one build are wrong too."""

    name = "wrong"

    def supports(self, case):
        return None

    def define(self, case):
        return NetworkFacts((1, 2, 3), {}, (), ())

    def infer_shapes(self, configurations):
        return [(len(configurations),) for _ in configurations]

    def missing_name(self, case):
        return None

    def build(self, case):
        if case.id.startswith("stride_nd/h1_w2"):
            raise RuntimeError("cannot be built")
        return Engine(None if case.reject else super().build(case), 1 + len(case.id))


class Other(Wrong):
    name = "other"


class First(Wrong):
    name = "torch-1.0"


class Second(Wrong):
    name = "torch-2.0"
'''


def failures(folder):
    (path,) = folder.glob("*/record.jsonl")
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [v for v in lines if v["kind"] == "verdict" and v["status"] in ("fail", "error") and not v["known"]]


def one_of_each_check(verdicts):
    """A failure of each check; of neighboring checks, one is of the one target and one of the other."""
    checks = list(dict.fromkeys(v["check"] for v in verdicts))
    targets = sorted({v["target"] for v in verdicts})
    wanted = ((check, targets[number % len(targets)]) for number, check in enumerate(checks))
    return [next(v for v in verdicts if (v["check"], v["target"]) == pair) for pair in wanted]


PATTERNS = (
    "stride_nd/h?_w2",
    "padding/*2d_same_upper*",
    "*exact*h2*",
    "num_groups/*",
    "special_values/plain-fp32",
    "old_names/*",
    "example/no_bias-fp32",
)
SMALL = [word for pattern in PATTERNS for word in ("--case", pattern)]
CHECKS = {
    "deprecated", "forward", "fresh", "inputs", "metamorphic", "network", "padding", "printed", "reject", "relations",
    "special_values", "build", "execution_modes", "edge",
}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "checks", "below"),
    [
        slow(["cases", *SMALL], CHECKS, "."),
        slow(["cases/test_sweep.py", "--tier", "smoke", "--case", "layer/*f3*fp32", "-x"], {"network"}, "."),
        slow(
            [
                "cases/test_latency.py",
                "--latency",
                "--case",
                "resnet50/stem_n1-fp32",
                "--tactics",
                "fast",
                "--tactic-sources",
                "CUDNN",
            ],
            {"latency"},
            ".",
        ),
        (["../cases/test_forward.py", "--case", "stride_nd/h2_w2-fp32"], {"forward"}, "tests"),
    ],
    ids=["checks", "sweep", "latency", "folder"],
)
def test_the_rerun_line_reruns_the_failure(tmp_path, options, checks, below):
    """With two targets of the user's own, whose ids in the run name them."""
    (tmp_path / "wrong.py").write_text(WRONG)
    targets = ["--target", f"{tmp_path}/wrong.py:Wrong", "--target", f"{tmp_path}/wrong.py:Other", "--no-isolation"]
    folder = ROOT / below
    ((code, output),) = run_pytest_often([[*options, *targets, f"--record-root={tmp_path}/first", "-q"]], root=folder)
    assert code == 1, output
    found = one_of_each_check(failures(tmp_path / "first"))
    assert checks <= {v["check"] for v in found}, sorted({v["check"] for v in found})
    assert_reruns(found, tmp_path, folder)


def assert_reruns(found, tmp_path, folder):
    """Paste the rerun line of each verdict into a shell in the folder in which the run was started."""
    again = []
    for number, verdict in enumerate(found):
        program, *words = shlex.split(verdict["figures"]["rerun"])
        assert program == "pytest"
        assert "--no-isolation" in words
        again.append([*words, f"--record-root={tmp_path}/{number}", "-q"])
    for number, (verdict, (code, output)) in enumerate(zip(found, run_pytest_often(again, root=folder), strict=True)):
        assert code == 1, (again[number], output)
        same = [(v["case"], v["target"], v["check"], v["message"]) for v in failures(tmp_path / str(number))]
        assert (verdict["case"], verdict["target"], verdict["check"], verdict["message"]) in same, again[number]


OWN = """
section = "my network"
source = "exported from my model"

[[case]]
id = "stem"
doc = "the first layer"
input = { shape = [1, 3, 12, 12], fill = "exact_integers" }
kernel = { shape = [4, 3, 3, 3], fill = "exact_integers" }

[[case]]
id = "long"
doc = "a layer of which its owner says that it is large"
input = { shape = [1, 3, 12, 12], fill = "exact_integers" }
kernel = { shape = [4, 3, 3, 3], fill = "exact_integers" }
large = true
"""


@pytest.mark.slow
def test_the_rerun_line_names_own_folders_and_limits(tmp_path):
    """Cases and goldens in folders of the user's own, named relative to the one in which the run was started."""
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "my cases").mkdir()
    (tmp_path / "my cases" / "nets.toml").write_text(OWN)
    folder = ROOT / "tests"
    mine = os.path.relpath(tmp_path, folder)
    options = ["--cases", f"{mine}/my cases", "--golden", f"{mine}/gold", "--large", "--time-limit", "77.5"]
    targets = ["--target", f"{mine}/wrong.py:First", "--target", f"{mine}/wrong.py:Second", "--no-isolation"]
    ((code, output),) = run_pytest_often(
        [["../cases", *options, *targets, f"--record-root={tmp_path}/first", "-q"]], root=folder
    )
    assert code == 1, output
    all_found = failures(tmp_path / "first")
    found = [v for v in all_found if v["check"] == "forward"]
    found += [v for v in all_found if v["target"] == "reference"][:1]
    assert {(v["case"], v["target"]) for v in found} >= {
        (case, target) for case in ("nets/stem-fp32", "nets/long-fp32") for target in ("torch-1.0", "torch-2.0")
    }
    assert all("--time-limit 77.5" in v["figures"]["rerun"] for v in found)
    assert_reruns(found, tmp_path, folder)
