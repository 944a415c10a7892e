"""``trt-conformance golden``: the golden tensors, checked, compared, shown and written."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trt_conformance.cli.choice import find, load, select
from trt_conformance.cli.output import AsJson, print_json
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import CASES, GOLDEN

if TYPE_CHECKING:
    from trt_conformance.core.case import Case
    from trt_conformance.golden import Change, Problem
    from trt_conformance.targets.protocols import Target

app = typer.Typer(
    help="Check, compare, show and write the golden tensors.",
    no_args_is_help=True,
)

MOST_ALIKE = 20

Root = Annotated[Path, typer.Option(metavar="DIR", help="Where the case files are.", show_default="cases/")]
Store = Annotated[Path, typer.Option("--golden", metavar="DIR", help="Where the goldens are.", show_default="golden/")]
Globs = Annotated[list[str] | None, typer.Argument(metavar="CASE", help="Ids, files or globs; by default all.")]


@app.command()
def verify(root: Root = CASES, store: Store = GOLDEN, as_json: AsJson = False) -> None:
    """Check that every golden is there, whole, used, listed, and what the reference computes; exit code 1 where not."""
    from trt_conformance import golden

    problems = golden.verify(load(root), store)
    _print(problems, "every golden is there, whole, used and right", as_json)
    if problems:
        raise typer.Exit(1)


@app.command()
def diff(case: Globs = None, root: Root = CASES, store: Store = GOLDEN, as_json: AsJson = False) -> None:
    """Say what `update` would change, and by how much; write nothing. Exit code 1 where it would."""
    from trt_conformance import golden

    changes = golden.diff(load(root), case or (), store)
    _print(changes, "nothing would change", as_json)
    if changes:
        raise typer.Exit(1)


@app.command()
def update(case: Globs = None, root: Root = CASES, store: Store = GOLDEN, as_json: AsJson = False) -> None:
    """Make the documented and reference goldens what the cases call for; a right one stays as it is."""
    from trt_conformance import golden

    _print(golden.update(load(root), case or (), store), "nothing to do", as_json)


@app.command()
def show(
    case: Annotated[str, typer.Argument(metavar="CASE", help="An id, with its precision where there are several.")],
    root: Root = CASES,
    store: Store = GOLDEN,
    as_json: AsJson = False,
) -> None:
    """Show a case's goldens: where each comes from, and its values, rounded."""
    from trt_conformance import golden
    from trt_conformance.golden.show import as_json as facts
    from trt_conformance.golden.show import lines

    found = find(load(root), case)
    stored = golden.stored(found, store)
    if as_json:
        print_json({name: facts(content) for name, content in stored.items()})
        return
    typer.echo(f"{found.id}: {found.doc} ({found.location})")
    if found.tier is not None:
        typer.echo(f"\n{golden.hash_line(found, store)}")
    elif not stored:
        typer.echo("no goldens: the case is refused, or is no convolution")
    for name, content in stored.items():
        typer.echo(f"\n{name}")
        for line in lines(content):
            typer.echo(f"  {line}".rstrip())


@app.command()
def observe(
    target: Annotated[str, typer.Option(metavar="NAME", help="A registered name, or path/to/file.py:Class.")],
    case: Globs = None,
    root: Root = CASES,
    store: Store = GOLDEN,
    as_json: AsJson = False,
) -> None:
    """Run cases on a target and keep what it gives as observed goldens, which no verdict takes for expected ones."""
    from trt_conformance.targets.isolation.proxy import open_target

    implementation = open_target(target)
    facts = _environment(implementation)
    outcomes = [_observe(implementation, chosen, facts, store) for chosen in select(load(root), case or ())]
    if as_json:
        print_json(outcomes)
    else:
        for outcome in outcomes:
            typer.echo(f"{outcome['status']:<12}  {outcome['case']}  {outcome['reason']}".rstrip())
    if any(outcome["status"] == "error" for outcome in outcomes):
        raise typer.Exit(1)


def _print(found: Sequence[Problem | Change], none: str, as_json: bool) -> None:
    if as_json:
        print_json([asdict(entry) for entry in found])
        return
    for line in _lines(found):
        typer.echo(line)
    if not found:
        typer.echo(none)


def _lines(found: Sequence[Problem | Change]) -> Iterator[str]:
    """A line each; many that say the same of generated cases, of which there are thousands, become one."""

    def alike(entry: Problem | Change) -> tuple[str, ...]:
        about = entry.case if isinstance(entry, golden.Problem) else entry.group
        return (type(entry).__name__, entry.file, str(entry).replace(about, "") if about else "")

    from trt_conformance import golden

    for _, group in groupby(found, alike):
        entries = list(group)
        if len(entries) <= MOST_ALIKE:
            yield from map(str, entries)
        else:
            yield f"{entries[0]} … and {len(entries) - 1} more like it"


def _environment(target: Target) -> dict[str, str]:
    """Versions and device, without what changes from one run to the next."""
    from trt_conformance.targets import registry
    from trt_conformance.targets.device import machine as environment

    device = environment.gpu()
    for passing in ("reason", "clock_sm_mhz", "clock_memory_mhz"):
        device.pop(passing, None)
    facts = {"python": platform.python_version(), "machine": platform.machine(), **environment.versions()}
    return {key: str(value) for key, value in (facts | device | registry.target_facts(target)).items()}


def _observe(target: Target, case: Case, facts: dict[str, str], store: Path) -> dict[str, str]:
    """Store what a target gives for a case, and say how that went."""
    from trt_conformance import golden
    from trt_conformance.core.tensors import INPUT, case_data
    from trt_conformance.targets.errors import NotRun, Refused, Unsupported, named

    def outcome(status: str, reason: object = "") -> dict[str, str]:
        return {"case": case.id, "status": status, "reason": str(reason)}

    reason = target.supports(case)
    if reason is not None or case.rejection_on(target.name) is not None:
        return outcome("not observed", reason or "it is refused there")
    changed = False
    try:
        with closing(target.build(case)) as engine:
            for index, shape in enumerate(case.run_shapes):
                feeds = {INPUT: case_data(case, shape).input}
                given = engine.run(feeds)
                changed |= golden.write_observed(target.name, case, index, feeds, given, environment=facts, root=store)
    except (Unsupported, NotRun) as fault:
        return outcome("not observed", fault)
    except Refused as fault:
        return outcome("error", f"refused in {fault.phase}: {fault.message}")
    except ConformanceError:
        raise
    except Exception as fault:  # whatever a target raises concerns this case alone
        return outcome("error", named(fault))
    return outcome("observed" if changed else "the same")
