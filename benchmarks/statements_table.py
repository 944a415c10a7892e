"""How many of NVIDIA's statements have a case, hold, or differ: the tables of docs/statements.md.

    python benchmarks/statements_table.py

Writes the tables of documents from the claims, their cases and the published records of TensorRT-RTX without a GPU and
of TensorRT on one, the list of claims without a case, and the differences on a GPU.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from trt_conformance.catalog.catalog import Catalog, load_catalog
from trt_conformance.catalog.claims import Claim
from trt_conformance.catalog.expectations import Expectations, read_expectations
from trt_conformance.core.files import replacing
from trt_conformance.core.paths import ROOT
from trt_conformance.core.verdict import REFERENCE, Verdict
from trt_conformance.results.claims import DocumentClaims, by_document, counts, states
from trt_conformance.results.record.record import read_record
from trt_conformance.results.versions.columns import explained

PAGE = ROOT / "docs" / "statements.md"
WITHOUT_GPU = ROOT / "reports" / "published" / "2026-11-29-tensorrt_rtx-1.7.1-aot-suite"
ON_GPU = ROOT / "reports" / "published" / "2026-11-29-tensorrt-8.6.0-h200-suite"
FEW = 2
"""How many cases a difference names."""
COLUMNS = ("document", "claims", "with a case", "hold", "build", "differ", "not run", "unsupported", "not stated")
_STATES = (("holds",), ("built", "fallback"), ("differs", "known"), ("not run",), ("unsupported",), ("unstated",))
_BLOCK = r"(<!-- statements: {} -->\n).*?(<!-- end -->)"


def rows(catalog: Catalog, verdicts: Sequence[Verdict]) -> list[list[str]]:
    """A row of the table for each document: title, claims, claims with a case, and how many are in each state."""
    checked = _checked(catalog)
    found = states(verdicts, catalog.claims)
    made = []
    for document in by_document(catalog.claims):
        numbers = [len(document.ids), sum(claim in checked for claim in document.ids)]
        numbers += _in_states(document, verdicts[0].target, found, catalog.claims)
        made.append([document.title, *map(str, numbers)])
    return made


def table(made: Iterable[Sequence[str]]) -> str:
    """The table as Markdown."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *made]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def open_claims(catalog: Catalog) -> str:
    """The claims without a case, each with the reason, as a Markdown table."""
    checked = _checked(catalog)
    lines = ["| statement | where | why no case checks it |\n", "| --- | --- | --- |\n"]
    lines += [
        f"| {claim.statement} | {claim.section} (`{claim.id}`) | {claim.unchecked} |\n"
        for claim in catalog.claims.values()
        if claim.id not in checked
    ]
    return "".join(lines)


def differences(catalog: Catalog, verdicts: Sequence[Verdict], expectations: Expectations) -> str:
    """The claims that a run contradicts, each with its cases and the expectation that says how, as a Markdown table."""
    lines = ["| statement | where | cases | expectation |\n", "| --- | --- | --- | --- |\n"]
    for claim, state in states(verdicts, catalog.claims).items():
        if state not in ("differs", "known"):
            continue
        faults = [explained(v, expectations) for v in verdicts if claim in v.claims and _is_fault(v)]
        cases = sorted({v.case for v in faults})
        more = f" and {len(cases) - FEW} more" * (len(cases) > FEW)
        reasons = ", ".join(f"`{known}`" for known in sorted({v.known for v in faults if v.known})) or "none"
        shown = ", ".join(f"`{case}`" for case in cases[:FEW])
        entry = catalog.claims[claim]
        lines.append(f"| {entry.statement} | {entry.section} (`{claim}`) | {shown}{more} | {reasons} |\n")
    return "".join(lines)


def of_target(run: Path) -> list[Verdict]:
    """The verdicts on the target of a run."""
    return [verdict for verdict in read_record(run).verdicts if verdict.target != REFERENCE]


def updated(page: str, catalog: Catalog) -> str:
    """The page with what the claims, their cases and the published records give."""
    on_gpu = of_target(ON_GPU)
    entries, _ = read_expectations(ROOT / "cases" / "expectations", None)
    for block, text in (
        ("documents", table(rows(catalog, of_target(WITHOUT_GPU)))),
        ("open", open_claims(catalog)),
        ("gpu", table(rows(catalog, on_gpu))),
        ("gpu-differences", differences(catalog, on_gpu, Expectations(entries, catalog.find))),
    ):
        page = replaced(page, block, text)
    return page


def replaced(page: str, block: str, text: str) -> str:
    """The page with another text between the comments that mark a block."""
    pattern = re.compile(_BLOCK.format(block), re.DOTALL)
    assert pattern.search(page), f"docs/statements.md has no block {block!r}"
    return pattern.sub(lambda match: f"{match[1]}{text}{match[2]}", page)


def _is_fault(verdict: Verdict) -> bool:
    return bool(verdict.known) or verdict.status in ("fail", "error")


def _checked(catalog: Catalog) -> set[str]:
    return {claim for case in catalog.cases for claim in case.claims}


def _in_states(
    document: DocumentClaims, target: str, found: Mapping[str, str], registered: Mapping[str, Claim]
) -> list[int]:
    count: Counter[str] = counts(document, target, found, registered)
    return [sum(count[state] for state in among) for among in _STATES]


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = updated(PAGE.read_text(encoding="utf-8"), load_catalog())
    with replacing(PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
