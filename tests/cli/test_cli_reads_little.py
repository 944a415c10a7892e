"""A command that names cases makes these of the sweeps' tens of thousands, and no others."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tests.support.suite import suite_catalog
from trt_conformance.catalog.sweeps.expand import Expanded
from trt_conformance.cli import cases, golden

pytestmark = pytest.mark.usefixtures("shared_suite")

DOCUMENTED = "stride_nd/h2_w2-fp32"
GENERATED = next(name for sweep in suite_catalog().sweeps for name in sweep.names("smoke"))


@pytest.mark.parametrize("case_id", [DOCUMENTED, GENERATED])
@pytest.mark.parametrize(
    ("app", "words"),
    [
        (cases.app, ("show",)),
        (cases.app, ("list", "--case")),
        (golden.app, ("show",)),
        (golden.app, ("diff",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_only_the_named_case_is_made(
    monkeypatch: pytest.MonkeyPatch, app, words: tuple[str, ...], case_id: str
) -> None:
    made = []
    make = Expanded.case
    monkeypatch.setattr(Expanded, "case", lambda self, name: made.append(name) or make(self, name))
    result = CliRunner().invoke(app, [*words, case_id])
    assert result.exit_code == 0, result.output
    assert (case_id if words != ("diff",) else "nothing would change") in result.output
    assert made == ([GENERATED] if case_id == GENERATED else [])


def test_a_word_that_is_almost_an_id_leads_to_a_generated_case() -> None:
    result = CliRunner().invoke(cases.app, ["show", f"{GENERATED}x"])
    assert GENERATED in str(result.exception)
