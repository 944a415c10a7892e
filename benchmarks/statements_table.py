"""How many of NVIDIA's statements have a case, hold, or differ: the tables of docs/statements.md.

    pytest cases/test_network.py cases/test_build.py cases/test_reject.py cases/test_api.py --target tensorrt_rtx
    python benchmarks/statements_table.py reports/runs/RUN

Writes the table of documents, from the claims, their cases and a run on one target, and the list of claims without a
case. Without a run, only the list and the first two numbers of the table are brought up to date. The tables of
TensorRT on a GPU are written from the published record.
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
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.claims import DocumentClaims, by_document, counts, states
from trt_conformance.results.record.record import read_record
from trt_conformance.results.versions.columns import explained

PAGE = ROOT / "docs" / "statements.md"
ON_GPU = ROOT / "reports" / "published" / "2026-11-29-tensorrt-8.6.0-h200-suite" / "record.jsonl.gz"
FEW = 2
"""How many cases a difference names."""
COLUMNS = ("document", "claims", "with a case", "hold", "build", "differ", "not run", "unsupported", "not stated")
_STATES = (("holds",), ("built", "fallback"), ("differs", "known"), ("not run",), ("unsupported",), ("unstated",))
_BLOCK = r"(<!-- statements: {} -->\n).*?(<!-- end -->)"


def rows(catalog: Catalog, verdicts: Sequence[Verdict]) -> list[list[str]]:
    """A row of the table for each document: title, claims, claims with a case, and how many are in each state."""
    checked = _checked(catalog)
    target = verdicts[0].target if verdicts else ""
    found = states(verdicts, catalog.claims)
    made = []
    for document in by_document(catalog.claims):
        numbers = [len(document.ids), sum(claim in checked for claim in document.ids)]
        if verdicts:
            numbers += _in_states(document, target, found, catalog.claims)
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


def on_gpu(page: str, catalog: Catalog) -> str:
    """The page with the tables of the published run on a GPU."""
    verdicts = [v for v in read_record(ON_GPU).verdicts if v.target != "reference"]
    entries, _ = read_expectations(ROOT / "cases" / "expectations", None)
    text = differences(catalog, verdicts, Expectations(entries, catalog.find))
    return replaced(replaced(page, "gpu", table(rows(catalog, verdicts))), "gpu-differences", text)


def replaced(page: str, block: str, text: str) -> str:
    """The page with another text between the comments that mark a block."""
    pattern = re.compile(_BLOCK.format(block), re.DOTALL)
    assert pattern.search(page), f"docs/statements.md has no block {block!r}"
    return pattern.sub(lambda match: f"{match[1]}{text}{match[2]}", page)


def stated(page: str) -> list[list[str]]:
    """The rows of the table that the page has."""
    found = re.search(_BLOCK.format("documents"), page, re.DOTALL)
    assert found is not None
    lines = [line for line in found[0].splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def updated(page: str, catalog: Catalog, verdicts: Sequence[Verdict] = ()) -> str:
    """The page with what the claims, their cases and the verdicts give."""
    made = rows(catalog, verdicts)
    if not verdicts:
        states_of = {row[0]: row[3:] for row in stated(page)}
        made = [[*row, *states_of.get(row[0], ["?"] * len(_STATES))] for row in made]
    return replaced(replaced(page, "documents", table(made)), "open", open_claims(catalog))


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="the folder of a run on one target")
    run = parser.parse_args().run
    verdicts = read_record(run / "record.jsonl").verdicts if run is not None else ()
    catalog = load_catalog()
    text = on_gpu(updated(PAGE.read_text(encoding="utf-8"), catalog, tuple(verdicts)), catalog)
    with replacing(PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
