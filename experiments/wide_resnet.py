"""The QCFS WideResNets as spiking networks on CIFAR-10: accuracy against latency, and unevenness layer by layer.

    python -m experiments.wide_resnet            all rows, goes on where it was stopped
    python -m experiments.wide_resnet --quick    a few images and steps, to see that it runs

The networks are those that come with snnkit; the images are the first 1,000 test images.  Nothing is chosen by them:
thresholds and v(0) are the trained clips and their halves.  Latency is counted as experiments.spiking_rows says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from torch import Tensor

from experiments.provenance import RESULTS, files
from experiments.rows import Job, command, fill
from experiments.spiking_rows import Method, Spiking, accuracies, offsets, plain, remedies
from snnkit.conversion import SpikingNetwork, convert
from snnkit.datasets import cifar10, find
from snnkit.models import normalise, pretrained, pretrained_names

OUTPUT = RESULTS / "wide_resnet.json"
ASSETS = Path(__file__).resolve().parents[1] / "snnkit" / "assets"


@dataclass(frozen=True)
class Sizes:
    """How much is run."""

    images: int = 1000
    layer_images: int = 200
    steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    remedy_steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    offset_steps: tuple[int, ...] = (1, 2, 4, 8)
    offset_levels: int = 4  # more levels take more than a hundred steps before the first answer
    layer_steps: tuple[int, ...] = (4, 8, 32)
    batch: int = 100


QUICK = Sizes(
    images=8, layer_images=4, steps=(1, 2), remedy_steps=(1, 2), offset_steps=(1,), layer_steps=(2,), batch=8
)


def methods(levels: int, sizes: Sizes) -> tuple[Method, ...]:
    """The remedies, the dear ones last; their pre-runs take as many steps as the network has levels."""
    layer_by_layer = sizes.offset_steps if levels <= sizes.offset_levels else ()
    return (
        plain(sizes.steps),
        *remedies(levels, sizes.remedy_steps),
        Method("COS, layer by layer", offsets(levels), layer_by_layer),
    )


class Network(Spiking):
    """One of the networks that come with snnkit."""

    def __init__(self, name: str, images: Tensor, labels: Tensor, sizes: Sizes) -> None:
        super().__init__(images, labels, sizes.batch, sizes.layer_images)
        self.name = name

    def build(self) -> SpikingNetwork:
        return convert(pretrained(self.name))

    @property
    def levels(self) -> int:
        activation = next(iter(self.network.neurons()))
        return int(self.network.activation(activation).levels)  # type: ignore[arg-type]


def jobs(networks: list[Network], sizes: Sizes) -> list[Job]:
    """All rows; the dear ones come last."""
    found = []

    def add(network: Network, kind: str, method: str, steps: int, work: Callable[[], dict[str, Any]]) -> None:
        found.append(Job({"network": network.name, "kind": kind, "method": method, "steps": steps}, work))

    for network in networks:
        add(network, "accuracy", "before conversion", 0, network.analog)
        for steps in sizes.steps:
            add(network, "accuracy", "no unevenness", steps, partial(network.without_unevenness, steps))
        for steps in sizes.layer_steps:
            add(network, "layers", "plain", steps, partial(network.layers, steps))
    for ways in zip(*(methods(network.levels, sizes) for network in networks), strict=True):
        for network, method in zip(networks, ways, strict=True):
            for steps in method.steps:
                add(network, "accuracy", method.name, steps, partial(network.spiking, method, steps))
    return found


def run(
    sizes: Sizes,
    output: Path,
    *,
    names: tuple[str, ...] = (),
    root: Path | None = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Fill ``output``, see :func:`experiments.rows.fill`; what is not there raises ``FileNotFoundError``."""
    folder = find("cifar10", root)
    images, labels = cifar10(root, "test", sizes.images).tensors()
    chosen = names or pretrained_names()
    networks = [Network(name, normalise(images), labels, sizes) for name in chosen]
    used = files("cifar10", folder, "test_*.npz")
    used |= {f"snnkit/assets/{name}.safetensors": ASSETS / f"{name}.safetensors" for name in chosen}
    return fill(output, jobs(networks, sizes), seed=0, data=used, settings=asdict(sizes), progress=progress)


def table(rows: list[dict[str, Any]]) -> Table:
    """Accuracy in percent, with the latency where it is not T."""
    return accuracies(rows, ("network", "method"))


main = command("Run the QCFS WideResNets as spiking networks.", run, table, Sizes(), QUICK, OUTPUT)


if __name__ == "__main__":
    typer.run(main)
