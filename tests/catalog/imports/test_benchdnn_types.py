"""The share of benchdnn's types that a case can express."""

import sys
from pathlib import Path

import pytest

from benchmarks.benchdnn_types import is_expressible, main, mentions, summary


@pytest.mark.parametrize(
    "value", ["f32", "f16", "bf16:bf16:bf16", "s8:s8:s8", "s8:s8:f16", "f8_e4m3", "f8_e4m3:f8_e4m3:f32"]
)
def test_these_types_can_be_expressed(value: str) -> None:
    assert is_expressible("--dt", value)


@pytest.mark.parametrize(
    "value", ["u8:s8:u8", "s8:s8:s32", "f8_e5m2", "f16:f16:f32", "f64", "s8:s4:f16", "nonsense", "f32:f32"]
)
def test_these_types_cannot(value: str) -> None:
    assert not is_expressible("--dt", value)


def test_each_value_is_a_mention_and_comments_are_not() -> None:
    text = "--reset --dt=f32,u8:s8:u8, --dir=FWD_B\n  --cfg=f32_wino # --dt=f16\n--sdt=f16\n"
    assert mentions([text, "--dt='bf16'"]) == {
        ("--dt", "f32"): 1,
        ("--dt", "u8:s8:u8"): 1,
        ("--cfg", "f32_wino"): 1,
        ("--dt", "bf16"): 1,
    }


def test_the_share_and_the_most_frequent_others_are_printed() -> None:
    found = mentions(["--dt=f32\n" * 3 + "--dt=u8:s8:u8\n" * 4 + "--dt=f64\n"])
    assert summary(found).splitlines() == [
        "3 of 8 mentions of types can be expressed: 38 %",
        "       4  u8:s8:u8",
        "       1  f64",
    ]


def test_a_folder_without_types_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "picture").write_bytes(b"\x89PNG")
    monkeypatch.setattr(sys, "argv", ["benchdnn_types.py", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert f"{tmp_path} has no file with --dt or --cfg" in capsys.readouterr().err
