"""``trt-conformance``: each command has its own module."""

from __future__ import annotations

import errno
import re
import sys
import traceback
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from trt_conformance import __version__
from trt_conformance.cli import (
    accept,
    bisect,
    cases,
    compare,
    doctor,
    explore,
    export,
    golden,
    history,
    init,
    matrix,
    merge,
    mutants,
    rebuild,
    report,
    repro,
    run,
    site,
    verify,
)
from trt_conformance.cli.streams import discard_stdout, open_closed_streams
from trt_conformance.core.advice import help_command
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import one_line, printable

PROGRAM = "trt-conformance"

BAD_INPUT = 2
INTERNAL_ERROR = 70
"""EX_SOFTWARE of sysexits.h."""
OUTPUT_ERROR = 74
"""EX_IOERR of sysexits.h."""
BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended: 128 + 13."""

_WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

# typer does not export the exceptions that click raises for bad usage, only this subclass.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

# Without Rich markup, help shows square brackets as they are, and bad usage can be reported in one line.
app = typer.Typer(
    help="Conformance suite for TensorRT's convolution layer. `run` starts pytest; pytest's options apply.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# All arguments go to pytest, including --help.
TO_PYTEST = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app.add_typer(cases.app, name="cases")
app.add_typer(golden.app, name="golden")
app.command()(accept.accept)
app.command()(bisect.bisect)
app.command()(compare.compare)
app.command()(doctor.doctor)
app.command()(explore.explore)
app.command()(export.export)
app.command()(history.history)
app.command()(init.init)
app.command()(matrix.matrix)
app.command()(merge.merge)
app.command()(mutants.mutants)
app.command()(rebuild.rebuild)
app.command()(report.report)
app.command()(repro.repro)
app.command()(site.site)
app.command()(verify.verify)
app.command(context_settings=TO_PYTEST)(run.run)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Accept the options that precede the command."""


def main() -> None:
    """Run the command, then exit.

    Bad input ends the command with one message on stderr and exit code 2. A bug in this program ends it with a
    traceback and exit code 70. An output that cannot be written ends it with exit code 74, or 141 if its reader left.
    None of them exits with 1, which means a regression.
    """
    open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code: int | None = app(prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code or 0
    except ConformanceError as error:
        print(printable(str(error)), file=sys.stderr)
        return BAD_INPUT
    except _UsageError as error:
        print(_usage(error), file=sys.stderr)
        return BAD_INPUT
    except SystemExit as end:
        # typer exits with 1 if the reader of stdout has left.
        if isinstance(end.__context__, BrokenPipeError):
            discard_stdout()
            return BROKEN_PIPE
        raise
    except BrokenPipeError:
        discard_stdout()
        return BROKEN_PIPE
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in _WRITE_ERRORS:
            discard_stdout()
            print(f"the output cannot be written: {fault.strerror}", file=sys.stderr)
            return OUTPUT_ERROR
        traceback.print_exc()
        return INTERNAL_ERROR


def _usage(error: Exception) -> str:
    """One line about wrong arguments, or the help of a command that was given none."""
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    if context is None or message == context.get_help():
        return message
    command = context.command_path
    said = one_line(" ".join(message.split())).replace(" Value error,", "")
    return f"{command}: {_elsewhere(said, context) or said} (`{help_command(command)}` lists what it takes)"


def _elsewhere(message: str, context: Any) -> str:
    """For a command that only a group has, such as ``lint``: where it is. Empty for any other message."""
    named = re.match(r"No such command '([^']+)'", message)
    groups = getattr(context.command, "commands", {}).items()
    found = [f"{group} {named[1]}" for group, one in groups if named and named[1] in getattr(one, "commands", {})]
    return (
        f"No such command {named[1]!r}: use {' or '.join(f'`{PROGRAM} {one}`' for one in found)}"
        if named and found
        else ""
    )
