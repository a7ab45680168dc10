"""Surrogate gradients on real N-MNIST recordings: families, sweeps, zero-gradient share, and a simulation's worth.

    python -m experiments.nmnist_surrogates            all rows, goes on where it was stopped
    python -m experiments.nmnist_surrogates --quick    a few recordings, to see that it runs

Every row trains 2312-800-10 with spiking hidden and output neurons on 800 of the first 1,000 training recordings and
measures on the other 200 (another split for each seed), and on the first 100 test recordings.  The accuracy is that
of the last epoch; nothing is chosen by it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from rich.table import Table
from torch import Tensor, nn

from experiments.provenance import RESULTS, files
from experiments.rows import Job, command, fill
from snnkit.datasets import find, mnist, nmnist
from snnkit.events import Camera
from snnkit.events import frames_by_count as count_frames
from snnkit.layers import LIF, DeadLayerWarning
from snnkit.models import FiringRate, two_layer_event_snn
from snnkit.sparse import EventFrames, shift_events
from snnkit.surrogate import FAMILIES, Surrogate, Triangle, zero_gradient_share
from snnkit.training import Batches, evaluate, fit, set_seed, split_indices

OUTPUT = RESULTS / "nmnist_surrogates.json"

FAMILY_ROWS: tuple[tuple[str, dict[str, float]], ...] = (
    ("Sigmoid", {"alpha": 4.0}),
    ("ATan", {"alpha": 2.0}),
    ("Erf", {"alpha": 2.0}),
    ("SoftSign", {"alpha": 2.0}),
    ("Exponential", {"alpha": 2.0}),
    ("PiecewiseQuadratic", {"alpha": 1.0}),
    ("Sine", {"alpha": 1.0}),
    ("Power", {"alpha": 0.5}),
    ("Dspike", {"b": 3.0}),
)
SWEEPS: dict[str, tuple[float, ...]] = {
    "Sigmoid": (1.0, 2.0, 8.0, 16.0),
    "PiecewiseQuadratic": (0.25, 0.5, 2.0, 4.0),
    "Sine": (0.25, 0.5, 2.0, 4.0),
    "Power": (0.25, 0.75, 1.0),
}
WIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Sizes:
    """How much is run."""

    recordings: int = 1000
    test: int = 100
    simulated: int = 10_000
    hidden: int = 800
    steps: int = 10
    batch: int = 64
    epochs: int = 12
    simulated_epochs: int = 3
    lr: float = 1e-3
    gain: float = 1.5
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    sweep_seeds: tuple[int, ...] = (0, 1, 2)


QUICK = Sizes(
    recordings=40,
    test=10,
    simulated=40,
    hidden=16,
    steps=2,
    epochs=1,
    simulated_epochs=1,
    seeds=(0,),
    sweep_seeds=(0,),
)


def sparse(frames: np.ndarray[Any, Any]) -> EventFrames:
    """Frames of counts as log(1 + count), without the zeros."""
    return EventFrames.from_dense(frames, np.log1p)


def training_batches(frames: EventFrames, labels: Tensor, size: int, seed: int) -> Batches:
    """Recordings to learn from, shuffled and shifted by up to a pixel."""
    return Batches(
        frames,
        labels,
        size,
        generator=torch.Generator().manual_seed(seed),
        augment=lambda x, g: shift_events(x, 1, g),
    )


def measuring_batches(frames: EventFrames, labels: Tensor) -> Batches:
    """Recordings to measure on, as they are."""
    return Batches(frames, labels, 100, shuffle=False)


class Recordings:
    """Real frames, and simulated ones when they are asked for."""

    def __init__(self, sizes: Sizes, root: Path | None = None) -> None:
        self.sizes, self.root = sizes, root
        train = nmnist(root, "train", sizes.recordings)
        test = nmnist(root, "test", sizes.test)
        self.frames = train.frames_by_count(sizes.steps)
        self.labels = torch.from_numpy(train.labels)
        self.test = sparse(test.frames_by_count(sizes.steps))
        self.test_labels = torch.from_numpy(test.labels)

    @cached_property
    def simulated(self) -> tuple[EventFrames, Tensor]:
        """The last images of MNIST's training set, none of which is among the real recordings, as the camera sees
        them."""
        data = mnist(self.root, "train")
        images, labels = data.images[-self.sizes.simulated :, 0], data.labels[-self.sizes.simulated :]
        camera = Camera()
        blocks = []
        for start in range(0, len(images), 500):
            events = camera.record(images[start : start + 500], start)
            blocks.append(np.stack([count_frames(e, self.sizes.steps, 34, 34) for e in events]))
        return sparse(np.concatenate(blocks)), torch.from_numpy(labels)


def network(sizes: Sizes, surrogate: Surrogate, *, spiking_output: bool = True) -> nn.Sequential:
    """2312-800-10; hidden and output neurons share the surrogate."""

    def neuron() -> LIF:
        return LIF(surrogate=surrogate, detach_reset=True)

    readout = FiringRate(neuron()) if spiking_output else None
    return two_layer_event_snn(
        hidden=sizes.hidden, neuron=neuron, readout=readout, dropout=0.0, gain=sizes.gain
    )


def ann(sizes: Sizes) -> nn.Sequential:
    """The same layers with ReLU on each frame and the mean of the outputs: no memory between frames."""
    return two_layer_event_snn(hidden=sizes.hidden, neuron=nn.ReLU, dropout=0.5, gain=1.0)


@torch.no_grad()
def zero_share(model: nn.Sequential, batches: Batches) -> float:
    """Share of (hidden neuron, step) pairs at which the surrogate's slope is exactly 0."""
    first, neuron = model.get_submodule("first"), model.get_submodule("neuron")
    assert isinstance(neuron, LIF)
    shares, weights = [], []
    for inputs, labels in batches:
        charges = []
        v: Tensor | float = 0.0
        for current in first(inputs):
            charge = neuron.decay * v + current
            v = charge - neuron.threshold * (charge >= neuron.threshold).to(charge.dtype)
            charges.append(charge - neuron.threshold)
        shares.append(zero_gradient_share(neuron.surrogate, torch.stack(charges)))
        weights.append(len(labels))
    return float(np.average(shares, weights=weights))


def train(model: nn.Sequential, data: Recordings, sizes: Sizes, seed: int, slopes: bool) -> dict[str, Any]:
    """Train on one split; accuracy and, with ``slopes``, zero-gradient share before and after."""
    chosen, held_out = split_indices(len(data.labels), 0.2, seed=seed)
    batches = training_batches(sparse(data.frames[chosen.numpy()]), data.labels[chosen], sizes.batch, seed)
    validation = measuring_batches(sparse(data.frames[held_out.numpy()]), data.labels[held_out])
    row: dict[str, Any] = {}
    if slopes:
        row["zero_share_before"] = round(zero_share(model, validation), 4)
    history = fit(model, batches, epochs=sizes.epochs, lr=sizes.lr, progress=False)
    row["accuracy"] = evaluate(model, validation)
    row["test_accuracy"] = evaluate(model, measuring_batches(data.test, data.test_labels))
    row["loss"] = round(history.loss[-1], 5)
    if slopes:
        row["zero_share_after"] = round(zero_share(model, validation), 4)
    return row


def train_simulated(data: Recordings, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Train on simulated recordings only; measure on all real training recordings and on the real test ones."""
    frames, labels = data.simulated
    model = network(sizes, FAMILIES["ATan"](alpha=2.0))
    generator = torch.Generator().manual_seed(seed)
    batches = Batches(
        frames,
        labels,
        sizes.batch,
        generator=generator,
        augment=lambda x, g: shift_events(x, 1, g),
    )
    history = fit(model, batches, epochs=sizes.simulated_epochs, lr=sizes.lr, progress=False)
    real = Batches(sparse(data.frames), data.labels, 100, shuffle=False)
    return {
        "accuracy": evaluate(model, real),
        "test_accuracy": evaluate(model, measuring_batches(data.test, data.test_labels)),
        "loss": round(history.loss[-1], 5),
    }


def jobs(data: Recordings, sizes: Sizes) -> Iterator[Job]:
    """All rows: families, sweeps, height held fixed, other readout, a network without spikes, the simulation."""

    def surrogate_row(group: str, name: str, parameters: dict[str, float], seed: int, linear: bool) -> Job:
        def work() -> dict[str, Any]:
            set_seed(seed)
            surrogate = Triangle(**parameters) if name == "Triangle" else FAMILIES[name](**parameters)
            with warnings.catch_warnings():  # a dead network is one of the results here
                warnings.simplefilter("ignore", DeadLayerWarning)
                return train(network(sizes, surrogate, spiking_output=not linear), data, sizes, seed, True)

        return Job({"group": group, "surrogate": name, "parameters": parameters, "seed": seed}, work)

    def ann_row(seed: int) -> Job:
        def work() -> dict[str, Any]:
            set_seed(seed)
            return train(ann(sizes), data, sizes, seed, False)

        return Job({"group": "frame network", "surrogate": "ReLU", "parameters": {}, "seed": seed}, work)

    def simulated_row(seed: int) -> Job:
        def work() -> dict[str, Any]:
            set_seed(seed)
            return train_simulated(data, sizes, seed)

        key = {"group": "simulated", "surrogate": "ATan", "parameters": {"alpha": 2.0}, "seed": seed}
        return Job(key, work)

    for seed in sizes.seeds:
        for name, parameters in FAMILY_ROWS:
            yield surrogate_row("family", name, parameters, seed, False)
        yield ann_row(seed)
    for seed in sizes.sweep_seeds:
        yield simulated_row(seed)
        for width in WIDTHS:
            yield surrogate_row("height fixed", "Triangle", {"width": width, "peak": 1.0}, seed, False)
        for name, values in SWEEPS.items():
            for value in values:
                yield surrogate_row("sweep", name, {"alpha": value}, seed, False)
        yield surrogate_row("linear readout", "ATan", {"alpha": 2.0}, seed, True)


def run(
    sizes: Sizes, output: Path, *, root: Path | None = None, progress: bool = True
) -> list[dict[str, Any]]:
    """Fill ``output``; the rows, in order.

    Raises:
        DataNotFoundError: If N-MNIST or MNIST is not there.
        ValueError: If ``output`` was made with other sizes.
    """
    folder, digits = find("nmnist", root), find("mnist", root)
    used = files("nmnist", folder, "*.zip")
    used |= files("mnist", digits, "train*.gz")
    data = Recordings(sizes, root)
    return fill(
        output,
        list(jobs(data, sizes)),
        seed=sizes.seeds[0],
        data=used,
        settings=asdict(sizes),
        progress=progress,
    )


def table(rows: list[dict[str, Any]]) -> Table:
    """Mean accuracy over the seeds, in percent, with the sample standard deviation."""
    result = Table(
        "group", "surrogate", "parameters", "seeds", "held out", "test", "zero slope before", "after"
    )
    lines: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        parameters = ", ".join(f"{k} = {v:g}" for k, v in row["parameters"].items())
        lines.setdefault((row["group"], row["surrogate"], parameters), []).append(row)
    for key, found in lines.items():
        accuracy = 100 * np.array([row["accuracy"] for row in found])
        spread = f" +- {accuracy.std(ddof=1):.1f}" if len(found) > 1 else ""
        test = 100 * np.mean([row["test_accuracy"] for row in found])
        shares = [
            f"{np.mean([row[name] for row in found]):.3f}" if name in found[0] else ""
            for name in ("zero_share_before", "zero_share_after")
        ]
        result.add_row(*key, str(len(found)), f"{accuracy.mean():.1f}{spread}", f"{test:.1f}", *shares)
    return result


main = command(
    "Train the two-layer network on N-MNIST with many surrogates.", run, table, Sizes(), QUICK, OUTPUT
)


if __name__ == "__main__":
    typer.run(main)
