"""The command that runs a failed check again."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from trt_conformance.core.memory import default_limit
from trt_conformance.core.paths import IS_CHECKOUT, relative
from trt_conformance.core.verdict import REFERENCE, Verdict
from trt_conformance.runner.session import Run


def rerun(node: pytest.Item, found: Verdict, run: Run) -> str:
    """The command, for the folder in which this run was started."""
    name, words = node.name, []
    if found.target != REFERENCE:
        words += ["--target", shlex.quote(run.spec_of(found.target))]
    return " ".join([_program(), f'"{_file(node, run)}::{name}"', *words, *_choice(node, run), *_options(run)])


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
    words += ["--memory-limit", str(given.memory_limit)] if given.memory_limit != default_limit() else []
    if given.full_latency:
        words += ["--latency", *(word for mode in given.latency_modes for word in ("--latency-mode", mode))]
        words += ["--cold", given.cold] if given.cold else []
    words += ["--tactics", given.tactics] if given.tactics != "default" else []
    words += ["--tactic-sources", shlex.quote(",".join(given.tactic_sources))] if given.tactic_sources else []
    return words
