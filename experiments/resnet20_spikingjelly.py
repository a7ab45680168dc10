"""The converted ResNet-20 beside SpikingJelly's own recipes, on the same images.

    python -m experiments.resnet20_spikingjelly            all rows, goes on where it was stopped
    python -m experiments.resnet20_spikingjelly --quick    a few images and steps, to see that it runs

The network, the calibration images and the test images are those of experiments.resnet20_conversion.  Thresholds of
rate coding come from all calibration images in one batch, so that they are the largest activation, or the percentile,
of all of them; in several batches SpikingJelly averages those of the batches.  Local threshold balancing moves a
threshold once in each batch, and goes through the calibration images until it has seen about as many batches as in
SpikingJelly's example.  Logits are added over the steps, as in SpikingJelly's examples, and the potentials are reset
between batches of test images; one run serves every T.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import typer
from rich.table import Table
from spikingjelly.activation_based import ann2snn, functional
from torch import Tensor, nn

from experiments import resnet20_conversion
from experiments.provenance import RESULTS
from experiments.resnet20_conversion import Data, sources
from experiments.rows import Job, by_steps, command, fill, percent
from snnkit.models import resnet20
from snnkit.models.resnet import BasicBlock, OptionA, ResNet

OUTPUT = RESULTS / "resnet20_spikingjelly.json"
Batches = list[tuple[Tensor]]


@dataclass(frozen=True)
class Sizes:
    """How much is run; local threshold balancing sees the calibration images in batches, several times."""

    images: int = 1000
    calibration: int = 256
    balancing_batch: int = 32
    balancing_passes: int = 49
    steps: tuple[int, ...] = (4, 8, 16, 32, 64, 128)
    batch: int = 100
    seed: int = 0


QUICK = Sizes(images=10, calibration=8, balancing_passes=2, steps=(2, 4), batch=10)


@dataclass(frozen=True)
class Recipe:
    """One of SpikingJelly's recipes, with ``granularity`` and ``rounding`` in this package's words."""

    name: str
    thresholds: str
    granularity: str
    rounding: str
    build: Callable[[Data, Sizes], object]


def at_once(data: Data) -> Batches:
    """All calibration images in one batch."""
    return [(data.calibration,)]


def recipes() -> tuple[Recipe, ...]:
    """Rate coding with one threshold for each layer, the variant for channels, and local threshold balancing."""

    def layer(mode: str) -> Callable[[Data, Sizes], object]:
        return lambda data, sizes: ann2snn.RateCodingRecipe(at_once(data), mode=mode)

    def channel(data: Data, sizes: Sizes) -> object:
        return ann2snn.RateCodingRecipe(at_once(data), mode="99.9%", channel_wise=True, half_threshold=True)

    def balanced(data: Data, sizes: Sizes) -> object:
        parts = [(part,) for part in data.calibration.split(sizes.balancing_batch)]
        return ann2snn.LocalThresholdBalancingRecipe(parts * sizes.balancing_passes)

    return (
        Recipe("rate coding", "max", "layer", "floor", layer("max")),
        Recipe("local threshold balancing", "balanced", "channel", "v0", balanced),
        Recipe("rate coding", "99.9%", "channel", "v0", channel),
        Recipe("rate coding", "99.9%", "layer", "floor", layer("99.9%")),
    )


def shortcut(inputs: int, option: OptionA) -> nn.Conv2d:
    """The same shortcut as a convolution with weights 0 and 1, since SpikingJelly's converter refuses ``F.pad``."""
    conv = nn.Conv2d(inputs, inputs + option.before + option.after, 1, stride=2, bias=False)
    nn.init.zeros_(conv.weight)
    for channel in range(inputs):
        nn.init.ones_(conv.weight[option.before + channel, channel])
    return conv


def accepted(model: ResNet) -> ResNet:
    """A copy that SpikingJelly's converter accepts, and that computes the same."""
    model = copy.deepcopy(model)
    for block in model.modules():
        if isinstance(block, BasicBlock) and isinstance(block.shortcut, OptionA):
            conv = block.conv1
            block.shortcut = shortcut(conv.in_channels, block.shortcut).to(conv.weight.dtype)
    return model


def converted(model: ResNet, recipe: Recipe, data: Data, sizes: Sizes) -> nn.Module:
    """SpikingJelly's network; the model is not changed."""
    with redirect_stderr(io.StringIO()):
        found = ann2snn.FXConverter(recipe.build(data, sizes)).convert(accepted(model))
    return found.eval()


@torch.no_grad()
def correct_counts(network: nn.Module, data: Data, steps: tuple[int, ...], batch: int) -> dict[int, int]:
    """How many images are classified correctly by the sum of the logits of the first T steps."""
    correct = dict.fromkeys(steps, 0)
    for images, labels in zip(data.images.split(batch), data.labels.split(batch), strict=True):
        functional.reset_net(network)
        total = torch.zeros(())
        for done in range(1, max(steps) + 1):
            total = total + network(images)
            if done in correct:
                correct[done] += int((total.argmax(1) == labels).sum())
    return correct


class Experiment:
    """The images, and the runs that serve every T."""

    def __init__(self, sizes: Sizes, root: Path | None, weights: Path) -> None:
        self.sizes, self.model = sizes, resnet20(weights)
        same = resnet20_conversion.Sizes(images=sizes.images, calibration=sizes.calibration)
        self.data = resnet20_conversion.load(same, sizes.seed, root)
        self.runs: dict[Recipe, dict[int, int]] = {}

    def row(self, recipe: Recipe, steps: int) -> dict[str, Any]:
        """Accuracy after ``steps``."""
        if recipe not in self.runs:
            network = converted(self.model, recipe, self.data, self.sizes)
            self.runs[recipe] = correct_counts(network, self.data, self.sizes.steps, self.sizes.batch)
        right, images = self.runs[recipe][steps], len(self.data.labels)
        return {"accuracy": right / images, "images": images}


def jobs(experiment: Experiment) -> list[Job]:
    """All rows, recipe by recipe."""
    found = []
    for recipe in recipes():
        key = {name: getattr(recipe, name) for name in ("thresholds", "granularity", "rounding")}
        for steps in experiment.sizes.steps:
            identity = {"recipe": recipe.name, **key, "steps": steps}
            found.append(Job(identity, partial(experiment.row, recipe, steps)))
    return found


def run(
    sizes: Sizes, output: Path, *, root: Path | None = None, progress: bool = True
) -> list[dict[str, Any]]:
    """Fill ``output``, see :func:`experiments.rows.fill`; what is not there raises ``FileNotFoundError``."""
    weights, used = sources(root)
    settings = asdict(sizes)
    del settings["steps"]  # more of them may be added to a file
    return fill(
        output,
        jobs(Experiment(sizes, root, weights)),
        seed=settings.pop("seed"),
        data=used,
        settings=settings,
        progress=progress,
    )


def table(rows: list[dict[str, Any]]) -> Table:
    """Accuracy in percent, a line per recipe and a column per T."""
    return by_steps(rows, ("recipe", "thresholds", "granularity", "rounding"), percent)


main = command("Convert ResNet-20 with SpikingJelly's own recipes.", run, table, Sizes(), QUICK, OUTPUT)


if __name__ == "__main__":
    typer.run(main)
