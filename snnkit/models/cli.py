"""The commands ``snnkit models list`` and ``snnkit models info``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # torch is imported by the commands that need it, so that --help stays quick
    from torch import nn


@dataclass(frozen=True)
class Entry:
    """A model of :mod:`snnkit.models`: what it is, and the shape of an image for those without spikes."""

    title: str
    image: tuple[int, ...] | None = None


MODELS = {
    "two_layer_snn": Entry("2312-800-10 for N-MNIST frames"),
    "two_layer_event_snn": Entry("the same, on sparse event frames"),
    "small_spiking_cnn": Entry("small convolutional network with spiking neurons"),
    "small_cnn": Entry("small convolutional network with ReLU", (3, 32, 32)),
    "resnet20": Entry("ResNet-20 for CIFAR-10", (3, 32, 32)),
    "wide_resnet": Entry("WideResNet-16-2, pre-activation", (3, 32, 32)),
}

app = typer.Typer(help="Models: what there is, their size, and how they convert.", no_args_is_help=True)


def build(name: str) -> nn.Module:
    """The model with its default arguments, in evaluation mode."""
    from snnkit import models

    model: nn.Module = getattr(models, name)()
    return model.eval()


def parameters(model: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(parameter.numel() for parameter in model.parameters())


@app.command("list")
def list_models() -> None:
    """List the models with their number of parameters."""
    table = Table("name", "model", "neurons", "parameters", title="Models", title_justify="left")
    for name, entry in MODELS.items():
        table.add_row(name, entry.title, "ReLU" if entry.image else "spiking", f"{parameters(build(name)):,}")
    Console().print(table)


@app.command("info")
def info_model(
    name: Annotated[str, typer.Argument(help="Name of a model, see 'snnkit models list'.")],
    weights: Annotated[Path | None, typer.Option(help="An .npz file of weights to load.")] = None,
) -> None:
    """Show the size of a model, the cost of one inference, and its layers of neurons after conversion."""
    if name not in MODELS:
        typer.echo(f"error: no model '{name}'; expected one of {', '.join(MODELS)}", err=True)
        raise typer.Exit(1)
    import torch

    from snnkit.conversion import convert
    from snnkit.energy import count_ann
    from snnkit.models import load_weights

    entry, model = MODELS[name], build(name)
    try:
        if weights is not None:
            load_weights(model, weights)
    except (OSError, ValueError) as problem:
        typer.echo(f"error: {problem}", err=True)
        raise typer.Exit(1) from problem
    typer.echo(f"{name}: {entry.title}\nparameters: {parameters(model):,}")
    if entry.image is not None:
        dense = count_ann(model, torch.zeros(1, *entry.image)).dense
        typer.echo(f"multiply-accumulates for an image of {list(entry.image)}: {dense:,.0f}")
        typer.echo(convert(model).summary())
