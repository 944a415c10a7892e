"""The site: every page whole, every link leads somewhere, cells say what the records say, and no folder is lost."""

import json
import os
import posixpath
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.support.pages import CATALOG, KNOWN, Page
from tests.support.runs import TARGET, record, timed, verdict
from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.record.record import Record, save_record
from trt_conformance.results.report.view import View
from trt_conformance.results.site import build, folder
from trt_conformance.results.site.folder import write_site
from trt_conformance.results.site.pages import MOST_CASES, Site, site_files, slug
from trt_conformance.results.site.topics import findings
from trt_conformance.results.versions.matrix import matrix
from trt_conformance.results.versions.runs import apart_by_gpu

NEWER = "tensorrt-10.13.0-sm90"
RTX = "tensorrt_rtx-1.7.1-aot"


def known(case: str = "stride_nd/h2_w2-fp32", **fields) -> Verdict:
    return verdict(case, status="fail", known="wildcard", message="differs a lot", **fields)


RECORDS = {
    "reports/old": record(verdict(), verdict("example/values-fp32", claims=("example.values",)), timed()),
    "reports/new": record(
        known(target=NEWER),
        verdict(
            "example/values-fp32", target=NEWER, status="fail", message="values differ", claims=("example.values",)
        ),
        verdict("a/skipped-fp16", target=NEWER, status="not run", message="no GPU", claims=()),
    ),
    "reports/rtx": record(verdict(target=RTX, phase="build", check="build"), device={"reason": "no GPU here"}),
}


def site_of(records: dict[str, Record], expectations=(KNOWN,)) -> Site:
    return Site(records, matrix(list(records.values()), CATALOG, expectations))


@pytest.fixture(scope="module")
def files():
    return site_files(site_of(RECORDS))


@pytest.fixture(scope="module")
def pages(files):
    return {path: Page(text) for path, text in files.items() if path.endswith(".html")}


def dead_links(pages: dict[str, Page]) -> list[str]:
    """Links of pages to pages or places that there are not."""
    found = []
    for path, page in pages.items():
        for link in page.links:
            if "://" in link:
                continue
            file, _, place = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
            if target not in pages or (place and place not in pages[target].ids):
                found.append(f"{path}: {link}")
    return found


def test_every_page_is_well_formed_loads_nothing_and_names_each_place_once(pages):
    for path, page in pages.items():
        assert set(page.loads) <= {"data:,"}, path
        assert len(page.ids) == len(set(page.ids)), path


def test_links_lead_to_pages_and_places(pages):
    assert dead_links(pages) == []


def test_a_dead_link_would_be_found():
    wrong = {"a/b.html": Page('<a href="../c.html">x</a><a href="#no">y</a><a href="b.html">z</a>')}
    assert dead_links(wrong) == ["a/b.html: ../c.html", "a/b.html: #no"]


def test_there_is_a_page_for_each_version_family_and_claim_that_was_checked(pages):
    assert set(pages) == {
        "index.html",
        "families.html",
        "claims.html",
        *(f"targets/{name}.html" for name in (TARGET, NEWER, RTX)),
        *(f"families/{name}.html" for name in ("stride_nd", "example", "resnet50", "a")),
        "claims/stride_nd.h2_w2.html",
        "claims/example.values.html",
        "latency/tensorrt-sm90.html",
    }


def test_the_index_is_a_grid_of_versions_and_gpus(pages):
    words = pages["index.html"].words
    assert "3 versions, 3 runs" in words
    assert "TensorRT version H200 10.13.0 1 fail 1 known 1 not run 8.6.1 3 pass" in words
    assert "TensorRT-RTX version no GPU 1.7.1 1 pass" in words
    assert "families/example.html" not in pages["index.html"].links
    assert f"targets/{NEWER}.html" in pages["index.html"].links


def test_a_cell_leads_to_its_cases_with_the_smallest_failing_one(pages):
    place = [link for link in pages["families.html"].links if link.startswith("families/example.html#")]
    assert place == ["families/example.html#v1", "families/example.html#v2"]
    words = pages["families/example.html"].words
    assert (
        "TensorRT 10.13.0, H200 1 fail fail values differ 1 check of 1 case smallest case example/values-fp32" in words
    )
    assert "rerun pytest cases" in words


def test_a_known_difference_is_shown_with_what_explains_it(pages):
    page = pages["claims/stride_nd.h2_w2.html"]
    assert "TensorRT 10.13.0, H200 : known difference" in page.words
    assert "The target accepts it. (bug) Source" in page.words
    assert "https://example.org/1" in page.links


def test_a_number_of_known_differences_leads_to_them(pages):
    links = pages["index.html"].links
    assert f"targets/{NEWER}.html#known-wildcard" in links
    assert f"targets/{NEWER}.html#differs" in links
    assert "known-wildcard" in pages[f"targets/{NEWER}.html"].ids


def test_a_topic_has_a_column_for_each_version_that_has_checks_of_it(pages):
    words = pages["families/a.html"].words
    assert "case TensorRT 10.13.0 H200 a/skipped-fp16 not run" in words


def test_claims_have_their_states(pages):
    words = pages["claims.html"].words
    statement = "the document states stride_nd.h2_w2 stride_nd.h2_w2"
    assert f"{statement} ✓ holds ≠ known difference ◐ builds; values not compared" in words
    assert "the document states stride_nd.h2_w1 stride_nd.h2_w1 · not checked · not checked · not checked" in words


def test_the_version_says_what_changed_and_which_runs_it_has(pages):
    words = pages[f"targets/{NEWER}.html"].words
    assert "Since TensorRT 8.6.1 2 checks in both" in words
    assert "reports/new started 22 November 2026, 13:50 UTC end complete source commit 0123456789ab clean" in words


def test_badges_are_what_shields_reads(files):
    badges = {path: json.loads(text) for path, text in files.items() if path.startswith("badges/")}
    assert badges[f"badges/{TARGET}.json"] == {
        "schemaVersion": 1,
        "label": "TensorRT 8.6.1, H200",
        "message": "3 pass",
        "color": "brightgreen",
    }
    assert badges[f"badges/{NEWER}.json"]["message"] == "1 fail, 1 known"
    assert badges[f"badges/{NEWER}.json"]["color"] == "red"


@pytest.mark.parametrize(
    ("run", "color"),
    [
        (record(verdict()), "brightgreen"),
        (record(verdict(), known("a/b-fp32")), "green"),
        (record(verdict(), verdict("a/b-fp32", status="error", message="boom")), "red"),
        (record(verdict(), complete=False), "yellow"),
        (record(verdict(status="not run", message="no GPU")), "lightgrey"),
    ],
)
def test_the_color_of_a_badge_says_how_it_is(run, color):
    files = site_files(site_of({"one": run}))
    assert json.loads(files[f"badges/{TARGET}.json"])["color"] == color


def test_findings_begin_with_faults_and_their_smallest_case():
    sizes = {"a/large-fp32": 100.0, "a/small-fp32": 1.0}
    faults = [verdict(case, status="fail", message="boom") for case in sizes]
    found = findings([known(), *faults, verdict()], {"wildcard": KNOWN}, lambda case: sizes.get(case, 5.0))
    assert [(one.trait.outcome, one.smallest.case, len(one.verdicts)) for one in found] == [
        ("fail", "a/small-fp32", 2),
        ("known", "stride_nd/h2_w2-fp32", 1),
    ]
    assert [one.expectation for one in found] == [None, KNOWN]


def test_a_large_family_lists_what_differs_first():
    many = [verdict(f"a/n{number}-fp32", claims=()) for number in range(MOST_CASES + 1)]
    files = site_files(site_of({"one": record(*many, verdict("a/z-fp32", status="fail", message="no", claims=()))}))
    words = Page(files["families/a.html"]).words
    assert f"The first {MOST_CASES} of {MOST_CASES + 2} cases." in words
    assert words.partition("case TensorRT 8.6.1 H200 ")[2].startswith("a/z-fp32 fail a/n0-fp32 pass")


def test_one_version_on_two_gpus_is_two_cells():
    other = record(verdict(status="fail", message="no"), device={"gpu": "NVIDIA H100"})
    apart = apart_by_gpu({"one": record(verdict()), "two": other, "rtx": RECORDS["reports/rtx"]})
    site = site_of(apart)
    assert {version.target for version in site.matrix.versions} == {
        f"{TARGET}@NVIDIA_H100",
        f"{TARGET}@NVIDIA_H200",
        RTX,
    }
    assert "TensorRT version H100 H200 8.6.1 1 fail 1 pass" in Page(site_files(site)["index.html"]).words


def test_names_of_files_are_plain_and_different():
    assert slug(TARGET) == TARGET
    strange = ["../../etc/passwd", "a b", "a/b", "", "ü" * 300, "."]
    slugs = [slug(name) for name in strange]
    assert len(set(slugs)) == len(strange)
    assert not any("/" in one or one.startswith(".") or len(one) > 80 for one in slugs)


def test_what_records_name_cannot_leave_the_folder_or_become_markup():
    wild = verdict("../../x/<b>-fp32", target="<script>alert(1)</script>", message="</pre><img src=x>", status="fail")
    files = site_files(site_of({"../<i>": record(wild)}))
    assert not [path for path in files if ".." in path]
    for path, text in files.items():
        if path.endswith(".html"):
            assert set(Page(text).loads) <= {"data:,"}
            assert "alert(1)</script>" not in text.replace("&lt;", "")


@pytest.fixture
def quick(monkeypatch):
    """Builds sites without reading the suite's cases."""
    monkeypatch.setattr(build, "view_of", lambda records: View((), CATALOG, (KNOWN,)))


def test_the_command_writes_a_site_and_replaces_it(tmp_path, quick):
    save_record(tmp_path / "runs" / "old", RECORDS["reports/old"], compressed=True)
    arguments = ["site", str(tmp_path / "runs"), "-o", str(tmp_path / "site")]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.output.endswith("site/index.html: 1 version of 1 run\n")
    marker = json.loads((tmp_path / "site" / "site.json").read_text(encoding="utf-8"))
    assert marker["targets"] == [TARGET]
    (tmp_path / "site" / "stale.html").touch()
    save_record(tmp_path / "runs" / "new", RECORDS["reports/new"])
    assert "2 versions of 2 runs" in CliRunner().invoke(app, arguments, catch_exceptions=False).output
    assert not (tmp_path / "site" / "stale.html").exists()
    assert (tmp_path / "site" / "targets" / f"{NEWER}.html").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "site"]


def test_runs_of_doubles_are_left_out(tmp_path, quick):
    double = record(verdict(status="error", message="broken on purpose"), arguments=["--target=tests/x.py:Broken"])
    own = record(verdict(target="mine-1.0-cpu"), arguments=["cases", "--target", "mine.py:Mine"])
    beside = record(
        verdict(), verdict(target="mine-1.0-cpu"), arguments=["--target", "mine.py:Mine", "--target=tensorrt"]
    )
    save_record(tmp_path / "runs" / "double", double)
    with pytest.raises(ConformanceError, match=r"no record has a registered target: tests/x.py:Broken only has"):
        build.build_site([tmp_path / "runs"], tmp_path / "site")
    save_record(tmp_path / "runs" / "own", own)
    save_record(tmp_path / "runs" / "beside", beside)
    done = CliRunner().invoke(app, ["site", str(tmp_path / "runs"), "-o", str(tmp_path / "site")])
    assert "runs/double is left out: its target is tests/x.py:Broken, not the registered one" in done.output
    marker = json.loads((tmp_path / "site" / "site.json").read_text(encoding="utf-8"))
    assert marker["targets"] == ["mine-1.0-cpu", TARGET]
    assert json.loads((tmp_path / "site" / f"badges/{TARGET}.json").read_text(encoding="utf-8"))["message"] == "1 pass"


@pytest.mark.parametrize("content", [None, "{}", "[]", "no JSON"])
def test_a_folder_that_is_not_a_site_is_refused(tmp_path, content):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("work of years", encoding="utf-8")
    if content is not None:
        (mine / folder.MARKER).write_text(content, encoding="utf-8")
    with pytest.raises(ConformanceError, match="exists and is not a site, so it is not replaced"):
        write_site(mine, {"index.html": "x"}, {})
    assert (mine / "thesis.txt").read_text(encoding="utf-8") == "work of years"


def test_a_file_and_a_link_are_refused(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    for name, message in (("file", "is not a site"), ("link", "not a link")):
        with pytest.raises(ConformanceError, match=message):
            write_site(tmp_path / name, {"index.html": "x"}, {})


def test_an_empty_folder_becomes_a_site(tmp_path):
    (tmp_path / "empty").mkdir()
    write_site(tmp_path / "empty", {"a/b.html": "text"}, {})
    assert (tmp_path / "empty" / "a" / "b.html").read_text(encoding="utf-8") == "text"


def test_a_site_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    write_site(tmp_path / "site", {"index.html": "old"}, {})
    replace_path = os.replace

    def fail(source, target):
        if str(source).endswith(".tmp"):
            raise OSError(28, "No space left on device")
        replace_path(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ConformanceError, match="site: cannot be written: No space left on device"):
        write_site(tmp_path / "site", {"index.html": "new"}, {})
    assert (tmp_path / "site" / "index.html").read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_record_that_cannot_be_read_writes_nothing(tmp_path, quick):
    (tmp_path / "record.jsonl").write_text("nonsense\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["site", str(tmp_path / "record.jsonl"), "-o", str(tmp_path / "site")])
    assert isinstance(done.exception, ConformanceError)
    assert not (tmp_path / "site").exists()


def test_a_version_of_which_a_run_was_killed_says_so():
    killed = replace(RECORDS["reports/old"], end=None)
    words = Page(site_files(site_of({"one": killed}))["index.html"]).words
    assert "8.6.1 3 pass incomplete" in words
