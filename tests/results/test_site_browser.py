"""The site in a real browser: no error, no request, no fault that axe finds, and no sideways scrolling on a phone."""

import pytest

from tests.results.test_report_browser import BROWSER, DARK, NAMES, RULES, accessibility, open_page
from tests.results.test_site import NEWER, RECORDS, TARGET, site_of
from trt_conformance.results.site.pages import site_files

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no Chromium here (looked for {', '.join(NAMES)})")

PROBE = f"""
  seen.wide = Math.max(0, document.documentElement.scrollWidth - innerWidth);
  seen.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  {RULES}
"""


@pytest.fixture(scope="module")
def files():
    return site_files(site_of(RECORDS))


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("index.html", ()),
        ("index.html", DARK),
        ("families.html", ()),
        ("claims.html", DARK),
        ("families/example.html", ()),
        ("claims/stride_nd.h2_w2.html", DARK),
        (f"targets/{TARGET}.html", ()),
        ("latency/tensorrt-sm90.html", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "dark" if value else "light",
)
def test_a_page_is_accessible_and_fits_a_phone(tmp_path, files, path, options):
    seen, errors = open_page(tmp_path, accessibility(files[path]), PROBE, options=options)
    assert errors == []
    assert seen == {"wide": 0, "dark": bool(options), "violations": [], "rules": True, "loaded": []}


def test_a_page_that_is_too_wide_would_be_found(tmp_path, files):
    wide = files["index.html"].replace("<main", '<main style="width: 2000px; max-width: none"')
    assert open_page(tmp_path, wide, PROBE.partition("const found")[0])[0]["wide"] > 1000


def test_a_link_to_a_known_difference_opens_it(tmp_path, files):
    look = "seen.open = [...document.querySelectorAll('details')].map(one => [one.id, one.open]);"
    page = files[f"targets/{NEWER}.html"]
    (before, _), (after, errors) = (open_page(tmp_path, page, look, place) for place in ("", "#known-wildcard"))
    assert errors == []
    assert ["known-wildcard", False] in before["open"]
    assert ["known-wildcard", True] in after["open"]
