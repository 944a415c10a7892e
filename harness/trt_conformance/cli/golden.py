"""``trt-conformance golden``: checks, compares, shows and writes the golden tensors."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trt_conformance.cli import golden_archive
from trt_conformance.cli.folders import Cases, Golden, folders_of
from trt_conformance.cli.output import AsJson, note, print_json
from trt_conformance.cli.progress import ProgressLine
from trt_conformance.cli.selection import PATTERN_HELP, read_catalog, select_cases
from trt_conformance.core.errors import ConformanceError

if TYPE_CHECKING:
    from trt_conformance.catalog.catalog import Catalog
    from trt_conformance.core.case import Case
    from trt_conformance.core.case_folder import CaseFolder
    from trt_conformance.golden import GoldenChange, Problem
    from trt_conformance.golden.content import Content
    from trt_conformance.golden.hashes import HashEntry
    from trt_conformance.targets.protocols import Target

app = typer.Typer(
    help="Check, compare, show and write the golden tensors.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MOST_ALIKE = 20

Patterns = Annotated[list[str] | None, typer.Argument(metavar="CASE...", help=f"{PATTERN_HELP} All cases by default.")]


app.command()(golden_archive.pack)
app.command()(golden_archive.unpack)

Archive = Annotated[
    Path | None, typer.Option("--archive", metavar="FILE", help="Compare the files with those of this archive instead.")
]


@app.command()
def verify(
    case: Patterns = None,
    cases: Cases = None,
    golden: Golden = None,
    archive: Archive = None,
    as_json: AsJson = False,
) -> None:
    """Check the goldens against cases, manifest and reference.

    Every golden must exist, belong to a case, be listed in the manifest,
    and have the values that the reference computes. Goldens that no case
    uses are looked for only if no CASE is given.

    Exit code 1 if there is a problem.
    """
    from trt_conformance.core.words import counted
    from trt_conformance.golden import verify as problems_of
    from trt_conformance.golden.lock import temporaries

    if archive is not None:
        if case:
            raise ConformanceError("--archive compares whole stores: give no CASE with it")
        _verify_archive(archive, folders_of(cases, golden), as_json)
        return
    catalog = read_catalog(folders_of(cases, golden), patterns=case or ())
    with ProgressLine() as line:
        problems = [
            problem
            for part, chosen in _chosen(catalog, case)
            for problem in problems_of(part, cases=chosen, show=line.show)
        ]
    found = "the goldens of these cases are present, listed and correct"
    _print(problems, found if case else "all goldens are present, listed, used and correct", as_json)
    unfinished = [path for folder in catalog.folders for path in temporaries(folder.golden)]
    if unfinished:
        files = counted(len(unfinished), "unfinished file")
        note(f"{files} of an interrupted or running update, such as {unfinished[0].name}; the next update deletes them")
    if problems:
        raise typer.Exit(1)


def _verify_archive(archive: Path, folders: Sequence[CaseFolder], as_json: bool) -> None:
    """List the files in which a store differs from an archive. Exit code 1 if there are any."""
    from trt_conformance.golden.archive import differences

    if len(folders) > 1:
        raise ConformanceError("--archive has the goldens of one folder of cases, but several are given")
    found = differences(folders[0].golden, archive)
    if as_json:
        print_json(found)
    else:
        typer.echo("\n".join(found) or "every golden equals that of the archive")
    if found:
        raise typer.Exit(1)


@app.command()
def diff(case: Patterns = None, cases: Cases = None, golden: Golden = None, as_json: AsJson = False) -> None:
    """List what update would change, and by how much, without writing.

    Exit code 1 if it would change anything.
    """
    from trt_conformance.golden import diff as changes_of

    catalog = read_catalog(folders_of(cases, golden), patterns=case or ())
    changes = [change for part, chosen in _chosen(catalog, case) for change in changes_of(part, chosen)]
    _print(changes, "nothing would change", as_json)
    if changes:
        raise typer.Exit(1)


@app.command()
def update(case: Patterns = None, cases: Cases = None, golden: Golden = None, as_json: AsJson = False) -> None:
    """Write the goldens that the cases need: tensors and hashes.

    Correct goldens are not written again. Goldens that no case
    uses are removed only if no CASE is given.
    """
    from trt_conformance.golden import update as write_goldens

    catalog = read_catalog(folders_of(cases, golden), patterns=case or ())
    changes = [change for part, chosen in _chosen(catalog, case) for change in write_goldens(part, chosen, notify=note)]
    _print(changes, "nothing to do", as_json)


def _chosen(catalog: Catalog, patterns: Sequence[str] | None) -> Iterator[tuple[Catalog, Sequence[Case] | None]]:
    """Each folder's catalog with its chosen cases, None for all; folders without a chosen case are left out."""
    chosen = select_cases(catalog, patterns) if patterns else None
    for part in catalog.parts():
        here = None if chosen is None else [case for case in chosen if case.folder in part.folders]
        if here is None or here:
            yield part, here


@app.command()
def show(
    case: Annotated[list[str], typer.Argument(metavar="CASE...", help=f"{PATTERN_HELP} Or a golden file (.h5).")],
    cases: Cases = None,
    golden: Golden = None,
    as_json: AsJson = False,
) -> None:
    """Show goldens: their origin, and their values or their hash.

    Values are rounded. A hash is shown with the output's shape and its
    first, middle and last value.

    Goldens of a case must be listed in the manifest. A golden file that
    is named directly is shown even if it is not listed.
    """
    from trt_conformance.golden.show import as_json as to_json

    files = [Path(word) for word in case if word.endswith(".h5")]
    patterns = [word for word in case if not word.endswith(".h5")]
    shown_cases = select_cases(read_catalog(folders_of(cases, golden), patterns=patterns), patterns) if patterns else ()
    if as_json:
        shown = {name: content for file in files for name, content in _file_content(file).items()}
        for chosen in shown_cases:
            shown |= _stored(chosen)
        hashed = {f"{file}:{chosen.id}": entry for chosen in shown_cases for file, entry in _hashed(chosen).items()}
        print_json(
            {name: to_json(content) for name, content in shown.items()}
            | {name: entry._asdict() for name, entry in hashed.items()}
        )
        return
    for file in files:
        _print_contents(_file_content(file))
    for index, chosen in enumerate(shown_cases):
        if index or files:
            typer.echo()
        _print_case(chosen)


@app.command()
def observe(
    target: Annotated[str, typer.Option(metavar="NAME", help="A registered name, or path/to/file.py:Class.")],
    case: Patterns = None,
    cases: Cases = None,
    golden: Golden = None,
    as_json: AsJson = False,
) -> None:
    """Run cases on a target and store its outputs as observed goldens.

    Observed goldens are only for comparison. No verdict uses them as
    expected values.

    Exit code 1 if a case ends in an error.
    """
    from trt_conformance.targets.isolation.proxy import IsolatedTarget, open_target

    implementation = open_target(target)  # a wrong name is refused before thousands of cases are made
    try:
        chosen = select_cases(read_catalog(folders_of(cases, golden), patterns=case or ()), case or ())
        facts = _environment(implementation)
        outcomes = [_observe(implementation, one, facts) for one in chosen]
    finally:
        if isinstance(implementation, IsolatedTarget):
            implementation.finish()
    if as_json:
        print_json(outcomes)
    else:
        for outcome in outcomes:
            typer.echo(f"{outcome['status']:<12}  {outcome['case']}  {outcome['reason']}".rstrip())
    if any(outcome["status"] == "error" for outcome in outcomes):
        raise typer.Exit(1)


def _print_case(case: Case) -> None:
    from trt_conformance.catalog.golden_kind import golden_kind

    stored, hashed = _stored(case), _hashed(case)
    typer.echo(f"{case.id}: {case.doc} ({case.location})")
    for name, content in stored.items():
        typer.echo()
        _print_contents({name: content})
    for file, entry in hashed.items():
        typer.echo(f"\n{file}: {entry}")
    kind = golden_kind(case)
    if kind is None:
        typer.echo("no golden: the case is refused, or not a valid convolution")
    elif kind == "computed":
        typer.echo("no stored reference: it is computed in the run")
    elif kind == "hash" and not hashed:
        typer.echo(f"no hash yet; write it with `trt-conformance golden update {case.id}{case.folder.options}`")


def _hashed(case: Case) -> dict[str, HashEntry]:
    """The hash of a case's output, by the hash's file; empty if the golden is not a hash or has not been written."""
    from trt_conformance.catalog.golden_kind import golden_kind
    from trt_conformance.golden import hashes

    entry = hashes.stored_entry(case) if golden_kind(case) == "hash" else None
    return {} if entry is None else {hashes.file_of(case): entry}


def _print_contents(contents: dict[str, Content]) -> None:
    from trt_conformance.golden.show import lines

    for name, content in contents.items():
        typer.echo(name)
        for line in lines(content):
            typer.echo(f"  {line}".rstrip())


def _stored(case: Case) -> dict[str, Content]:
    from trt_conformance import golden

    return golden.stored_goldens(case)


def _file_content(path: Path) -> dict[str, Content]:
    """The goldens of a file given by its path, whether or not a manifest lists it."""
    from trt_conformance.core.paths import relative
    from trt_conformance.golden.content import GoldenError, split
    from trt_conformance.golden.store import read_golden_file

    try:
        content = read_golden_file(path, kind=None).content
    except GoldenError as fault:
        raise ConformanceError(f"{relative(path)} {fault}") from None
    return {f"{relative(path)}:{group}": golden for group, golden in split(content).items()}


def _print(found: Sequence[Problem | GoldenChange], none: str, as_json: bool) -> None:
    if as_json:
        print_json([asdict(entry) for entry in found])
        return
    for line in _lines(found):
        typer.echo(line)
    if not found:
        typer.echo(none)


def _lines(found: Sequence[Problem | GoldenChange]) -> Iterator[str]:
    """One line each. Many equal messages are summarized."""
    from trt_conformance import golden

    def alike(entry: Problem | GoldenChange) -> tuple[str, ...]:
        about = entry.case if isinstance(entry, golden.Problem) else entry.group
        return (type(entry).__name__, entry.file, str(entry).replace(about, "") if about else "")

    for _, group in groupby(found, alike):
        entries = list(group)
        if len(entries) <= MOST_ALIKE:
            yield from map(str, entries)
        else:
            yield f"{entries[0]} … and {len(entries) - 1} more like it"


def _environment(target: Target) -> dict[str, str]:
    """Versions and device, without values that change between runs."""
    from trt_conformance.targets import registry
    from trt_conformance.targets.device import machine as environment

    device = environment.gpu()
    for passing in ("reason", "clock_sm_mhz", "clock_memory_mhz"):
        device.pop(passing, None)
    facts = {"python": platform.python_version(), "machine": platform.machine(), **environment.versions()}
    return {key: str(value) for key, value in (facts | device | registry.target_facts(target)).items()}


def _observe(target: Target, case: Case, facts: dict[str, str]) -> dict[str, str]:
    """Store a target's outputs for a case, and return the outcome as JSON values."""
    from trt_conformance import golden
    from trt_conformance.core.tensors import feeds_of
    from trt_conformance.targets.errors import NotRun, Refused, Unsupported, named

    def outcome(status: str, reason: object = "") -> dict[str, str]:
        return {"case": case.id, "status": status, "reason": str(reason)}

    changed = False
    try:
        reason = target.supports(case)
        if reason is not None or case.rejection_on(target.name) is not None:
            return outcome("not observed", reason or "the target must refuse it")
        with closing(target.build(case)) as engine:
            for index in range(len(case.run_shapes)):
                feeds = feeds_of(case, index)
                given = engine.run(feeds)
                changed |= golden.write_observed(target.name, case, index, feeds, given, environment=facts, notify=note)
    except (Unsupported, NotRun) as fault:
        return outcome("not observed", fault)
    except Refused as fault:
        return outcome("error", f"refused in {fault.phase}: {fault.message}")
    except ConformanceError:
        raise
    except Exception as fault:  # a target's exception concerns only this case
        return outcome("error", named(fault))
    return outcome("observed" if changed else "unchanged")
