"""The command ``snnkit models``: which trained networks come with the package, and what is known of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(help="Trained networks that come with the package.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """List the trained networks."""
    from snnkit.models.trained import pretrained_card, pretrained_names

    table = Table("name", "network", "accuracy", title="Trained networks", title_justify="left")
    for name in pretrained_names():
        found = pretrained_card(name)
        table.add_row(name, found.title, f"{100 * found.accuracy:.1f} % of {found.images:,} test images")
    Console().print(table)


@app.command("info")
def info_model(
    name: Annotated[str, typer.Argument(help="Name of a network, see 'snnkit models list'.")],
) -> None:
    """Show the model card of a trained network."""
    from snnkit.models.trained import pretrained_card

    try:
        found = pretrained_card(name)
    except (KeyError, ValueError) as problem:
        typer.echo(f"error: {problem.args[0]}", err=True)
        raise typer.Exit(1) from problem
    table = Table(show_header=False, title=found.title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for key, value in asdict(found).items():
        if key != "title":
            table.add_row(key.replace("_", " "), f"{value}")
    table.add_row("to load it", f'snnkit.models.pretrained("{name}")')
    Console(soft_wrap=True).print(table)
