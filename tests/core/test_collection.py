"""The search for cycles is paused while a catalog is read, and only then."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.helpers import SMALL_FILE
from trt_conformance.catalog import folder_files
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.collection import no_cycle_search
from trt_conformance.core.errors import ConformanceError


def test_it_is_as_before_after_the_block() -> None:
    assert gc.isenabled()
    with suppress(RuntimeError), no_cycle_search():
        assert not gc.isenabled()
        raise RuntimeError
    assert gc.isenabled()


def test_what_was_off_stays_off() -> None:
    gc.disable()
    try:
        with no_cycle_search():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_reading_a_catalog_pauses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    read = folder_files.read_sources

    def reading(*arguments: object) -> object:
        seen.append(gc.isenabled())
        return read(*arguments)

    monkeypatch.setattr(folder_files, "read_sources", reading)
    (tmp_path / "one.toml").write_text(SMALL_FILE + '[[case]]\nid = "a"\ndoc = "a case of a test"\n', encoding="utf-8")
    for _ in range(2):  # a decorator that can be used once would fail the second time
        assert len(load_catalog(CaseFolder.at(tmp_path)).cases) == 1
    assert seen and not any(seen) and gc.isenabled()
    with pytest.raises(ConformanceError):
        load_catalog(CaseFolder.at(tmp_path / "missing"))
    assert gc.isenabled()
