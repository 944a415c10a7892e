"""Where the checkout keeps its parts."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT / "cases"
GOLDEN = ROOT / "golden"
RUNS = ROOT / "reports" / "runs"


def relative(path: Path) -> str:
    """The path as people type it from the checkout's root; unchanged where it lies outside."""
    try:
        return path.resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return str(path)
