"""The cases and targets of each test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import pytest

from trt_conformance.checks.metamorphic_cases import choose
from trt_conformance.checks.padding.sample import edges, sample
from trt_conformance.checks.padding.tiers import MODES, RANKS, PaddingTier, table_id, tier_of
from trt_conformance.checks.selection import GENERATED, NEEDS, SELECTIONS
from trt_conformance.core.case import Case
from trt_conformance.core.words import choice
from trt_conformance.runner.keys import RUN
from trt_conformance.runner.session import Run
from trt_conformance.targets.protocols import Target

PADDING_SAMPLES: dict[str, Callable[[PaddingTier], tuple[Case, ...]] | None] = {
    "table": None,
    "sample": sample,
    "edges": edges,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("cases")
    padding = metafunc.definition.get_closest_marker("padding")
    of_suite = metafunc.definition.get_closest_marker("suite")
    if not (marker or padding or of_suite):
        return
    run = metafunc.config.stash[RUN]
    run.prepare()
    if run.fault is not None:
        return
    if of_suite is not None and not run.selection.has_suite:
        run.without_values.add(metafunc.definition.nodeid)
    if padding is not None:
        parametrize_padding(metafunc, run, padding)
        return
    if marker is None:
        return
    selection = argument_of(metafunc, marker, [*SELECTIONS, GENERATED])
    if selection == GENERATED:
        parametrize_generated(metafunc, run)
        return
    cases = [case for case in run.selection.cases if SELECTIONS[selection](case)]
    if "subject" not in metafunc.fixturenames:
        parametrize(metafunc, "case", cases, [case.id for case in cases])
        return
    targets = timed_quickly(metafunc, run, fitting(metafunc, marker, run))

    def name_of(case: Case, target: Target) -> str:
        return f"{case.id}-{run.label_of(target.name)}"

    if marker.kwargs.get("relations", False):
        chosen = [(name, (case, target)) for name, case in choose(cases) for target in targets]
        ids = [f"{name}-{name_of(*pair)}" for name, pair in chosen]
        parametrize(metafunc, ("relation", "subject"), chosen, ids, indirect=["subject"])
        return
    pairs = [(case, target) for target in targets for case in cases]
    parametrize(metafunc, "subject", pairs, [name_of(*pair) for pair in pairs], indirect=True)
    modes = run.options.latency_modes
    if "timing" in metafunc.fixturenames and modes:
        metafunc.parametrize("timing", list(dict.fromkeys(modes)), indirect=True)


def parametrize_generated(metafunc: pytest.Metafunc, run: Run) -> None:
    """The generated cases by their ids, on each target."""
    targets = timed_quickly(metafunc, run, run.targets)
    pairs = [(name, target) for name in run.selection.generated for target in targets]
    ids = [f"{name}-{run.label_of(target.name)}" for name, target in pairs]
    parametrize(metafunc, "subject", pairs, ids, indirect=True)


def parametrize_padding(metafunc: pytest.Metafunc, run: Run, marker: pytest.Mark) -> None:
    """The padding truth tables, or configurations sampled from them as cases, on each target that fits."""
    samples = PADDING_SAMPLES[argument_of(metafunc, marker, PADDING_SAMPLES)]
    targets = fitting(metafunc, marker, run) if run.selection.has_suite else []
    wanted = run.selection.names
    rows: dict[str, Any]
    if samples is not None:
        rows = {case.id: case for case in samples(run.selection.padding_tier) if wanted(case.id)}
        values: list[Any] = [(case, target) for target in targets for case in rows.values()]
    else:
        rows = {f"{r}d-{m.lower()}": (r, m) for r in RANKS for m in MODES if wanted(table_id(r, m))}
        values = [(target, tier_of(run.options.tier, target.name), *row) for target in targets for row in rows.values()]
    ids = [f"{name}-{run.label_of(target.name)}" for target in targets for name in rows]
    parametrize(metafunc, "subject" if samples else "table", values, ids, indirect=samples is not None)


def argument_of(metafunc: pytest.Metafunc, marker: pytest.Mark, known: Iterable[str]) -> str:
    """The marker's one argument. Fails the collection of the test where it is not a known one."""
    if len(marker.args) != 1:
        refuse(metafunc, marker, f"expected one argument, got {len(marker.args)}")
    if marker.args[0] not in known:
        refuse(metafunc, marker, choice("unknown selection", marker.args[0], known))
    return str(marker.args[0])


def fitting(metafunc: pytest.Metafunc, marker: pytest.Mark, run: Run) -> list[Target]:
    """The run's targets that offer what the marker's ``needs`` names."""
    name = marker.kwargs.get("needs", "nothing")
    if name not in NEEDS:
        refuse(metafunc, marker, choice("unknown value of needs", name, NEEDS))
    return [target for target in run.targets if NEEDS[name](target)]


def timed_quickly(metafunc: pytest.Metafunc, run: Run, targets: Sequence[Target]) -> list[Target]:
    """The targets of a test; for quick latencies, those for which the run measures them."""
    takes = "quick" in metafunc.fixturenames
    return [target for target in targets if not takes or run.quick.wanted(target)]


def refuse(metafunc: pytest.Metafunc, marker: pytest.Mark, message: str) -> NoReturn:
    """Fail the collection of a test whose marker is wrong."""
    pytest.fail(f"{metafunc.definition.nodeid}: @pytest.mark.{marker.name}: {message}", pytrace=False)


def parametrize(
    metafunc: pytest.Metafunc,
    names: str | tuple[str, ...],
    values: Sequence[Any],
    ids: Sequence[str],
    indirect: bool | list[str] = False,
) -> None:
    """As `pytest.Metafunc.parametrize`, but a test without values is left out rather than skipped."""
    if values:
        metafunc.parametrize(names, values, ids=ids, indirect=indirect)
    else:
        metafunc.config.stash[RUN].without_values.add(metafunc.definition.nodeid)
