"""What a record says of the machine and the command."""

import pytest

from trt_conformance.targets.run_environment import describe


@pytest.mark.parametrize(
    ("argument", "stored"),
    [
        ("cases", "cases"),
        ("--tier=ci", "--tier=ci"),
        ("reports/new", "reports/new"),
        ("/home/someone/new", "new"),
        ("--record-root=/home/someone/new", "--record-root=new"),
        ("cache_dir=/home/someone/.pytest_cache", "cache_dir=.pytest_cache"),
        ("--target=/home/someone/mine.py:Mine", "--target=mine.py:Mine"),
        ("--record-root=reports/new", "--record-root=reports/new"),
    ],
)
def test_arguments_name_no_folder_of_the_machine(monkeypatch, argument, stored):
    monkeypatch.setattr("sys.argv", ["pytest", argument])
    assert describe([])["arguments"] == [stored]
