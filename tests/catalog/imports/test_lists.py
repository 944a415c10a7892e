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
