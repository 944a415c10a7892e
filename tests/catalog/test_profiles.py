"""Profiles: the rules take the cases that they state, wrong rules are refused with their lines."""

import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.catalog import linting
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.profiles import load_profiles
from trt_conformance.catalog.source import CaseFileError
from trt_conformance.core.case_folder import SUITE, CaseFolder

CATALOG = Catalog(
    (
        make_case(id="stride_nd/plain", file="cases/convolution/stride_nd.toml"),
        make_case(id="exact_bias/plain", file="cases/exact/exact_bias.toml"),
        make_case(id="resnet50/stem", file="cases/networks/resnet50.toml", latency=True),
    ),
    {},
)
GOOD = """
[[profile]]
id = "float"
doc = "What the document says of it."
core = { cases = ["convolution"], where = { precision = "fp32" } }
extended = { cases = ["*"], without = ["stride_nd/*"] }
"""


def ids(profile, level, catalog=CATALOG):
    return {case.base_id for case in profile.cases(level, catalog)}


def test_the_rules_take_their_cases_and_extended_has_those_of_core(tmp_path):
    path = tmp_path / "profiles.toml"
    path.write_text(GOOD, encoding="utf-8")
    (profile,) = load_profiles(CATALOG, path)
    assert ids(profile, "core") == {"stride_nd/plain"}
    assert ids(profile, "extended") == {"stride_nd/plain", "exact_bias/plain"}  # the timed case is of no profile


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "float"', 'id = "Float"', r"profiles.toml:3: id: "),
        ('doc = "What', 'doc = "', None),
        ('doc = "What the document says of it."', 'doc = "x"', r"profiles.toml:4: doc: "),
        (
            'cases = ["convolution"]',
            'cases = ["convolutions"]',
            r'profiles.toml:5: cases: "convolutions" matches no case',
        ),
        ('precision = "fp32"', 'precision = "fp8"', r"profiles.toml:5: core: selects no case"),
        ('precision = "fp32"', 'precision = "fp33"', r"profiles.toml:5: "),
        ("extended =", "extend =", r'profiles.toml:6: unknown key "extend"; did you mean "extended"\?'),
        ("[[profile]]", "[[profiles]]", r'profiles.toml:2: unknown key "profiles"'),
        (GOOD, GOOD + GOOD, r'profiles.toml:9: duplicate profile "float": already on line 2'),
        (GOOD, "profile = 3\n", r"profiles.toml:1: profile: expected \[\[profile\]\] tables, got 3"),
        (GOOD, "profile = [\n", r"profiles.toml:\d+: is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, old, new, message):
    path = tmp_path / "profiles.toml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    if message is None:
        assert load_profiles(CATALOG, path)
        return
    with pytest.raises(CaseFileError, match=message):
        load_profiles(CATALOG, path)


def test_the_suites_own_profiles_are_read():
    found = load_profiles(suite_catalog())
    assert [profile.id for profile in found] == ["float", "int8", "fp8", "dynamic", "layouts"]
    for profile in found:
        core, extended = ids(profile, "core", suite_catalog()), ids(profile, "extended", suite_catalog())
        assert core
        assert core < extended


def test_the_file_is_no_case_file_in_the_suite_and_may_be_one_elsewhere(tmp_path):
    assert not SUITE.is_of_cases(SUITE.profiles)
    assert CaseFolder.at(tmp_path).is_of_cases(tmp_path / "profiles.toml")


def test_linting_the_suite_checks_its_profiles(monkeypatch):
    monkeypatch.setattr(linting, "read_expectations", lambda *given: ([], []))
    monkeypatch.setattr(linting, "load_catalog", lambda *folders: suite_catalog())
    linting.lint_folders()
    narrower = tuple(case for case in suite_catalog().cases if case.precision != "fp8")
    monkeypatch.setattr(linting, "load_catalog", lambda *folders: Catalog(narrower, {}))
    with pytest.raises(CaseFileError, match=r"cases/profiles.toml:\d+: core: selects no case"):
        linting.lint_folders()
