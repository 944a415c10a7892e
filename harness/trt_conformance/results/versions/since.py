"""In which version the verdicts of a case changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trt_conformance.catalog.case_patterns import CasePatterns
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import closest, shown
from trt_conformance.results.causes import reason
from trt_conformance.results.versions.columns import Key, Version, is_same, trait


@dataclass(frozen=True)
class Span:
    """Consecutive versions in which a check has the same outcome for the same cause. ``message``: why, in the last."""

    versions: tuple[str, ...]
    outcome: str
    cause: str
    message: str

    @property
    def words(self) -> str:
        """``known (int8_not_built)``."""
        return f"{self.outcome} ({self.cause})" if self.cause else self.outcome

    @property
    def where(self) -> str:
        """``1.4.0 to 1.6.1``."""
        return self.versions[0] if len(self.versions) == 1 else f"{self.versions[0]} to {self.versions[-1]}"


@dataclass(frozen=True)
class CheckHistory:
    """One check of a case over the versions of one flavor and GPU: its spans, the oldest first.

    ``missing``: the versions whose runs do not have the check.
    """

    case: str
    check: str
    flavor: str
    gpu: str
    spans: tuple[Span, ...]
    missing: tuple[str, ...]

    def text(self) -> str:
        """``pass since 1.7.1; before: known (int8_not_built) in 1.4.0 to 1.6.1``."""
        *earlier, last = self.spans
        if not earlier:
            text = f"{last.words} in {last.where}"
        else:
            before = ", ".join(f"{span.words} in {span.where}" for span in reversed(earlier))
            text = f"{last.words} since {last.versions[0]}; before: {before}"
        return f"{text}; no verdict in {', '.join(self.missing)}" if self.missing else text

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "case": self.case,
            "check": self.check,
            "flavour": self.flavor,
            "gpu": self.gpu,
            "since": self.spans[-1].versions[0],
            "spans": [
                {"versions": list(span.versions), "outcome": span.outcome, "cause": span.cause, "message": span.message}
                for span in self.spans
            ],
            "missing": list(self.missing),
        }


def histories(found: Sequence[Version], pattern: str) -> tuple[CheckHistory, ...]:
    """The checks of the cases of an id, or of a pattern such as ``set_input/*``, over versions.

    Raises:
        ConformanceError: no version has a check of such a case.
    """
    names = CasePatterns([pattern])
    keys = dict.fromkeys(key for version in found for key in version.verdicts if names.match_id(key[0]))
    if not keys:
        every = sorted({key[0] for version in found for key in version.verdicts})
        raise ConformanceError(f"no run has a check of case {shown(pattern)}{closest(pattern, every)}")
    series = dict.fromkeys(version.series for version in found)
    return tuple(
        history
        for flavor, gpu in series
        for history in _of_series([version for version in found if version.series == (flavor, gpu)], list(keys))
    )


def _of_series(found: Sequence[Version], keys: Sequence[Key]) -> Iterator[CheckHistory]:
    for key in keys:
        having = [version for version in found if key in version.verdicts]
        if having:
            missing = tuple(version.label for version in found if version not in having)
            flavor, gpu = found[0].series
            yield CheckHistory(key[0], key[1], flavor, gpu, tuple(_spans(having, key)), missing)


def _spans(found: Sequence[Version], key: Key) -> Iterator[Span]:
    groups: list[list[Version]] = []
    for version in found:
        if groups and is_same(groups[-1][-1].verdicts[key], version.verdicts[key]):
            groups[-1].append(version)
        else:
            groups.append([version])
    for having in groups:
        verdict = having[-1].verdicts[key]
        shows = trait(verdict)
        labels = tuple(version.label for version in having)
        if shows is None:
            yield Span(labels, "pass", "", "")
        else:
            cause = shows.cause if shows.is_known else reason(verdict.message)
            yield Span(labels, shows.outcome, cause, verdict.message)
