"""The rerun line of a failure, pasted into a shell, runs that failure again."""

import json
import shlex

import pytest

from tests.support.helpers import run_pytest_often
from trt_conformance.core.paths import ROOT

WRONG = '''
import numpy as np
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import NetworkFacts


class Engine:
    def __init__(self, engine):
        self.engine = engine

    def run(self, feeds):
        return {name: value + np.asarray(1, value.dtype) for name, value in self.engine.run(feeds).items()}

    def timing_modes(self):
        return ("host",)

    def measure(self, *arguments):
        raise RuntimeError("cannot be timed")

    def close(self):
        pass


class Wrong(NumpyTarget):
    """Adds 1 to every output; networks, names and shapes are wrong too."""

    name = "wrong"

    def supports(self, case):
        return None

    def define(self, case):
        return NetworkFacts((1, 2, 3), {}, (), ())

    def infer_shapes(self, configurations):
        return [(1,) for _ in configurations]

    def missing_name(self, name):
        return "nothing is missing"

    def build(self, case):
        return Engine(None if case.reject else super().build(case))


class Other(Wrong):
    name = "other"
'''


def failures(folder):
    (path,) = folder.glob("*/record.jsonl")
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [v for v in lines if v["kind"] == "verdict" and v["status"] in ("fail", "error") and not v["known"]]


def one_of_each_check(verdicts):
    """A failure of each check; of neighbouring checks, one is of the one target and one of the other."""
    checks = list(dict.fromkeys(v["check"] for v in verdicts))
    targets = sorted({v["target"] for v in verdicts})
    wanted = ((check, targets[number % len(targets)]) for number, check in enumerate(checks))
    return [next(v for v in verdicts if (v["check"], v["target"]) == pair) for pair in wanted]


SMALL = [
    "--case",
    "stride_nd/h2_w2",
    "--case",
    "padding/2d_same_upper*",
    "--case",
    "*exact*h2*",
    "--case",
    "rejected/*",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "checks", "below"),
    [
        (["cases", *SMALL], {"forward", "inputs", "printed", "network", "padding", "metamorphic"}, "."),
        (["cases/test_sweep.py", "--tier", "smoke", "--case", "layer/*f3*fp32", "-x"], {"network"}, "."),
        (
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
        (["../cases/test_forward.py", "--case", "stride_nd/h2_w2"], {"forward"}, "tests"),
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
    again = []
    for number, verdict in enumerate(found):
        program, *words = shlex.split(verdict["figures"]["rerun"])
        assert program == "pytest"
        again.append([*words, f"--record-root={tmp_path}/{number}", "-q", "--no-isolation"])
    for number, (verdict, (code, output)) in enumerate(zip(found, run_pytest_often(again, root=folder), strict=True)):
        assert code == 1, (again[number], output)
        same = [(v["case"], v["target"], v["check"], v["message"]) for v in failures(tmp_path / str(number))]
        assert (verdict["case"], verdict["target"], verdict["check"], verdict["message"]) in same, again[number]
