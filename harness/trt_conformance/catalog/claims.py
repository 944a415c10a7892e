"""The claims of `cases/claims.toml`: the statements of the document, each with an id and its section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, ValidationError

from trt_conformance.catalog.case_file import Entry
from trt_conformance.catalog.explain import explain
from trt_conformance.catalog.source import Source
from trt_conformance.core.types import ClaimId, Model
from trt_conformance.core.words import choice, closest, shown


class Claim(Model):
    """One statement of the document."""

    id: ClaimId
    section: Annotated[str, Field(min_length=1)]
    statement: Annotated[str, Field(min_length=8)]


def read_claims(source: Source) -> dict[int, Claim]:
    """Return the valid claims by their index in the file. Mistakes become faults of the file."""
    claims: dict[int, Claim] = {}
    first: dict[str, int] = {}
    for key in source.document:
        if key != "claim":
            source.fault((key,), choice("unknown key", key, ["claim"]))
    given = source.document.get("claim", [])
    if not isinstance(given, list):
        source.fault(("claim",), f"claim: expected [[claim]] tables, got {shown(given)}")
        return claims
    for index, data in enumerate(given):
        try:
            claim = Claim.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = detail["loc"]
                source.fault(("claim", index, *path), explain(detail, path, Claim))
            continue
        if (earlier := first.setdefault(claim.id, index)) != index:
            line = source.line(("claim", earlier))
            source.fault(("claim", index, "id"), f"duplicate claim {shown(claim.id)}: already on line {line}")
        claims[index] = claim
    return claims


def check_claims_exist(every: Iterable[Entry], claims: Iterable[str]) -> None:
    """Record a fault for each claim of an entry that is not in the file of claims."""
    known = set(claims)
    for entry in every:
        for index, claim in enumerate(entry.claims):
            if isinstance(claim, str) and claim not in known:
                entry.fault(("claims", index), f"claim {shown(claim)} is not in claims.toml{closest(claim, known)}")


def check_claims_used(source: Source, claims: dict[int, Claim], every: Iterable[Entry]) -> None:
    """Record a fault for each claim that no entry checks."""
    used = {claim for entry in every for claim in entry.claims if isinstance(claim, str)}
    for index, claim in claims.items():
        if claim.id not in used:
            source.fault(("claim", index), f"no case checks the claim {shown(claim.id)}")
