"""Where the suite's data is: in the checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def _root() -> Path:
    """The folder that holds `cases/` and `golden/`: the checkout, or the copy that a wheel carries."""
    checkout = PACKAGE.parents[1]
    return checkout if (checkout / "cases" / "claims.toml").is_file() else PACKAGE / "suite"


ROOT = _root()
CASES = ROOT / "cases"
GOLDEN = ROOT / "golden"
IS_CHECKOUT = ROOT != PACKAGE / "suite"
RUNS = (ROOT if IS_CHECKOUT else Path.cwd()) / "reports" / "runs"


def relative(path: Path) -> str:
    """The path as people type it: relative to the suite, else to the working directory; unchanged outside both."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):  # a symbolic link that leads to itself
        return str(path)
    for folder in (ROOT, Path.cwd()):
        if resolved.is_relative_to(folder):
            return resolved.relative_to(folder).as_posix()
    return str(path)
