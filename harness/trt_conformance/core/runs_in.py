"""The field of a case about the precision in which it must run."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from trt_conformance.core.types import Model, Precision


class RunsIn(Model):
    """The precisions in which a case must run, by target: a glob on its name, such as ``*-sm90``, and one or more."""

    on: Annotated[dict[str, Annotated[tuple[Precision, ...], Field(strict=False, min_length=1)]], Field(min_length=1)]

    def of(self, target: str) -> tuple[Precision, ...]:
        """Those of the first glob that the target's name matches; none if none does."""
        return next((names for glob, names in self.on.items() if fnmatchcase(target, glob)), ())


def demanded(given: Precision | RunsIn | None, target: str) -> tuple[Precision, ...]:
    """The precisions in which a case with this field must run on a target; empty if it does not say any."""
    if isinstance(given, RunsIn):
        return given.of(target)
    return () if given is None else (given,)
