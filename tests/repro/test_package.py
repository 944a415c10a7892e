"""`trt-conformance repro`: which failure it takes, what it writes, and what it says where there is nothing to write."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.helpers import DYNAMIC_CASE, SMALL_FILE
from tests.support.runs import record, verdict
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.cli import app
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import addend_of, case_data
from trt_conformance.numerics.bounds.epilogue import network_result
from trt_conformance.numerics.reference.result import reference
from trt_conformance.repro.commands import polygraphy, trtexec
from trt_conformance.repro.failure import find_failure
from trt_conformance.repro.package import write_repro
from trt_conformance.results.record.record import save_record

CASES = (
    SMALL_FILE
    + """\
[[case]]
id = "stride"
doc = "stride 2 on H and W"
precision = ["fp32", "fp16"]
set.stride_nd = [2, 2]
"""
    + DYNAMIC_CASE
    + """\
[[case]]
id = "packed"
doc = "an input in vectors of four channels"
precision = ["fp16"]
input = { shape = [1, 5, 6, 9], fill = "exact_integers", seed = 1 }
kernel = { shape = [1, 5, 3, 3], fill = "exact_integers", seed = 2 }
formats.input = "CHW4"
[[case]]
id = "refused"
doc = "a window that does not fit"
kernel.shape = [1, 1, 7, 7]
set = { stride_nd = [2, 2] }
reject = { phase = "build", error = "image size is smaller", neighbor = "one/stride" }
[[case]]
id = "joined"
doc = "bytes that are cast and padded, and a second input added to the output"
input = { shape = [1, 2, 6, 9], fill = "uint8_full_range", seed = 1 }
kernel = { shape = [2, 2, 3, 3], fill = "exact_integers", seed = 2 }
addend = { shape = [1, 2, 6, 9], fill = "exact_integers", seed = 3 }
prologue = [{ op = "cast" }, { op = "pad", pre_padding = [1, 1], post_padding = [1, 1] }]
epilogue = [{ op = "add", of = "addend" }]
"""
)
LAYERS = [{"name": "convolution", "type": "CaskConvolution", "kernel": "sm90_xmma", "reads": ["fp32"]}]
HOST = "tensorrt-8.6.1-sm90"


@pytest.fixture
def cases(tmp_path):
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "one.toml").write_text(CASES, encoding="utf-8")
    return tmp_path / "cases"


def failed(case, **fields):
    given = {"status": "fail", "message": f"{case} FAILED\n  12/12 elements beyond the bound"} | fields
    return verdict(case, **given)


def called(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=True)


def test_the_folder_has_all_that_a_report_needs(cases, tmp_path):
    found = failed("one/stride-fp32", figures={"layers": LAYERS, "kernel": "sm90_xmma"})
    run = save_record(tmp_path / "run", record(verdict("one/stride-fp16"), found))
    result = called("repro", run, "one/stride-fp32", "-o", tmp_path / "out", "--cases", cases)
    assert result.exit_code == 0, result.output
    written = {path.name for path in (tmp_path / "out").iterdir()}
    expected = {"repro.py", "model.onnx", "input.bin", "data.py", "engine.json", "environment.json", "issue.md"}
    assert written == expected
    assert all(name in result.output for name in expected)
    case = load_catalog(CaseFolder.at(cases)).find("one/stride-fp32")
    x = np.fromfile(tmp_path / "out" / "input.bin", np.float32).reshape(case.input.shape)
    assert np.array_equal(x, case_data(case).input)
    assert json.loads((tmp_path / "out" / "engine.json").read_text()) == {"Layers": LAYERS}
    assert json.loads((tmp_path / "out" / "environment.json").read_text())["device"]["gpu"] == "NVIDIA H200"
    issue = (tmp_path / "out" / "issue.md").read_text(encoding="utf-8")
    for heading in ("## Description", "## Environment", "## Relevant Files", "## Steps To Reproduce"):
        assert heading in issue
    assert "**TensorRT Version**: TensorRT 8.6.1" in issue
    assert "**NVIDIA GPU**: NVIDIA H200" in issue
    assert "stride_nd = (2, 2)" in issue
    assert "12/12 elements beyond the bound" in issue
    assert "python repro.py\ntrtexec --onnx=model.onnx --noTF32 --loadInputs=input:input.bin" in issue


def test_the_model_and_the_data_script_run_elsewhere(cases, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    case = load_catalog(CaseFolder.at(cases)).find("one/stride-fp16")
    write_repro(record(failed(case.id)), case, tmp_path)
    scope = {}
    text = (tmp_path / "data.py").read_text().replace('"input.bin"', repr(str(tmp_path / "input.bin")))
    exec(text, scope)
    (feeds,) = scope["load_data"]()
    session = ort.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert session.run(None, feeds)[0].shape == (1, 1, 2, 4)


def test_the_model_reads_what_the_network_does(cases, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    case = load_catalog(CaseFolder.at(cases)).find("one/joined-fp32")
    found = failed(case.id, target="tensorrt-10.1.0-sm90")
    failure, files = write_repro(record(found, targets={found.target: {"version": "10.1.0"}}), case, tmp_path)
    assert {"input.bin", "addend.bin"} < {path.name for path in files}
    scope = {}
    script = (tmp_path / "data.py").read_text().replace('fromfile("', f'fromfile("{tmp_path}/')
    exec(script, scope)
    (feeds,) = scope["load_data"]()
    assert feeds["input"].dtype == np.uint8
    assert np.array_equal(feeds["addend"], addend_of(case))
    session = ort.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, feeds)
    result = reference(case)
    wanted, _ = network_result(case, result, np.zeros_like(result.output), case.input.shape)
    assert np.allclose(output, wanted, rtol=1e-4)
    command = trtexec(case, failure)
    assert "--inputIOFormats=uint8:chw,fp32:chw" in command
    assert "--loadInputs=input:input.bin,addend:addend.bin" in command
    layer = "before it cast, pad, after it add, a second input of shape [1, 2, 6, 9]."
    assert layer in (tmp_path / "issue.md").read_text()


def test_an_invalid_network_has_no_model(cases, tmp_path):
    case = load_catalog(CaseFolder.at(cases)).find("one/refused-fp32")
    message = f"{case.id} FAILED\n  accepted, but should be refused in phase build with /image size/"
    found = failed(case.id, check="reject", phase="build", message=message)
    _, files = write_repro(record(found), case, tmp_path)
    assert [path.name for path in files] == ["repro.py", "environment.json", "issue.md"]
    assert "**Model link**: none, because ONNX cannot express" in (tmp_path / "issue.md").read_text()


def test_commands_state_shapes_layouts_types_and_tactics(cases):
    catalog = load_catalog(CaseFolder.at(cases))
    dynamic, packed = (catalog.find(f"one/{name}") for name in ("runs-fp32", "packed-fp16"))

    def on(case, target, **facts):
        return find_failure(record(failed(case.id, target=target), targets={target: facts}), case)

    older = on(packed, HOST, version="8.6.1", tactics="exhaustive")
    assert trtexec(packed, older) == (
        "trtexec --onnx=model.onnx --noTF32 --fp16 --inputIOFormats=fp16:chw4 --outputIOFormats=fp16:chw "
        "--builderOptimizationLevel=5 --loadInputs=input:input.bin --dumpOutput"
    )
    newer = on(dynamic, "tensorrt-10.1.0-sm90", version="10.1.0")
    assert "--stronglyTyped --minShapes=input:1x1x3x9" in trtexec(dynamic, newer)
    assert "--strongly-typed --trt-min-shapes input:[1,1,3,9]" in polygraphy(dynamic, newer)
    rtx = on(dynamic, "tensorrt_rtx-1.7.1-sm120", version="1.7.1.116")
    assert trtexec(dynamic, rtx).startswith("tensorrt_rtx --onnx=model.onnx")
    assert polygraphy(dynamic, rtx).startswith("POLYGRAPHY_USE_TENSORRT_RTX=1 polygraphy run model.onnx")


NOTHING_TO_WRITE = {
    "no verdict": ([], "the run has no verdict on one/stride-fp32"),
    "no failure": ([verdict("one/stride-fp32")], "one/stride-fp32 has no failure in the run (forward on"),
    "elsewhere": (
        [failed("one/stride-fp32", target="numpy")],
        "one/stride-fp32 fails on numpy only; the program is one for tensorrt or tensorrt_rtx",
    ),
    "several runs": (
        [failed("one/stride-fp32", check="metamorphic")],
        "`metamorphic` compares several runs; a program is written for network, build, plan_size, reject, rounding",
    ),
    "precision alone": (
        [failed("one/stride-fp32", message="x\n  the values are right, but it ran in fp32, not in int8")],
        "its values are right; only the precision in which it ran differs",
    ),
}


@pytest.mark.parametrize("name", NOTHING_TO_WRITE)
def test_where_there_is_nothing_to_write_the_message_says_why(name, cases, tmp_path):
    verdicts, message = NOTHING_TO_WRITE[name]
    with pytest.raises(ConformanceError) as raised:
        write_repro(record(*verdicts), load_catalog(CaseFolder.at(cases)).find("one/stride-fp32"), tmp_path / "out")
    assert message in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_the_first_failure_in_the_order_of_phases_is_taken_unless_one_is_named(cases):
    case = load_catalog(CaseFolder.at(cases)).find("one/stride-fp32")
    refusal = "x\n  refused, but should be accepted:\n  no"
    build = failed(case.id, check="build", phase="build", message=refusal, known="a_known_difference")
    found = record(failed(case.id), build, failed(case.id, target="tensorrt-10.1.0-sm90"))
    assert find_failure(found, case).verdict == build
    assert find_failure(found, case, check="forward").verdict.target == HOST
    assert find_failure(found, case, target="tensorrt-10.1.0-sm90").verdict.target == "tensorrt-10.1.0-sm90"
    with pytest.raises(ConformanceError, match="the run has no verdict on one/stride-fp32 on tensorrt_rtx"):
        find_failure(found, case, target="tensorrt_rtx")


def test_hostile_text_of_a_record_stays_text(cases, tmp_path):
    case = load_catalog(CaseFolder.at(cases)).find("one/stride-fp32")
    message = 'x\n  """\n  import os; os.abort()\n  \x1b[31m``` \\N{x}'
    write_repro(record(failed(case.id, message=message)), case, tmp_path)
    text = (tmp_path / "repro.py").read_text()
    compile(text, "repro.py", "exec")
    assert text.count('"""') == 2
    assert "\x1b" not in text + (tmp_path / "issue.md").read_text()


def test_a_folder_that_cannot_be_written_is_named(cases, tmp_path):
    (tmp_path / "out").write_text("")
    case = load_catalog(CaseFolder.at(cases)).find("one/stride-fp32")
    with pytest.raises(ConformanceError, match="out"):
        write_repro(record(failed(case.id)), case, tmp_path / "out")
