"""Published lists become layers: each syntax with its defaults, and each fault with its line."""

import json
from pathlib import Path

import pytest

from trt_conformance.catalog.imports.benchdnn import read_descriptor
from trt_conformance.catalog.imports.layer import LeftOut, NotExpressible
from trt_conformance.catalog.imports.miopen import read_command
from trt_conformance.catalog.imports.sources import read_source
from trt_conformance.catalog.source import CaseFileError
from trt_conformance.core.errors import ConformanceError


def shape(layer):
    return layer.input, layer.kernel, layer.stride, layer.pre, layer.post, layer.dilation, layer.groups


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a batch of 2 by default; h alone is a square; the padding is half of what the output needs
        ("ic64ih56oc32oh56kh3", ((2, 64, 56, 56), (32, 64, 3, 3), (1, 1), (1, 1), (1, 1), (1, 1), 1)),
        # dilations count from 0
        ("mb1ic4ih12oc6oh1kh5sh3ph1dh2", ((1, 4, 12, 12), (6, 4, 5, 5), (3, 3), (1, 1), (1, 1), (3, 3), 1)),
        # without an output size the padding is 0
        ("mb1_ic4ih84kh8sh4oc16", ((1, 4, 84, 84), (16, 4, 8, 8), (4, 4), (0, 0), (0, 0), (1, 1), 1)),
        # the far side has what the stated output needs
        ("g2mb1ic4ih8iw9oc6oh8ow9kh2kw3", ((1, 4, 8, 9), (6, 2, 2, 3), (1, 1), (0, 1), (1, 1), (1, 1), 2)),
        # d alone is a cube, w alone is one axis
        ("mb3ic2id5oc2kd3pd1", ((3, 2, 5, 5, 5), (2, 2, 3, 3, 3), (1,) * 3, (1,) * 3, (1,) * 3, (1,) * 3, 1)),
        ("mb3ic2iw5oc2kw3pw1", ((3, 2, 5), (2, 2, 3), (1,), (1,), (1,), (1,), 1)),
    ],
)
def test_descriptors_follow_the_rules_of_benchdnn(text, expected):
    assert shape(read_descriptor(text, "line 1")) == expected


def test_a_symmetric_padding_is_kept_where_it_gives_the_stated_output():
    layer = read_descriptor("mb1ic3ih224oc64oh112kh7sh2ph3", "line 1")
    assert (layer.pre, layer.post, layer.output) == ((3, 3), (3, 3), (112, 112))


def test_a_descriptor_names_its_layer_and_says_how_often_it_occurs():
    layer = read_descriptor('mb50ic64ih56oc256oh56kh1ph0n"resnet_50:res2a_branch1*4"', "line 4", prefix="resnet_50")
    assert (layer.name, layer.occurrences, layer.has_bias) == ("res2a_branch1", 4, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mb1ic64", "no spatial sizes"),
        ("mb1ih56oc64kh3", "ic is missing"),
        ("ic64ih56oc64oh56", "kh is missing"),
        ("ic64ih56oc64kh3zz1", "expected a field such as mb1 or kh3 at 'zz1'"),
        ("ic64ih56oc64kh3kh5", "kh is given twice"),
        ("g3ic64ih56oc64kh3", "g3 must divide ic64 and oc64"),
        ("ic64ih5oc64kh7", "the window spans 7 elements along h"),
        ("ic64ih56oc64kh3sh0", "sh must be at least 1"),
        ("ic64id5ih5oc64kd3kh3", "both h and w"),
        (f"ic{'9' * 40}ih56oc64kh3", "at most 18 digits"),
    ],
)
def test_malformed_descriptors_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_descriptor(text, "line 1")


def test_a_negative_padding_is_not_expressible():
    with pytest.raises(NotExpressible, match="leaves out the first elements along h"):
        read_descriptor("ic1ih9oc1oh2kh1sh1", "line 1")


def test_a_list_of_descriptors_skips_comments_and_names_faulty_lines(tmp_path):
    good = written(tmp_path, "shapes_net", '# a net\n\nic3ih8oc4kh3n"net:one # 1"  # the first\n#ic3\nic3ih8oc4kh1\n')
    read = read_source(good)
    assert [(layer.name, layer.where) for layer in read.layers] == [("one # 1", "line 3"), ("", "line 5")]
    bad = written(tmp_path, "shapes_bad", "ic3ih8oc4kh3\nic3 ih8\n\nhello\n")
    with pytest.raises(CaseFileError) as caught:
        read_source(bad)
    assert [fault.line for fault in caught.value.faults] == [2, 4]


OPTIONS = {
    "--dt=f16": {"precision": "fp16"},
    "--dt=bf16:bf16:bf16 --bia-dt=undef": {"precision": "bf16", "has_bias": False},
    "--cfg=f32_wino --dir=FWD_D": {"precision": "fp32", "has_bias": False},
    "--dir=FWD_I --bia-dt=f32": {"has_bias": True},
    "--attr-fpmath=tf32": {"precision": "tf32"},
    "--stag=axb --dtag=acdb": {"formats": ("HWC", "HWC")},
    "--dt=f16 --stag=abx --dtag=nhwc": {"formats": ("LINEAR", "HWC8")},
    "--mb=7 --alg=wino --skip-impl=ref": {"input": (7, 8, 8, 8)},
    "--attr-post-ops=relu": {"epilogue": [{"op": "relu"}]},
    "--attr-post-ops='sum;relu:0.25'": {
        "epilogue": [{"op": "add", "of": "addend"}, {"op": "leaky_relu", "alpha": 0.25}]
    },
    "--attr-post-ops=add:f32:per_tensor+swish:1": {"epilogue": [{"op": "add", "of": "addend"}, {"op": "silu"}]},
    "--attr-post-ops=max:f32:15:axb": {"epilogue": [{"op": "max", "of": "addend"}]},
    "--attr-post-ops=clip_v2:-2:3+linear:0.5:2": {
        "epilogue": [{"op": "clip", "low": -2.0, "high": 3.0}, {"op": "scale", "scale": [0.5], "shift": [2.0]}]
    },
    "--attr-post-ops=bounded_relu:6": {"epilogue": [{"op": "clip", "low": 0.0, "high": 6.0}]},
    "--attr-post-ops=hardswish:0.1666667:0.5": {"epilogue": [{"op": "hard_swish"}]},
    "--attr-post-ops=hardsigmoid:0.2:0.5": {"epilogue": [{"op": "hard_sigmoid"}]},
    "--attr-post-ops=elu:1+elu+soft_relu:1": {"epilogue": [{"op": "elu"}, {"op": "relu"}, {"op": "softplus"}]},
    "--attr-post-ops=gelu_erf+gelu_tanh+logistic_dst+tanh": {
        "epilogue": [{"op": "gelu"}, {"op": "gelu_tanh"}, {"op": "sigmoid"}, {"op": "tanh"}]
    },
    "--dt=s8:s8:f32 --attr-scales=src:common:0.5+wei:per_oc --attr-zero-points=src:common:0": {
        "precision": "int8",
        "quantize": (True, 8, False, None),
    },
    "--dt=s8:s8:s8 --attr-scales=wei:common:2+dst:common:4": {"precision": "int8", "quantize": (True, 1, True, None)},
    "--cfg=s8s8f16 --attr-oscale=per_oc:2.25": {"quantize": (True, 8, False, "float16")},
    "--dt=f8_e4m3:f8_e4m3:bf16": {"precision": "fp8", "quantize": (True, 1, False, "bfloat16")},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_options_of_benchdnn_are_fields_of_the_layer(options, tmp_path):
    (layer,) = read_source(written(tmp_path, "list", f"{options} mb1ic8ih8oc8kh3\n")).layers
    for name, wanted in OPTIONS[options].items():
        found = getattr(layer, name)
        if name == "epilogue":
            found = [step.model_dump(exclude_defaults=True, mode="json") for step in found]
        elif name == "quantize":
            found = (found.io_quantization, len(found.kernel), found.output is not None, found.between)
        assert found == wanted, name


NOT_EXPRESSIBLE = {
    "--dir=BWD_D": "not a forward convolution",
    "--strides=1x1::1x1": "has benchdnn's option --strides",
    "--match=.*kh3.*": "has benchdnn's option --match",
    "--dt=u8:s8:s32": "no precision of TensorRT has these types",
    "--dt=f32:f32:s8": "no precision of TensorRT has these types",
    "--dt=f16 --bia-dt=f32": "its bias is f32",
    "--dt=f16 --attr-fpmath=bf16": "computed in another type",
    "--attr-scales=src:common:2": "scales of src in f32, which nothing quantizes",
    "--dt=s8:s8:f32 --attr-scales=dst:common:2": "a scale of the output in f32",
    "--dt=s8:s8:f32 --attr-scales=src:per_dim_1": "scales of src per_dim_1",
    "--dt=s8:s8:f32 --attr-zero-points=src:common:3*": "zero points are 0",
    "--dt=s8:s8:f32 --attr-zero-points=src:per_dim_1": "zero points are 0",
    "--dt=s8:s8:s8 --attr-post-ops=relu": "after post-ops",
    "--dt=s8:s8:f32 --stag=axb": "no layout of TensorRT for int8",
    "--stag=aBx16b": "no layout of TensorRT for fp32",
    "--attr-post-ops=sum:0.5": "without a scale",
    "--attr-post-ops=sum:1:0:s8": "of the output's type",
    "--attr-post-ops=sum+add:f32:per_tensor": "one second input",
    "--attr-post-ops=add:f32:per_oc": "the output's type (f32) and shape",
    "--attr-post-ops=add:s8:per_tensor": "the output's type (f32) and shape",
    "--attr-post-ops=mul:f32:common": "a case has no such operation",
    "--attr-post-ops=relu:0:0:2.5": "its own scale",
    "--attr-post-ops=relu:-2": "a case has no such operation",
    "--attr-post-ops=swish:2": "a case has no such operation",
    "--attr-post-ops=hardswish": "a case has no such operation",
    "--dt=f16 --attr-post-ops=relu:0.1": "f16 cannot represent its constants",
    "--attr-post-ops=mish": "a case has no such operation",
    "--attr-post-ops=dw:k3s1p1": "a case has no such operation",
    "--attr-post-ops=prelu:per_oc": "a case has no such operation",
}


@pytest.mark.parametrize("options", NOT_EXPRESSIBLE)
def test_what_no_case_can_state_is_left_out_with_its_reason(options, tmp_path):
    read = read_source(written(tmp_path, "list", f'{options} mb1ic8ih8oc8kh3n"one*3"\n'))
    assert not read.layers
    (left_out,) = read.left_out
    assert NOT_EXPRESSIBLE[options] in left_out.reason
    assert left_out.occurrences == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--dt=f31", "--dt=f31: expected a type such as f32"),
        ("--dir=FWD_X", "--dir=FWD_X: expected FWD_B"),
        ("--mb=two", "--mb=two: expected a number"),
        ("--attr-post-ops=rleu", "no post-op is called rleu"),
        ("--attr-post-ops=clip:a:b", "expected a number, not 'a'"),
        ("--attr-post-ops=relu:1e99", "1e99 is not a finite float32"),
        (f"--mb={','.join('1' * 40)} --dt={','.join(['f32'] * 40)}", "1600 combinations of values"),
        ("--batch=../other", "expected the name of a list in the same folder"),
        ("--batch=other", "--batch=other: cannot be read: No such file"),
        ("--batch=list", "lists name each other more than 4 deep"),
    ],
)
def test_malformed_options_of_benchdnn_are_faults_of_their_line(options, message, tmp_path):
    with pytest.raises(CaseFileError) as caught:
        read_source(written(tmp_path, "list", f"# one\n{options} ic8ih8oc8kh3\n"))
    assert message in caught.value.faults[0].message
    assert caught.value.faults[0].line == 2


def test_each_value_of_an_option_and_each_list_that_one_names_gives_layers(tmp_path):
    written(tmp_path, "shapes_net", 'ic8ih8oc8kh3n"net:one*2&net:two*3"\n')
    options = "--dt=f32,f16 --skip-impl=ref,x64:gemm --attr-post-ops=,relu, \\\n  tanh\n"
    text = f"{options}--batch=shapes_net\n--reset\nic8ih8oc8kh1\n"
    read = read_source(written(tmp_path, "harness", text))
    found = [(layer.precision, [step.op for step in layer.epilogue]) for layer in read.layers]
    kinds = [[], ["relu"], ["tanh"]]
    assert found == [(precision, ops) for precision in ("fp32", "fp16") for ops in kinds] + [("fp32", [])]
    assert {(layer.name, layer.where, layer.occurrences) for layer in read.layers[:6]} == {
        ("one", "line 3, shapes_net line 1", 5)
    }


def test_options_of_benchdnn_leave_out_the_descriptors_after_them(tmp_path):
    text = "ic3ih8oc4kh3\n--dir=BWD_D ic3ih8oc4kh1\nic3ih8oc4kh2\n--reset\nic3ih8oc4kh5\n"
    read = read_source(written(tmp_path, "shapes_x", text))
    assert [layer.where for layer in read.layers] == ["line 1", "line 5"]
    assert [(each.where, "--dir" in each.reason) for each in read.left_out] == [("line 2", True), ("line 3", True)]


def test_a_descriptor_may_be_given_as_text():
    assert read_source("mb1ic64ih56oc64oh56kh3ph1").layers[0].kernel == (64, 64, 3, 3)
    with pytest.raises(ConformanceError, match="kh is missing"):
        read_source("mb1ic64ih56oc64oh56")


def test_miopen_command_lines_have_the_drivers_defaults():
    assert shape(read_command("conv", "line 1")) == (
        (100, 3, 32, 32), (32, 3, 3, 3), (1, 1), (0, 0), (0, 0), (1, 1), 1,
    )  # fmt: skip
    short = read_command("convfp16 -n 128 -c 64 -H 27 -W 28 -k 192 -y 5 -x 4 -p 2 -q 1 -u 2 -l 1 -j 2 -g 2 -F 1", "")
    assert shape(short) == ((128, 64, 27, 28), (192, 32, 5, 4), (2, 1), (2, 1), (2, 1), (1, 2), 2)
    assert (short.precision, short.has_bias) == ("fp16", False)
    volume = read_command("conv --spatial_dim 3 --in_d 8 --fil_d 1 --pad_d 0 --conv_stride_d 2", "")
    assert (volume.input, volume.stride) == ((100, 3, 8, 32, 32), (2, 1, 1))


def test_miopen_layouts_are_formats_of_the_case():
    layer = read_command("convfp16 --in_layout NHWC --out_layout NHWC", "")
    assert layer.formats == ("HWC8", "HWC8")
    assert read_command("conv --out_layout NHWC", "").formats == ("LINEAR", "HWC")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("conv --mode trans", "mode trans"),
        ("conv --forw 2", "a backward pass"),
        ("conv --pad_mode same", "pad_mode same"),
        ("conv --pad_val 1", "TensorRT pads with 0"),
        ("conv --in_cast_type fp8", "cast inside"),
        ("conv --in_layout CHWN", "layout CHWN"),
        ("pool --in_h 5", "pool is not a convolution"),
        ("conv -n ${bs}", "shell variables"),
    ],
)
def test_what_miopen_has_beyond_cases_is_not_expressible(text, reason):
    with pytest.raises(NotExpressible, match=reason):
        read_command(text, "line 1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv --in_hh 5", 'unknown option "--in_hh"; did you mean "--in_h"'),
        ("conv --in_h five", "expected an integer"),
        ("conv --in_h", "has no value"),
        ("conv --spatial_dim 4", "expected 2 or 3"),
    ],
)
def test_malformed_command_lines_are_refused(text, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        read_command(text, "line 1")


def test_a_script_of_command_lines_is_read(tmp_path):
    text = "#!/bin/bash\n./bin/MIOpenDriver conv --in_h 8 --forw 1 # one\n#MIOpenDriver conv\nMIOpenDriver conv -F 4\n"
    read = read_source(written(tmp_path, "net.sh", text))
    assert [layer.where for layer in read.layers] == ["line 2"]
    assert [each.where for each in read.left_out] == ["line 4"]


def test_deepbench_tuples_are_read(tmp_path):
    text = (
        "    std::make_tuple(700, 161, 1, 4, 32, 20, 5, 1, 0, 3, 2),\n"
        "    //std::make_tuple(7, 7, 512, 1, 512, 3, 3, 1, 1, 1, 1), not used\n"
    )
    (layer,) = read_source(written(tmp_path, "conv_problems.h", text)).layers
    assert shape(layer) == ((4, 1, 161, 700), (32, 1, 5, 20), (2, 3), (0, 1), (0, 1), (1, 1), 1)
    with pytest.raises(CaseFileError, match=r"conv_problems\.h:1: make_tuple\(1, 2\): expected 11 integers"):
        read_source(written(tmp_path, "conv_problems.h", "make_tuple(1, 2)"))


ELEMENT = {"n": 4, "c": 8, "size": [16, 15], "k": 32, "window": [5, 3]}


def test_json_lists_have_defaults(tmp_path):
    more = ELEMENT | {"stride": [2, 1], "pre": [1, 0], "post": [0, 2], "groups": 2, "type": "convfp16", "count": 3}
    read = read_source(written(tmp_path, "list.json", json.dumps([ELEMENT, more, ELEMENT | {"mode": "trans"}])))
    first, second = read.layers
    assert shape(first) == ((4, 8, 16, 15), (32, 8, 5, 3), (1, 1), (0, 0), (0, 0), (1, 1), 1)
    assert shape(second) == ((4, 8, 16, 15), (32, 4, 5, 3), (2, 1), (1, 0), (0, 2), (1, 1), 2)
    assert (second.precision, second.occurrences) == ("fp16", 3)
    assert [(type(each), each.where) for each in read.left_out] == [(LeftOut, "element 3")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("{}", "expected a list"),
        ("[7]", "element 1: expected an object"),
        (json.dumps([{**ELEMENT, "kernel": 3}]), "element 1: unknown key"),
        (json.dumps([{**ELEMENT, "size": [1, "2"]}]), "size: expected an integer"),
        (json.dumps([{**ELEMENT, "stride": [1]}]), "stride: expected 2 integers"),
        (json.dumps([{**ELEMENT, "n": True}]), "n: expected an integer"),
        (json.dumps([{**ELEMENT, "groups": 3}]), "groups: 3 does not divide c"),
        (json.dumps([{key: value for key, value in ELEMENT.items() if key != "k"}]), '"k" is missing'),
    ],
)
def test_faults_of_json_lists_name_the_element(tmp_path, text, message):
    with pytest.raises(CaseFileError, match=message):
        read_source(written(tmp_path, "list.json", text))


def test_what_is_no_list_is_refused(tmp_path):
    with pytest.raises(CaseFileError, match="No such file"):
        read_source(str(tmp_path / "absent"))
    with pytest.raises(CaseFileError, match="is a directory"):
        read_source(str(tmp_path))
    (tmp_path / "bytes").write_bytes(b"ic3\xff")
    with pytest.raises(CaseFileError, match="is not UTF-8"):
        read_source(str(tmp_path / "bytes"))
