"""CITATION.cff is of the version and license of the package."""

import tomli
import yaml

import trt_conformance
from trt_conformance.core.paths import ROOT


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(cited)
    assert cited["version"] == trt_conformance.__version__
    assert cited["license"] == project["license"]
    assert cited["title"].startswith(project["name"])
