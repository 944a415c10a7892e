"""How paths are shown."""

from trt_conformance.core.paths import ROOT, from_here, relative


def test_the_path_of_a_written_file_leads_there_from_the_working_directory(tmp_path, monkeypatch):
    """Also from another folder than the checkout, in which runs are recorded."""
    written = ROOT / "reports" / "runs" / "one" / "record.jsonl"
    monkeypatch.chdir(ROOT)
    assert from_here(written) == "reports/runs/one/record.jsonl"
    monkeypatch.chdir(tmp_path)
    assert from_here(written) == str(written)
    assert relative(written) == "reports/runs/one/record.jsonl"
    assert from_here(tmp_path / "site" / "index.html") == "site/index.html"
