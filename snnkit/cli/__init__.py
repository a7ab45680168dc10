"""The command ``snnkit``: look at, fetch and simulate data, and look at models.

A command that fails writes one line to standard error and ends with status 1 (2 for a wrong call). What a command
needs of the library it imports when it runs, so that ``--help`` stays quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

import snnkit
from snnkit.cli import data, models

__all__ = ["app", "main"]

app = typer.Typer(
    help="Spiking neural networks: data and models of the course.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"snnkit {snnkit.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Spiking neural networks: data and models of the course."""
