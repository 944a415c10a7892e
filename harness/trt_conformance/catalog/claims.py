"""The claims of `cases/claims.toml`: the statements of NVIDIA's documents, with their places and versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, ValidationError, model_validator

from trt_conformance.catalog.case_file import Entry
from trt_conformance.catalog.explain import explain
from trt_conformance.catalog.source import Source
from trt_conformance.core.documents import document_of
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.types import ClaimId, Model
from trt_conformance.core.words import choice, closest, shown

Checkable = Literal["network", "build", "run", "dla"]
"""What it takes to check a claim.

network: the definition of a network. build: a build. run: a run on a GPU. dla: a device with a DLA.
"""


class Versions(Model):
    """The versions for which a claim is stated: a range for each flavor, like ``>=8.5,<10``; for others, none."""

    tensorrt: str | None = None
    tensorrt_rtx: str | None = None


class Claim(Model):
    """One statement of a document, which the claim's id names.

    ``section``: the place in the document. ``versions``: those for which it is stated; without them, all.
    ``unchecked``: why no case checks it.
    """

    id: ClaimId
    section: Annotated[str, Field(min_length=1)]
    statement: Annotated[str, Field(min_length=8)]
    versions: Versions | None = None
    checkable: Checkable = "run"
    unchecked: Annotated[str, Field(min_length=8)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Claim:
        for flavor, given in (self.versions or Versions()).model_dump(exclude_none=True).items():
            try:
                SpecifierSet(given)
            except InvalidSpecifier:
                text = f'{shown(given)} is not a version range, like ">=8.5,<10"'
                raise ValueError(f"versions.{flavor}: {text}") from None
        return self

    @property
    def document(self) -> str:
        """The name of the document."""
        return document_of(self.id)

    def stated_for(self, target: str) -> bool:
        """Whether the document states the claim for a target's version; always for other implementations."""
        name = TargetName.parse(target)
        if self.versions is None or name.flavor not in Versions.model_fields:
            return True
        given: str | None = getattr(self.versions, name.flavor)
        return given is not None and (not name.version or SpecifierSet(given).contains(name.version, prereleases=True))


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
    """Record a fault for each claim that no entry checks and that does not say why, or that says so and is checked."""
    used = set(claims_of(every))
    for index, claim in claims.items():
        if claim.id not in used and claim.unchecked is None:
            text = f'no case checks the claim {shown(claim.id)}: write one, or give the reason in "unchecked"'
            source.fault(("claim", index), text)
        if claim.id in used and claim.unchecked is not None:
            text = f"unchecked: a case checks the claim {shown(claim.id)}: remove the reason"
            source.fault(("claim", index, "unchecked"), text)


def claims_of(every: Iterable[Entry]) -> Iterator[str]:
    """Yield the claims that entries name."""
    for entry in every:
        yield from (claim for claim in entry.claims if isinstance(claim, str))
