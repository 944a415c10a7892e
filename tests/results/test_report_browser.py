"""The report in a real browser: no error, no request, and the filter, the order and the links work."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import axe_core_python
import pytest

from tests.results.test_engine_costs import built
from tests.results.test_since import changed
from tests.support.pages import CATALOG, latencies
from tests.support.runs import TARGET, flipped, record, verdict
from trt_conformance.results.changes import between
from trt_conformance.results.history import history
from trt_conformance.results.record.record import read_record, save_record
from trt_conformance.results.report.matrix import matrix_page
from trt_conformance.results.report.page import compare_page, report_page
from trt_conformance.results.report.trend import history_page
from trt_conformance.results.report.view import View
from trt_conformance.results.versions.matrix import matrix

NAMES = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "chrome")
BROWSER = next((path for path in map(shutil.which, NAMES) if path), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no Chromium here (looked for {', '.join(NAMES)})")

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
)
DARK = ("--blink-settings=preferredColorScheme=0", "--force-dark-mode")

AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

LONG = "a_name_of_many_letters_and_no_place_to_break_" * 2
RUN = record(
    verdict(figures={"fraction": 0.5, "kernel": "sm80_one", "ran_in": "fp32"}),
    verdict("stride_nd/h2_w1-tf32", claims=("stride_nd.h2_w1",), figures={"fraction": 0.01, "kernel": "sm90_two"}),
    verdict("a/skipped-fp16", status="not run", message="no GPU", claims=()),
    flipped(),
    verdict(f"padding/{LONG}-bf16", status="error", message="boom", claims=()),
    verdict(target="reference", check="golden"),
)

# Runs in the page, and leaves what it saw where --dump-dom shows it.
PROBE = """
<script>
addEventListener("load", async () => {
  const later = () => new Promise(resolve => setTimeout(resolve, 60));
  const list = document.getElementById("list");
  const name = row => row.cells[0].firstChild.textContent;
  const shown = () => [...list.tBodies[0].rows].filter(row => !row.hidden).map(name);
  const form = document.forms[0];
  const set = (name, value) => {
    form.elements[name].value = value;
    form.elements[name].dispatchEvent(new Event("input", { bubbles: true }));
  };
  const seen = {};
  await later();
  %s
  seen.loaded = performance.getEntriesByType("resource").map(entry => entry.name);
  const kept = document.createElement("pre");
  kept.id = "probe";
  kept.textContent = JSON.stringify(seen);
  document.body.append(kept);
});
</script>
</body>
"""


def open_page(folder: Path, page: str, script: str = "", fragment: str = "", options: tuple[str, ...] = ()):
    """What a probe sees in a page, and the errors the browser logs."""
    path = folder / "page.html"
    path.write_text(page.replace("</body>", PROBE % script), encoding="utf-8")
    command = [BROWSER, *OPTIONS, *options, f"--user-data-dir={folder / 'profile'}", "--window-size=390,844"]
    done = subprocess.run(
        [*command, "--dump-dom", f"{path.as_uri()}{fragment}"], capture_output=True, text=True, check=False, timeout=90
    )
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page's probe did not run\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    errors = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(html.unescape(found[1])), errors


@pytest.fixture
def report():
    return report_page(View((RUN,), CATALOG))


@pytest.fixture
def look(tmp_path, report):
    """Open the report; it must open without an error and load nothing."""

    def look(script="", fragment="", options=()):
        seen, errors = open_page(tmp_path, report, script, fragment, options)
        assert errors == []
        assert seen.pop("loaded") == []
        return seen

    return look


def test_a_request_or_an_error_would_be_noticed(tmp_path, report):
    broken = report.replace("<main", '<img src="http://127.0.0.1:9/picture.png" alt=""><main')
    assert "Content Security Policy" in open_page(tmp_path, broken)[1][0]
    assert "no_such_thing" in open_page(tmp_path, report, "setTimeout(() => no_such_thing());  await later();")[1][0]


def test_the_comparison_opens(tmp_path):
    changes = between(RUN, record(verdict(status="fail", message="no")))
    seen, errors = open_page(tmp_path, compare_page(changes, 10), "seen.h1 = document.querySelector('h1').textContent;")
    assert errors == []
    assert seen == {"h1": "3 regressions. The runs share 1 check.", "loaded": []}


def test_filters_narrow_the_list_and_stay_in_the_address(look):
    seen = look("""
      seen.all = shown().length;
      set("q", "SM80"); seen.text = shown(); seen.address = location.hash;
      seen.found = document.querySelector(".found").textContent;
      set("q", "h2_w sm90_two"); seen.words = shown();
      set("q", ""); set("status", "fail"); seen.status = shown();
      set("status", ""); set("precision", "fp16"); seen.precision = shown();
      set("precision", ""); set("target", "reference"); seen.target = shown();
      set("target", ""); set("claim", "stride_nd.h2_w1"); seen.claim = shown();
      form.reset(); await later(); seen.reset = shown().length; seen.end = location.hash;
    """)
    assert seen == {
        "all": 6,
        "text": ["stride_nd/h2_w2"],
        "address": "#cases:q=SM80",
        "found": "1 of 6 rows",
        "words": ["stride_nd/h2_w1"],
        "status": ["example/values"],
        "precision": ["a/skipped"],
        "target": ["stride_nd/h2_w2"],
        "claim": ["stride_nd/h2_w1"],
        "reset": 6,
        "end": "#cases",
    }


def test_an_address_brings_its_filter_back(look):
    fragment = "#cases:q=h2&target=tensorrt-8.6.1-sm90&sort=fraction.down"
    seen = look(
        "seen.rows = shown(); seen.q = form.elements.q.value; seen.target = form.elements.target.value;", fragment
    )
    assert seen == {"rows": ["stride_nd/h2_w2", "stride_nd/h2_w1"], "q": "h2", "target": "tensorrt-8.6.1-sm90"}


def test_columns_sort_both_ways_and_back(look):
    seen = look("""
      const button = document.querySelector("[data-sort=fraction] button");
      const head = button.parentElement;
      seen.before = shown();
      button.focus(); seen.focus = document.activeElement === button;
      button.click(); seen.down = shown().slice(0, 3); seen.said = head.getAttribute("aria-sort");
      seen.address = location.hash;
      button.click(); seen.up = shown().slice(-3); seen.then = head.getAttribute("aria-sort");
      button.click(); seen.after = shown(); seen.last = head.getAttribute("aria-sort");
    """)
    largest = ["example/values", "stride_nd/h2_w2", "stride_nd/h2_w1"]
    assert seen.pop("before") == seen.pop("after")
    assert seen == {
        "focus": True,
        "down": largest,
        "said": "descending",
        "address": "#cases:sort=fraction.down",
        "up": largest[::-1],
        "then": "ascending",
        "last": "none",
    }


def test_links_lead_from_claims_to_cases_and_from_cases_to_failures(look):
    seen = look("""
      document.querySelector('#claims a[href*="h2_w1"]').click(); await later(); seen.claim = shown();
      form.reset(); await later();
      const card = document.querySelector("#failures details");
      card.open = false;
      document.querySelector('#list a[href^="#f"]').click(); await later(); seen.open = card.open;
      document.querySelector(".pictures svg") || (seen.picture = "missing");
      set("q", "nothing at all"); seen.none = shown();
      location.hash = "#r1"; await later(); seen.lit = document.querySelector(".lit").id; seen.shown = shown().length;
    """)
    assert seen == {"claim": ["stride_nd/h2_w1"], "open": True, "none": [], "lit": "r1", "shown": 1}


def test_printing_opens_what_is_folded(look):
    seen = look("""
      const folded = () => document.querySelectorAll("details:not([open])").length;
      document.querySelector("#failures details").open = false;
      const before = folded();
      dispatchEvent(new Event("beforeprint")); seen.printed = folded();
      dispatchEvent(new Event("afterprint")); seen.restored = folded() === before && before > 0;
    """)
    assert seen == {"printed": 0, "restored": True}


def test_controls_are_named_tables_have_headers_and_a_phone_needs_no_sideways_scrolling(look):
    seen = look("""
      seen.nameless = [...document.querySelectorAll("input, select, button")]
        .filter(one => !one.labels?.length && !one.textContent.trim()).length;
      seen.headless = [...document.querySelectorAll("th")].filter(one => !one.scope).length;
      seen.wide = Math.max(0, document.documentElement.scrollWidth - innerWidth);
      seen.levels = [...document.querySelectorAll("h1, h2, h3")].map(one => +one.tagName[1])
        .every((level, index, all) => level <= (all[index - 1] ?? 0) + 1);
      seen.language = document.documentElement.lang;
    """)
    assert seen == {"nameless": 0, "headless": 0, "wide": 0, "levels": True, "language": "en"}


@pytest.mark.parametrize("options", [(), DARK], ids=["light", "dark"])
def test_texts_stand_out_from_their_background(look, options):
    seen = look(
        """
      const light = color => {
        const parts = color.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
          .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
      };
      const behind = one => {
        for (; one; one = one.parentElement) {
          const color = getComputedStyle(one).backgroundColor;
          if (color.startsWith("rgb(")) return color;
        }
      };
      seen.dark = matchMedia("(prefers-color-scheme: dark)").matches;
      seen.weak = [];
      for (const one of document.querySelectorAll("h1, p, dd, dt, th, td, .s, .c, a, label, code, pre, li, button")) {
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) seen.weak.push(`${one.tagName}.${one.className} ${contrast.toFixed(2)}`);
      }
    """,
        options=options,
    )
    assert seen == {"dark": bool(options), "weak": []}


def accessibility(page: str) -> str:
    """The page with axe in it, whose rules a probe then runs."""
    return page.replace("</head>", f"<script>{AXE}</script></head>")


RULES = """
  const found = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] });
  seen.violations = found.violations.map(rule => `${rule.id}: ${rule.nodes[0].html.slice(0, 80)}`);
  seen.rules = found.passes.length > 20;
"""


@pytest.mark.parametrize(
    ("name", "options"),
    [("latencies", ()), ("latencies", DARK), ("since", ()), ("comparison", ()), ("versions", ()), ("history", ())],
    ids=["report", "report-dark", "since", "comparison", "versions", "history"],
)
def test_axe_finds_nothing(tmp_path, name, options):
    if name == "latencies":
        page = report_page(View((record(*RUN.verdicts, *latencies().verdicts, built()),), CATALOG))
    elif name == "since":
        path, since = changed(tmp_path)
        page = report_page(View((read_record(path),), CATALOG), since)
    elif name == "comparison":
        page = compare_page(between(RUN, record(verdict(status="fail", message="no"))), 10)
    elif name == "versions":
        newer = verdict(target="tensorrt-10.13.0-sm90", status="fail", message="no", known="one")
        page = matrix_page(matrix([RUN, record(newer)], CATALOG))
    else:
        save_record(tmp_path / "run", record(*latencies().verdicts, verdict(figures={"fraction": 0.1}), built()))
        page = history_page(history([tmp_path]), with_cases=True)
    seen, _ = open_page(tmp_path, accessibility(page), RULES, options=options)
    assert seen["violations"] == []
    assert seen["rules"]


def test_axe_would_find_something(tmp_path, report):
    faded = report.replace("<main", '<main style="color: #ddd; background: #fff"').replace(' lang="en"', "")
    seen, _ = open_page(tmp_path, accessibility(faded), RULES)
    assert {line.partition(":")[0] for line in seen["violations"]} >= {"color-contrast", "html-has-lang"}


def test_latencies_sort_and_filter_and_leave_the_cases_alone(tmp_path):
    page = report_page(View((record(*RUN.verdicts, *latencies().verdicts),), CATALOG))
    seen, errors = open_page(
        tmp_path,
        page,
        """
      const table = document.getElementById("latencies");
      const targets = () => [...table.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[1].textContent);
      const button = [...table.tHead.querySelectorAll("button")].find(one => one.textContent === "median");
      seen.before = targets();
      button.click(); seen.up = targets(); seen.said = button.parentElement.getAttribute("aria-sort");
      button.click(); seen.down = targets();
      button.click(); seen.after = targets();
      const select = form.querySelector('[data-column="1"]');
      select.value = "torch"; select.dispatchEvent(new Event("input", { bubbles: true })); seen.torch = targets();
      form.reset(); await later(); seen.reset = targets().length; seen.cases = shown().length;
      seen.found = form.nextElementSibling.textContent;
      seen.wide = Math.max(0, document.documentElement.scrollWidth - innerWidth);
    """,
    )
    assert errors == []
    assert seen.pop("before") == seen.pop("after")
    assert seen == {
        "up": [TARGET, "torch", "numpy"],
        "said": "ascending",
        "down": ["numpy", "torch", TARGET],
        "torch": ["torch"],
        "reset": 3,
        "cases": 9,
        "found": "3 rows",
        "wide": 0,
        "loaded": [],
    }


def test_the_history_opens(tmp_path):
    for number in range(3):
        save_record(tmp_path / str(number), record(*latencies().verdicts, verdict(figures={"fraction": 0.1 * number})))
    page = history_page(history([tmp_path]))
    seen, errors = open_page(
        tmp_path,
        page,
        """
      seen.trends = document.querySelectorAll("svg.trend polyline").length;
      seen.wide = Math.max(0, document.documentElement.scrollWidth - innerWidth);
    """,
    )
    assert errors == []
    assert seen == {"trends": 4, "wide": 0, "loaded": []}
