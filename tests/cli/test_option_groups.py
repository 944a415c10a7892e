"""Options that a command takes as one object."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from trt_conformance.cli.option_groups import grouped


@dataclass(frozen=True)
class Tolerances:
    loose: Annotated[float | None, typer.Option("--loose", help="How loose.")] = None
    names: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None


@grouped
def judge(
    what: Annotated[str, typer.Argument()], count: int = 1, *, tolerances: Tolerances, last: bool = False
) -> None:
    """Judge something."""
    typer.echo(f"{what} {count} {tolerances.loose} {tolerances.names} {last}")


def run(*arguments: str) -> str:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(judge)
    return CliRunner().invoke(app, arguments).output


def test_fields_are_options_in_the_place_of_their_group() -> None:
    assert run("it").strip() == "it 1 None None False"
    assert run("it", "--loose", "0.5", "--names", "a", "--names", "b", "--last") == "it 1 0.5 ['a', 'b'] True\n"
    shown = run("--help")
    options = ["--count", "--loose", "--names", "--last"]
    assert sorted(options, key=shown.index) == options
    assert "How loose." in shown
    assert "--tolerances" not in shown


def test_a_value_that_a_field_does_not_take_is_refused() -> None:
    assert "Invalid value for '--loose'" in run("it", "--loose", "x")
