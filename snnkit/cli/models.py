"""The commands ``snnkit models list``, ``info``, ``trained`` and ``card``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from snnkit.cli._errors import one_line_errors

__all__ = [
    "MODELS",
    "ModelListing",
    "app",
    "build",
    "info_model",
    "list_models",
    "list_trained",
    "parameters",
    "show_card",
]

if TYPE_CHECKING:  # torch is imported by the commands that need it, so that --help stays quick
    from torch import nn


@dataclass(frozen=True)
class ModelListing:
    """A model of :mod:`snnkit.models`: what it is, and the shape of an image for those without spikes."""

    title: str
    image: tuple[int, ...] | None = None


MODELS = {
    "two_layer_snn": ModelListing("2312-800-10 for N-MNIST frames"),
    "two_layer_event_snn": ModelListing("the same, on sparse event frames"),
    "small_spiking_cnn": ModelListing("small convolutional network with spiking neurons"),
    "small_cnn": ModelListing("small convolutional network with ReLU", (3, 32, 32)),
    "resnet20": ModelListing("ResNet-20 for CIFAR-10", (3, 32, 32)),
    "wide_resnet": ModelListing("WideResNet-16-2, pre-activation", (3, 32, 32)),
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
    for name, listed in MODELS.items():
        neurons = "ReLU" if listed.image else "spiking"
        table.add_row(name, listed.title, neurons, f"{parameters(build(name)):,}")
    Console().print(table)


@app.command("info")
def info_model(
    name: Annotated[str, typer.Argument(help="Name of a model, see 'snnkit models list'.")],
    weights: Annotated[Path | None, typer.Option(help="An .npz file of weights to load.")] = None,
) -> None:
    """Show the size of a model, the cost of one inference, and its layers of neurons after conversion."""
    with one_line_errors():
        if name not in MODELS:
            raise ValueError(f"no model '{name}'; expected one of {', '.join(MODELS)}")
        import torch

        from snnkit.conversion import convert
        from snnkit.energy import count_ann
        from snnkit.models import load_weights

        listed, model = MODELS[name], build(name)
        if weights is not None:
            load_weights(model, weights)
    typer.echo(f"{name}: {listed.title}\nparameters: {parameters(model):,}")
    if listed.image is not None:
        dense = count_ann(model, torch.zeros(1, *listed.image)).dense
        typer.echo(f"multiply-accumulates for an image of {list(listed.image)}: {dense:,.0f}")
        typer.echo(convert(model).summary())


@app.command("trained")
def list_trained() -> None:
    """List the trained networks that come with the package."""
    from snnkit.models.trained import pretrained_card, pretrained_names

    table = Table("name", "network", "accuracy", title="Trained networks", title_justify="left")
    for name in pretrained_names():
        found = pretrained_card(name)
        table.add_row(name, found.title, f"{100 * found.accuracy:.1f} % of {found.images:,} test images")
    Console().print(table)


@app.command("card")
def show_card(
    name: Annotated[str, typer.Argument(help="Name of a trained network, see 'snnkit models trained'.")],
) -> None:
    """Show the model card of a trained network."""
    from snnkit.models.trained import pretrained_card

    with one_line_errors():
        found = pretrained_card(name)
    table = Table(show_header=False, title=found.title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for key, value in asdict(found).items():
        if key != "title":
            table.add_row(key.replace("_", " "), f"{value}")
    table.add_row("to load it", f'snnkit.models.pretrained("{name}")')
    Console(soft_wrap=True).print(table)
