"""The commands ``snnkit data list``, ``info``, ``fetch`` and ``simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from snnkit.cli._errors import one_line_errors

__all__ = ["app", "fetch_data", "info_data", "list_data", "simulate_data"]

app = typer.Typer(
    help="Data sets: what there is, under which licence, and where it lies.", no_args_is_help=True
)


@app.command("list")
def list_data() -> None:
    """List the data sets, their licences and where they lie on this machine."""
    from snnkit.datasets import CATALOGUE, available

    with one_line_errors():
        table = Table("name", "data set", "licence", title="Data sets", title_justify="left")
        table.add_column("on this machine", overflow="fold")
        for name, info in CATALOGUE.items():
            place = "embedded" if info.embedded else str(available(name) or "-")
            table.add_row(name, info.title, info.licence.partition(",")[0], place)
        Console().print(table)


@app.command("info")
def info_data(
    name: Annotated[str, typer.Argument(help="Name of a data set, see 'snnkit data list'.")],
) -> None:
    """Show content, licence, source and citation of a data set."""
    from snnkit.datasets import available, describe

    with one_line_errors():
        info = describe(name)
        place = "embedded, needs no files" if info.embedded else str(available(name) or "not here")
        if info.embedded:
            obtain = "nothing to do"
        elif info.downloads:
            obtain = f"snnkit data fetch {name} ({len(info.downloads)} files, MD5 sums checked)"
        else:
            obtain = f"by hand from {info.source}"
        table = Table(
            show_header=False, title=info.title, title_justify="left", box=None, padding=(0, 2, 0, 0)
        )
        for key, value in (
            ("content", info.content),
            ("licence", info.licence),
            ("pass it on", "allowed by this licence" if info.redistributable else "not known to be allowed"),
            ("source", info.source),
            ("citation", info.citation),
            ("note", info.note or "-"),
            ("to get it", obtain),
            ("on this machine", place),
        ):
            table.add_row(key, value)
        Console(soft_wrap=True).print(table)


@app.command("fetch")
def fetch_data(
    name: Annotated[str, typer.Argument(help="Name of a data set, see 'snnkit data list'.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder to put it in; by default the user's cache.")
    ] = None,
) -> None:
    """Download a data set from its publisher and check the checksums."""
    from snnkit.datasets import describe, fetch

    with one_line_errors():
        info = describe(name)
        folder = fetch(name, to)
        typer.echo(f"{info.title} is in {folder}")
        typer.echo(f"licence: {info.licence}")
        if to is not None:
            typer.echo(f"to use it, set SNNKIT_DATA to {to}")


@app.command("simulate")
def simulate_data(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; must not exist or be empty.")],
    count: Annotated[int, typer.Option("--count", min=1, help="Training recordings, at most 1500.")] = 1_000,
    test: Annotated[int, typer.Option("--test", min=1, help="Test recordings, at most 297.")] = 200,
    noise: Annotated[
        float, typer.Option("--noise", min=0.0, help="Noise events per pixel and second.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the camera.")] = 0,
) -> None:
    """Show 8 x 8 digits to a simulated event camera and write the recordings in N-MNIST's layout and format."""
    from snnkit.datasets import simulated_nmnist, write_nmnist_folder
    from snnkit.events import Camera

    with one_line_errors():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(f"{out} exists and is not an empty folder; choose another or remove it")
        camera = Camera(noise=noise, seed=seed)
        one = simulated_nmnist("train", count, camera, progress=True)
        other = simulated_nmnist("test", test, camera, progress=True)
        files = write_nmnist_folder(out, one, other)
        typer.echo(
            f"{files} simulated recordings are in {out} (Train/<label>/<id>.bin, Test/<label>/<id>.bin)"
        )
