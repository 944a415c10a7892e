"""What ``trt-conformance cases claims`` lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.documents import DOCUMENTS
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import choice


def listed(catalog: Catalog, documents: Sequence[str], unchecked: bool) -> list[dict[str, Any]]:
    """The claims of some documents, or of all, as JSON values; with ``unchecked``, those that no case checks.

    Raises:
        ConformanceError: a document does not exist.
    """
    for name in documents:
        if name not in DOCUMENTS:
            raise ConformanceError(choice("unknown document", name, DOCUMENTS))
    checked: dict[str, list[str]] = {}
    for case in catalog.cases:
        for claim in case.claims:
            checked.setdefault(claim, []).append(case.id)
    return [
        claim.model_dump(mode="json") | {"document": claim.document, "cases": checked.get(claim.id, [])}
        for claim in catalog.claims.values()
        if (not documents or claim.document in documents) and not (unchecked and claim.id in checked)
    ]


def row(claim: dict[str, Any]) -> tuple[str, str, str, str]:
    """A line of the table. A reason why no case checks the claim follows the statement."""
    reason = f" [{claim['unchecked']}]" if claim["unchecked"] else ""
    return claim["id"], claim["checkable"], str(len(claim["cases"]) or "-"), claim["statement"] + reason
