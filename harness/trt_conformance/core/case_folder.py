"""A folder of case files, with the goldens, claims and expectations that belong to it: the suite's own or a user's."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trt_conformance.core.paths import CASES, GOLDEN, display

EXPECTATIONS, CLAIMS, GATE, UNREACHED = "expectations", "claims.toml", "gate.toml", "unreached.toml"
"""What a folder may have beside its case files: known differences, claims, the settings of `compare`, and the ranges
between edges that its cases leave out."""
PROFILES = "profiles.toml"
"""The rules of profiles, which the suite's own folder has."""


@dataclass(frozen=True)
class CaseFolder:
    """Where case files are read, and where their goldens are stored."""

    path: Path
    golden: Path

    @classmethod
    def at(cls, path: Path, golden: Path | None = None) -> CaseFolder:
        """The folder at a path, which need not exist; the suite's own if the path leads to it.

        Args:
            path: the folder, absolute or relative to the working directory.
            golden: the folder of its goldens; by default its subfolder ``golden``.
        """
        if golden is None and _leads_to(path, CASES):
            return SUITE
        return cls(path, path / "golden" if golden is None else golden)

    @property
    def is_suite(self) -> bool:
        """Whether these are the suite's own cases."""
        return self.path == CASES

    @cached_property
    def name(self) -> str:
        """The folder as messages and case files' names show it: ``cases`` for the suite's own."""
        return display(self.path)

    @property
    def expectations(self) -> Path:
        return self.path / EXPECTATIONS

    @property
    def claims(self) -> Path:
        return self.path / CLAIMS

    @property
    def profiles(self) -> Path:
        return self.path / PROFILES

    @property
    def unreached(self) -> Path:
        return self.path / UNREACHED

    @property
    def options_of_cases(self) -> str:
        """The command-line option that names this folder, with a space before it; empty for the suite's own."""
        return "" if self.is_suite else f" --cases {shlex.quote(str(self.path))}"

    @property
    def options(self) -> str:
        """As `options_of_cases`, with the option that names the folder of goldens unless it is the default."""
        default = GOLDEN if self.is_suite else self.path / "golden"
        golden = "" if self.golden == default else f" --golden {shlex.quote(str(self.golden))}"
        return f"{self.options_of_cases}{golden}"

    def is_of_cases(self, path: Path) -> bool:
        """Whether a ``*.toml`` file below the folder is a case file or a sweep."""
        own = [self.profiles] if self.is_suite else []
        beside = (self.claims, self.path / GATE, self.unreached, *own)
        return path not in beside and self.expectations not in path.parents

    def is_sweep(self, path: Path) -> bool:
        """Whether a file below the folder is a sweep: those in a subfolder ``sweeps`` are."""
        return path.relative_to(self.path).parent.name == "sweeps"


def _leads_to(path: Path, folder: Path) -> bool:
    try:
        return path.resolve() == folder
    except (OSError, RuntimeError, ValueError):  # a symbolic link to itself, a NUL in the name
        return False


SUITE = CaseFolder(CASES, GOLDEN)
"""The suite's own cases."""
