"""A model is imported, and its cases run: from a folder of its own, with the model's weights."""

from typer.testing import CliRunner

from tests.support.helpers import run_pytest_often
from tests.support.onnx_models import kernel, node, save_model
from trt_conformance.cli import app
from trt_conformance.core.check_names import QUICK_LATENCY
from trt_conformance.core.paths import ROOT
from trt_conformance.results.latency.models import model_latencies
from trt_conformance.results.record.record import read_record


def imported(folder, *arguments):
    """Two folders of cases of a model: ``mine``, and with further options another one."""
    nodes = [node("Conv", ["x", "w"], "y", pads=[1, 1, 1, 1]), node("Relu", ["y"], "z"), node("Conv", ["z", "v"], "u")]
    weights = {"w": kernel(5, 4, 3, 3), "v": kernel(3, 5, 1, 1, seed=1)}
    path = save_model(folder / "net.onnx", nodes, {"x": ["n", 4, 9, 8]}, weights, "u")
    given = ["cases", "import", str(path), "-o", str(folder / "mine"), "--weights", "model", "--batch", "2", *arguments]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output


def test_imported_cases_run(tmp_path):
    imported(tmp_path, "--no-latency")
    tests = [str(ROOT / "cases"), "--target", "numpy", "--no-isolation", "--record-root=records", "--cases", "mine"]
    ((code, output),) = run_pytest_often([tests], tmp_path)
    assert code == 0, output
    (record,) = (read_record(path) for path in (tmp_path / "records").iterdir())
    compared = {v.case: v.status for v in record.verdicts if v.check == "forward"}
    assert compared == {"net/y_n2-fp32": "pass", "net/u_n2-fp32": "pass"}


def test_timed_cases_run_for_their_values_and_in_passing(tmp_path):
    """Without ``--latency full``: alone, in a worker, and with quick latencies, of which a model's is the sum."""
    imported(tmp_path)
    tests = [str(ROOT / "cases"), "--cases", "mine"]
    alone = ["--target", "numpy", "--no-isolation", "--record-root=off", "--latency=off", "-n", "1"]
    timed = ["--target", "onnxruntime", "--record-root=quick", "--latency=quick"]
    runs = [[*tests, *alone], [*tests, *timed]]
    for (code, output), name in zip(run_pytest_often(runs, tmp_path), ("off", "quick"), strict=True):
        assert code == 0, output
        (record,) = (read_record(path) for path in (tmp_path / name).iterdir())
        judged = ("forward", QUICK_LATENCY)
        found = {(v.case, v.check): v.status for v in record.verdicts if v.check in judged}
        names = ["net/y_n2-fp32", "net/u_n2-fp32"]
        checks = {"off": ["forward"], "quick": ["forward", QUICK_LATENCY]}[name]
        assert found == {(case, check): "pass" for case in names for check in checks}
        sums = [found.title for found in model_latencies(record.verdicts)]
        assert sums == {"off": [], "quick": ["net_n2-fp32 (2 convolutions)"]}[name]


def test_what_keeps_imported_cases_from_running_is_said(tmp_path):
    imported(tmp_path)
    tests = [str(ROOT / "cases"), "--target", "numpy", "--no-isolation", "--no-record", "--cases", "mine"]
    (tmp_path / "mine" / "net.weights" / "y.kernel.npy").write_bytes(b"changed")
    ((code, output),) = run_pytest_often([[*tests, "--latency"]], tmp_path)
    # it costs only its own case
    assert (code, "Traceback" in output, "2 failed" in output) == (1, False, True), output
    assert "net.weights/y.kernel.npy: is not the file that the case names" in output
