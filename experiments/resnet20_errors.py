"""Errors of the converted ResNet-20 layer by layer, and what remedies against unevenness make of its accuracy.

    python -m experiments.resnet20_errors            all rows, goes on where it was stopped
    python -m experiments.resnet20_errors --quick    a few images and steps, to see that it runs

Every number of steps has a network of its own: thresholds adaptive for each channel and for that T, fitted on 512
training images, with v(0) of half of them.  The pre-run of a remedy takes T steps too, so that its answer after 2 T
steps competes with the plain network of 2 T, which is run as well.  Accuracy is measured on the first 1,000 test
images, errors on the first 200 of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from torch import Tensor, nn

from experiments.provenance import RESULTS
from experiments.resnet20_conversion import sources
from experiments.rows import Job, command, fill
from experiments.spiking_rows import Spiking, accuracies, plain, remedies
from snnkit.conversion import Adaptive, InitialPotential, SpikingNetwork, convert, set_thresholds
from snnkit.datasets import cifar10
from snnkit.models import normalise, resnet20

OUTPUT = RESULTS / "resnet20_errors.json"


@dataclass(frozen=True)
class Sizes:
    """How much is run; remedies and layers at ``steps``, the plain network at twice as many too."""

    images: int = 1000
    layer_images: int = 200
    thresholds: int = 512
    steps: tuple[int, ...] = (8, 32)
    batch: int = 100

    @property
    def plain_steps(self) -> list[int]:
        return sorted({*self.steps, *(2 * steps for steps in self.steps)})


QUICK = Sizes(images=8, layer_images=4, thresholds=8, steps=(2,), batch=8)


class Network(Spiking):
    """ResNet-20 with the thresholds of one T."""

    def __init__(
        self, model: nn.Module, calibration: Tensor, steps: int, test: tuple[Tensor, Tensor], sizes: Sizes
    ) -> None:
        super().__init__(*test, sizes.batch, sizes.layer_images)
        self.model, self.calibration, self.steps = model, calibration, steps

    def build(self) -> SpikingNetwork:
        network = convert(self.model)
        rule = Adaptive(self.steps, per_channel=True)
        set_thresholds(network, self.calibration, rule, InitialPotential(), progress=False)
        return network


def jobs(networks: list[Network], sizes: Sizes) -> list[Job]:
    """All rows; the dear ones come last."""
    found = []

    def add(kind: str, method: str, steps: int, work: Callable[[], dict[str, Any]]) -> None:
        found.append(Job({"kind": kind, "method": method, "steps": steps}, work))

    add("accuracy", "before conversion", 0, networks[0].analog)
    for network in networks:
        add("accuracy", "no unevenness", network.steps, partial(network.without_unevenness, network.steps))
    chosen = [network for network in networks if network.steps in sizes.steps]
    for network in chosen:
        add("layers", "plain", network.steps, partial(network.layers, network.steps))
    for network in networks:
        t = network.steps
        add("accuracy", "plain", t, partial(network.spiking, plain((t,)), t))
    for network in chosen:
        t = network.steps
        for method in remedies(t, (t,)):
            add("accuracy", method.name, t, partial(network.spiking, method, t))
    return found


def run(
    sizes: Sizes, output: Path, *, root: Path | None = None, progress: bool = True
) -> list[dict[str, Any]]:
    """Fill ``output``, see :func:`experiments.rows.fill`; what is not there raises ``FileNotFoundError``."""
    weights, used = sources(root)
    model = resnet20(weights)
    pool, _ = cifar10(root, "train", sizes.thresholds).tensors()
    images, labels = cifar10(root, "test", sizes.images).tensors()
    test = normalise(images), labels
    networks = [Network(model, normalise(pool), steps, test, sizes) for steps in sizes.plain_steps]
    return fill(output, jobs(networks, sizes), seed=0, data=used, settings=asdict(sizes), progress=progress)


def table(rows: list[dict[str, Any]]) -> Table:
    """Accuracy in percent, with the steps of the pre-run where there is one."""
    return accuracies(rows, ("method",))


main = command("Measure errors and remedies on the converted ResNet-20.", run, table, Sizes(), QUICK, OUTPUT)


if __name__ == "__main__":
    typer.run(main)
