"""The command that runs a failed check again."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from trt_conformance.core.memory import default_limit
from trt_conformance.core.paths import IS_CHECKOUT, relative
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.verdict import REFERENCE, Verdict
from trt_conformance.runner.session import Run
from trt_conformance.targets.isolation.proxy import TIME_LIMIT
from trt_conformance.targets.timing.measurement import TimingPlan


def rerun(node: pytest.Item, found: Verdict, run: Run) -> str:
    """The command, for the folder in which this run was started."""
    name, words = node.name, []
    if found.target != REFERENCE:
        words += [word for spec in _specs(found.target, run) for word in ("--target", shlex.quote(spec))]
    return " ".join([_program(), f'"{_file(node, run)}::{name}"', *words, *_choice(node, run), *_options(run)])


def _specs(target: str, run: Run) -> list[str]:
    """What names the target; all targets of the run where the id of the test depends on them."""
    is_named_alone = run.label_of(target) == TargetName.parse(target).label
    return [run.spec_of(target)] if is_named_alone else [run.spec_of(other.name) for other in run.targets]


def _program() -> str:
    return "pytest" if IS_CHECKOUT else "trt-conformance run"


def _file(node: pytest.Item, run: Run) -> str:
    path, here = Path(node.path), run.config.invocation_params.dir
    known = relative(path)
    if not IS_CHECKOUT or (here / known).exists():
        return known
    return Path(os.path.relpath(path, here)).as_posix()


def _choice(node: pytest.Item, run: Run) -> list[str]:
    """The patterns of cases, where a relation was tried on the first cases among the chosen that fit it."""
    callspec = getattr(node, "callspec", None)
    if callspec is None or "relation" not in callspec.params:
        return []
    return [word for glob in run.options.cases for word in ("--case", shlex.quote(glob))]


def _options(run: Run) -> list[str]:
    """The options on which the check's tests or its verdict depend."""
    given = run.options
    words = [folder.options.lstrip() for folder in given.folders if folder.options]
    words += ["--tier", given.tier] if given.tier else []
    words += ["--large"] if given.large else []
    words += ["--time-limit", f"{given.time_limit_s:g}"] if given.time_limit_s != TIME_LIMIT else []
    words += ["--memory-limit", str(given.memory_limit)] if given.memory_limit != default_limit() else []
    if given.full_latency:
        words += ["--latency", *(word for mode in given.latency_modes for word in ("--latency-mode", mode))]
        words += ["--cold", given.cold] if given.cold else []
        words += (
            ["--latency-limit", f"{given.latency_limit_s:g}"] if given.latency_limit_s != TimingPlan.limit_s else []
        )
    words += [] if given.isolation else ["--no-isolation"]
    words += ["--tactics", given.tactics] if given.tactics != "default" else []
    words += ["--tactic-sources", shlex.quote(",".join(given.tactic_sources))] if given.tactic_sources else []
    return words
