"""``trt-conformance cases import``: what it writes, prints and refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.onnx_models import kernel, node, save_model
from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError

LIST = 'mb1ic3ih8oc4oh8kh3ph1n"net:a*2"\nmb1ic3ih8oc4oh9kh3ph1n"net:b"\n--dir=BWD_D mb1ic3ih8oc4kh1\n'


def run(*arguments: str | Path):
    result = CliRunner().invoke(app, ["cases", "import", *map(str, arguments)])
    if isinstance(result.exception, ConformanceError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    path = tmp_path / "shapes_net"
    path.write_text(LIST, encoding="utf-8")
    return path


def test_it_says_what_became_cases_and_what_did_not(shapes, tmp_path):
    assert run(shapes, "-o", tmp_path / "mine").splitlines() == [
        f"shapes_net: 3 of 4 convolutions, as 2 cases in {tmp_path}/mine/shapes_net.toml",
        "  left out: 1 (line 3): --dir=BWD_D: not a forward convolution",
    ]
    assert 'id = "a"' in (tmp_path / "mine" / "shapes_net.toml").read_text()


def test_json_has_every_convolution_that_was_left_out(shapes, tmp_path):
    (found,) = json.loads(run(shapes, "-o", tmp_path / "mine", "--json"))
    assert (found["convolutions"], found["imported"], found["cases"]) == (4, 3, 2)
    assert [each["where"] for each in found["left_out"]] == ["line 3"]


def test_nothing_is_written_if_one_source_is_wrong(shapes, tmp_path):
    (tmp_path / "bad").write_text("ic3\n")
    with pytest.raises(ConformanceError, match="bad:1: it has no spatial sizes"):
        run(shapes, tmp_path / "bad", "-o", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_source_without_convolutions_is_refused(tmp_path):
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(ConformanceError, match="empty: 0 of 0 convolutions\nnothing to import: expected"):
        run(tmp_path / "empty", "-o", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_two_sources_of_one_name_are_refused(shapes, tmp_path):
    with pytest.raises(ConformanceError, match=r"would both be shapes_net\.toml"):
        run(shapes, shapes, "-o", tmp_path / "mine")


def test_an_unknown_precision_is_refused(shapes, tmp_path):
    with pytest.raises(ConformanceError, match='unknown precision "fp61"; did you mean "fp16"'):
        run(shapes, "--precision", "fp61", "-o", tmp_path / "mine")


def test_a_source_of_which_nothing_can_be_a_case_is_refused_with_the_reasons(tmp_path):
    (tmp_path / "shapes_net").write_text("--dir=BWD_D mb1ic3ih8oc4kh1\n")
    message = (
        r"(?s)0 of 1 convolution\n  left out: 1 .*--dir.*nothing was written: none of the convolutions can be a case"
    )
    with pytest.raises(ConformanceError, match=message):
        run(tmp_path / "shapes_net", "-o", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_model_is_imported_with_its_weights(tmp_path):
    path = tmp_path / "net.onnx"
    save_model(path, [node("Conv", "xw", "y")], {"x": ["n", 4, "h", 8]}, {"w": kernel(2, 4, 3, 3)}, "y")
    run(path, "--shape", "x:1x4x9x8", "--weights", "model", "-o", tmp_path / "mine")
    written = {str(file.relative_to(tmp_path / "mine")) for file in (tmp_path / "mine").rglob("*") if file.is_file()}
    assert written == {"net.toml", "net.weights/y.kernel.npy"}


def test_shapes_are_those_of_several_models(tmp_path):
    for name, tensor in (("a", "x"), ("b", "z")):
        nodes = [node("Conv", [tensor, "w"], "y")]
        save_model(tmp_path / f"{name}.onnx", nodes, {tensor: ["n", 4, "h", 8]}, {"w": kernel(2, 4, 3, 3)}, "y")
    models, shapes = [tmp_path / "a.onnx", tmp_path / "b.onnx"], ["--shape", "x:1x4x9x8", "--shape", "z:1x4x7x8"]
    run(*models, *shapes, "-o", tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"a.toml", "b.toml"}
    with pytest.raises(ConformanceError, match="--shape v: no source is a model with such an input"):
        run(*models, *shapes, "--shape", "v:1", "-o", tmp_path / "other")
    with pytest.raises(ConformanceError, match=r"b\.onnx: has inputs with dynamic dimensions: z"):
        run(*models, "--shape", "x:1x4x9x8", "-o", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_list_has_no_input(shapes, tmp_path):
    with pytest.raises(ConformanceError, match="--shape x: no source is a model with such an input"):
        run(shapes, "--shape", "x:1x4x9x8", "-o", tmp_path / "mine")


@pytest.mark.parametrize("shape", ["x", "x:", "x:1x4xh", "1x4x9x8", "x:0x4"])
def test_a_shape_names_an_input_and_sizes(tmp_path, shape):
    with pytest.raises(ConformanceError, match="expected an input and its sizes, such as x:1x3x224x224"):
        run(tmp_path / "net.onnx", "--shape", shape)


def test_a_list_has_no_weights(shapes, tmp_path):
    with pytest.raises(ConformanceError, match="is a list of shapes, which has no weights"):
        run(shapes, "--weights", "model", "-o", tmp_path / "mine")
