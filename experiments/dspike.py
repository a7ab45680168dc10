"""Dspike: temperatures that are fixed, and one that follows the finite-difference gradient, on N-MNIST and CIFAR-10.

    python -m experiments.dspike            all rows, goes on where it was stopped
    python -m experiments.dspike --quick    a few recordings and images, to see that it runs

The threshold is 1/2, for which the window of Dspike is that of its authors, from 0 to twice the threshold; drives are
halved with it.  The adaptive runs look at one fixed batch of training data before each epoch and sample weights of the
first layer.  Accuracy is that of the last epoch, on recordings and images that were not trained on.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from experiments.nmnist_surrogates import measuring_batches, sparse, training_batches, zero_share
from experiments.provenance import RESULTS, files
from experiments.rows import Job, command, fill
from snnkit.datasets import cifar10, find, nmnist
from snnkit.dspike import TemperatureController
from snnkit.layers import LIF, DeadLayerWarning
from snnkit.models import FiringRate, small_spiking_cnn, two_layer_event_snn
from snnkit.surrogate import Dspike
from snnkit.training import Batches, evaluate, fit, mse_to_one_hot, set_seed, split_indices

OUTPUT = RESULTS / "dspike.json"
THRESHOLD = 0.5


@dataclass(frozen=True)
class Sizes:
    """How much is run."""

    recordings: int = 1000
    hidden: int = 800
    frames: int = 10
    epochs: int = 12
    images: int = 4000
    test_images: int = 1000
    width: int = 16
    image_steps: int = 4
    image_epochs: int = 6
    batch: int = 64
    lr: float = 1e-3
    gain: float = 0.75
    image_gain: float = 1.5
    start: float = 3.0
    change: float = 1.0
    samples: int = 32
    temperatures: tuple[float, ...] = (0.5, 1.0, 3.0, 10.0, 30.0)
    image_temperatures: tuple[float, ...] = (1.0, 3.0, 10.0)
    differences: tuple[float, ...] = (0.03, 0.3)
    image_differences: tuple[float, ...] = (0.1,)
    seeds: tuple[int, ...] = (0, 1, 2)
    image_seeds: tuple[int, ...] = (0, 1)


QUICK = Sizes(
    recordings=40,
    hidden=16,
    frames=2,
    epochs=1,
    images=32,
    test_images=16,
    width=2,
    image_steps=2,
    image_epochs=1,
    samples=2,
    temperatures=(3.0,),
    image_temperatures=(3.0,),
    differences=(0.3,),
    seeds=(0,),
    image_seeds=(0,),
)


def neuron(b: float) -> LIF:
    """A neuron with the threshold 1/2."""
    return LIF(0.5, THRESHOLD, Dspike(b), detach_reset=True)


def learn(
    model: nn.Module,
    first: nn.Parameter,
    batches: Batches,
    loss: Callable[[Tensor, Tensor], Tensor],
    sizes: Sizes,
    epochs: int,
    difference: float,
    seed: int,
) -> dict[str, Any]:
    """Train; with a ``difference`` above 0 the temperature is chosen before each epoch."""
    spent, forwards, path = 0.0, 0, []
    if difference:
        controller = TemperatureController(
            model,
            first,
            b=sizes.start,
            change=sizes.change,
            step=difference,
            samples=sizes.samples,
            generator=torch.Generator().manual_seed(seed),
        )
        inputs, labels = next(iter(Batches(batches.frames, batches.labels, sizes.batch, shuffle=False)))

    def choose(*_: object) -> None:
        nonlocal spent, forwards
        if not difference or len(path) == epochs:
            return
        begun = time.perf_counter()
        choice = controller.update(lambda: loss(model(inputs), labels))
        spent, forwards = spent + time.perf_counter() - begun, forwards + choice.forwards
        path.append(choice.b)

    choose()
    with warnings.catch_warnings():  # a dead network is one of the results here
        warnings.simplefilter("ignore", DeadLayerWarning)
        history = fit(
            model, batches, epochs=epochs, lr=sizes.lr, loss=loss, after_epoch=choose, progress=False
        )
    return {
        "loss": round(history.loss[-1], 5),
        "train_seconds": round(sum(history.seconds), 1),
        "choice_seconds": round(spent, 1),
        "choice_forwards": forwards,
        "train_forwards": epochs * len(batches),
        "path": path,
    }


class Recordings:
    """N-MNIST, the two-layer network of the other experiments."""

    def __init__(self, sizes: Sizes, root: Path | None) -> None:
        data = nmnist(root, "train", sizes.recordings)
        self.sizes, self.frames = sizes, data.frames_by_count(sizes.frames)
        self.labels = torch.from_numpy(data.labels)

    def row(self, b: float, difference: float, seed: int) -> dict[str, Any]:
        set_seed(seed)
        sizes = self.sizes
        chosen, held_out = split_indices(len(self.labels), 0.2, seed=seed)
        model = two_layer_event_snn(
            hidden=sizes.hidden,
            neuron=partial(neuron, b),
            readout=FiringRate(neuron(b)),
            dropout=0.0,
            gain=sizes.gain,
        )
        batches = training_batches(
            sparse(self.frames[chosen.numpy()]), self.labels[chosen], sizes.batch, seed
        )
        validation = measuring_batches(sparse(self.frames[held_out.numpy()]), self.labels[held_out])
        first = model.get_submodule("first").weight
        assert isinstance(first, nn.Parameter)
        learnt = learn(model, first, batches, mse_to_one_hot, sizes, sizes.epochs, difference, seed)
        return {
            "accuracy": evaluate(model, validation),
            "zero_share": round(zero_share(model, validation), 4),
            **learnt,
        }


class Images:
    """CIFAR-10, a small convolutional network that sees the same image at every step."""

    def __init__(self, sizes: Sizes, root: Path | None) -> None:
        self.sizes = sizes
        self.train = cifar10(root, "train", sizes.images).tensors()
        self.test = cifar10(root, "test", sizes.test_images).tensors()

    def batches(self, data: tuple[Tensor, Tensor], seed: int, shuffle: bool) -> Batches:
        images, labels = data
        repeated = images[:, None].expand(-1, self.sizes.image_steps, -1, -1, -1)
        generator = torch.Generator().manual_seed(seed)
        return Batches(repeated, labels, self.sizes.batch, shuffle=shuffle, generator=generator)

    def row(self, b: float, difference: float, seed: int) -> dict[str, Any]:
        set_seed(seed)
        sizes = self.sizes
        model = small_spiking_cnn(3, 32, width=sizes.width, neuron=partial(neuron, b), gain=sizes.image_gain)
        first = next(p for p in model.get_submodule("conv1").parameters() if p.dim() == 4)
        batches = self.batches(self.train, seed, True)
        learnt = learn(
            model, first, batches, functional.cross_entropy, sizes, sizes.image_epochs, difference, seed
        )
        return {"accuracy": evaluate(model, self.batches(self.test, seed, False)), **learnt}


def jobs(recordings: Recordings, images: Images, sizes: Sizes) -> Iterator[Job]:
    """All rows; a difference of 0 is a fixed temperature."""

    def job(data: str, source: Recordings | Images, b: float, difference: float, seed: int) -> Job:
        key = {"data": data, "b": b, "difference": difference, "seed": seed}
        return Job(key, partial(source.row, b, difference, seed))

    for seed in sizes.seeds:
        for b in sizes.temperatures:
            yield job("nmnist", recordings, b, 0.0, seed)
        for difference in sizes.differences:
            yield job("nmnist", recordings, sizes.start, difference, seed)
    for seed in sizes.image_seeds:
        for b in sizes.image_temperatures:
            yield job("cifar10", images, b, 0.0, seed)
        for difference in sizes.image_differences:
            yield job("cifar10", images, sizes.start, difference, seed)


def run(
    sizes: Sizes, output: Path, *, root: Path | None = None, progress: bool = True
) -> list[dict[str, Any]]:
    """Fill ``output``; the rows, in order.

    Raises:
        DataNotFoundError: If N-MNIST or CIFAR-10 is not there.
        ValueError: If ``output`` was made with other sizes.
    """
    events, photographs = find("nmnist", root), find("cifar10", root)
    used = files("nmnist", events, "*.zip")
    used |= files("cifar10", photographs, "train_1*.npz", "test_*.npz")
    work = list(jobs(Recordings(sizes, root), Images(sizes, root), sizes))
    return fill(output, work, seed=sizes.seeds[0], data=used, settings=asdict(sizes), progress=progress)


def table(rows: list[dict[str, Any]]) -> Table:
    """Means over the seeds."""
    result = Table("data", "temperature", "seeds", "accuracy (%)", "last b", "forwards to choose / to learn")
    lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        how = f"h = {row['difference']:g}" if row["difference"] else f"b = {row['b']:g}"
        lines.setdefault((row["data"], how), []).append(row)
    for key, found in lines.items():
        accuracy = 100 * np.array([row["accuracy"] for row in found])
        spread = f" +- {accuracy.std(ddof=1):.1f}" if len(found) > 1 else ""
        last = ", ".join(f"{row['path'][-1]:g}" for row in found if row["path"])
        cost = f"{found[0]['choice_forwards']} / {found[0]['train_forwards']}"
        result.add_row(*key, str(len(found)), f"{accuracy.mean():.1f}{spread}", last, cost)
    return result


main = command(
    "Train with fixed and with adaptive temperatures of Dspike.", run, table, Sizes(), QUICK, OUTPUT
)


if __name__ == "__main__":
    typer.run(main)
