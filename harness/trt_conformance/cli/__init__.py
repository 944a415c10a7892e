"""``trt-conformance``: one module a command."""

from __future__ import annotations

import sys
import traceback
from io import TextIOWrapper

import typer

from trt_conformance.cli import accept, cases, compare, doctor, export, golden, history, merge, mutants, report, run
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import printable

INTERNAL_ERROR = 70
"""EX_SOFTWARE of sysexits.h."""

app = typer.Typer(
    help="Conformance suite for TensorRT's convolution layer. `run` starts pytest; pytest's options apply.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Every argument is pytest's, `--help` included.
TO_PYTEST = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

# One line a command. Each lives in a module of its own, which imports what is heavy only when it runs.
app.add_typer(cases.app, name="cases")
app.add_typer(golden.app, name="golden")
app.command()(accept.accept)
app.command()(compare.compare)
app.command()(doctor.doctor)
app.command()(export.export)
app.command()(history.history)
app.command()(merge.merge)
app.command()(mutants.mutants)
app.command()(report.report)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
    run.run
)


def main() -> None:
    """Run the command.

    Faulty input ends it with one message on stderr and exit code 2. A fault of this program ends it with a traceback
    and exit code 70, never with 1: that is a gate's word for a regression.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="trt-conformance")
    except ConformanceError as error:
        print(printable(str(error)), file=sys.stderr)
        sys.exit(2)
    except Exception:
        traceback.print_exc()
        sys.exit(INTERNAL_ERROR)
