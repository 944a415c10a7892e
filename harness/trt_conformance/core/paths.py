"""The paths of the suite's data: in the checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def _root() -> Path:
    """The folder that contains `cases/` and `golden/`: the checkout, or the copy in an installed wheel."""
    checkout = PACKAGE.parents[1]
    return checkout if (checkout / "cases" / "claims.toml").is_file() else PACKAGE / "suite"


ROOT = _root()
CASES = ROOT / "cases"
GOLDEN = ROOT / "golden"
IS_CHECKOUT = ROOT != PACKAGE / "suite"
ACCEPTED = Path("reports") / "accepted"
"""Where accepted runs are stored, below the working directory."""
RUNS = (ROOT if IS_CHECKOUT else Path.cwd()) / "reports" / "runs"


def users_cache() -> Path | None:
    """The suite's folder in the user's cache folder; None if the user's home is unknown."""
    from platformdirs import user_cache_path

    try:
        found = user_cache_path("trt-conformance")
    except RuntimeError:  # of platformdirs 4.14; older versions return a relative path that begins with "~"
        return None
    return found if found.is_absolute() else None


def display(path: Path) -> str:
    """The path as messages show it: as given, but relative to the suite or the working directory if it is below one.

    Links are not resolved.
    """
    for root, below in ((ROOT, (CASES, GOLDEN)), (Path.cwd(), (Path.cwd(),))):
        if any(path.is_relative_to(folder) for folder in below):
            return path.relative_to(root).as_posix()
    return path.as_posix()


def from_here(path: Path) -> str:
    """The path of a written file, as a command in the working directory takes it: absolute unless it is below that."""
    resolved = path.resolve()
    return resolved.relative_to(Path.cwd()).as_posix() if resolved.is_relative_to(Path.cwd()) else str(resolved)


def relative(path: Path) -> str:
    """The path relative to the suite, or else to the working directory; unchanged outside both."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):  # a symbolic link to itself
        return str(path)
    for folder in (ROOT, Path.cwd()):
        if resolved.is_relative_to(folder):
            return resolved.relative_to(folder).as_posix()
    return str(path)
