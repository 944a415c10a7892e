"""A file that cannot be used at all has one fault that says why."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.support.case_text import CASE, HEADER, faults, write


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "has no cases: expected at least one [[case]]"),
        (HEADER.encode(), 1, "has no cases: expected at least one [[case]]"),
        (b'section = "s"\n[case]\nid = "a"\n', 2, "case: expected [[case]] tables"),
        (b'section = "s"\ncase = [1]\n', 2, "case: expected [[case]] tables, got [1]"),
        (b"section = \n", 1, "is not valid TOML: Invalid value"),
        (b'section = "s"\nsection = "s"\n', 2, "is not valid TOML: Cannot overwrite a value"),
        (b'section = "s"\n# caf\xe9\n', 2, "is not UTF-8: byte 0xe9"),
        ("\ufeffsection = 's'\n".encode(), 1, "begins with a byte order mark"),
        ("section = 's'\n".encode("utf-16"), 1, "is not UTF-8: byte 0xff"),
        (b"#" * 32_000_001, 1, "is too large: 32.0 MB, but at most 32 MB are allowed; split it"),
        (b"a = " + b"[" * 100_000, 1, "nested too deeply"),
        (b'section = "s"\n[[case]]\nid = "a"\ninput.seed = 99999999999999999999\n', 4, "64 bits"),
    ],
    ids=lambda value: value[:20].decode(errors="replace") if isinstance(value, bytes) else None,
)
def test_fault_of_a_whole_file(content: bytes, line: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    write(tmp_path, one=HEADER + CASE)
    found = faults(tmp_path)
    assert any(fault[:2] == ("bad.toml", line) and message in fault[2] for fault in found), found


def test_line_ends_of_windows_change_no_case_and_no_line_number(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE, two=HEADER + CASE + "set.stride_nd = [0, 2]\n")
    before = faults(tmp_path)
    assert before
    for path in tmp_path.glob("*.toml"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert faults(tmp_path) == before


def test_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(10**13)
    assert faults(tmp_path) == [
        ("large.toml", 1, "is too large: 10000000.0 MB, but at most 32 MB are allowed; split it")
    ]


def test_directory_named_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    write(tmp_path, one=HEADER + CASE)
    assert faults(tmp_path) == [("folder.toml", 1, "is a directory, not a file")]


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").symlink_to("nowhere")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    assert [(fault[0], fault[2].partition(":")[0]) for fault in faults(tmp_path)] == [
        ("broken.toml", "cannot be read"),
        ("loop.toml", "cannot be read"),
    ]


def test_socket_named_like_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("door.toml")
    assert faults(tmp_path) == [("door.toml", 1, "is not a regular file")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    write(tmp_path, one=HEADER + CASE)
    (tmp_path / "one.toml").chmod(0)
    assert faults(tmp_path) == [("one.toml", 1, "cannot be read: Permission denied")]
