"""``trt-conformance``: one module a command."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer

from trt_conformance.cli import accept, cases, compare, doctor, export, golden, history, merge, mutants, report, run
from trt_conformance.core.errors import ConformanceError

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
    """Run the command. A fault in what the user gave ends it with one message on stderr and exit code 2."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="trt-conformance")
    except ConformanceError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
