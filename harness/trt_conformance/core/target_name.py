"""The parts of a target's name: ``tensorrt-8.6.1-sm90`` is a flavor, a version and a GPU."""

from __future__ import annotations

from typing import NamedTuple

from trt_conformance.core.flavors import FLAVORS


class TargetName(NamedTuple):
    """A target's name in parts. ``version`` and ``gpu`` are empty if the name does not state them.

    Patterns of names (``tensorrt-*``) have the same parts.
    """

    flavor: str
    version: str = ""
    gpu: str = ""

    @classmethod
    def parse(cls, name: str) -> TargetName:
        """Split a name at its first two hyphens. Any string is accepted: users name their own targets freely."""
        return cls(*name.split("-", 2))

    @property
    def label(self) -> str:
        """How ids of tests name the target, on every machine: by its flavor; a user's own by its whole name."""
        return self.flavor if self.flavor in FLAVORS else str(self)

    def __str__(self) -> str:
        return "-".join(self).rstrip("-")
