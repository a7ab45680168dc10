"""Accuracy of the converted ResNet-20 on CIFAR-10 against the number of time steps, method by method.

    python -m experiments.resnet20_conversion            all rows, goes on where it was stopped
    python -m experiments.resnet20_conversion --quick    a few images and steps, to see that it runs

Thresholds and corrections see training images only; the accuracy is measured on the first 1,000 test images.
A method that does not depend on T is run once, and its running mean gives the row of every T.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from tqdm import tqdm

from experiments.provenance import RESULTS, Clock, files, provenance, read, write
from experiments.rows import Folder, Output, Quick, by_steps, destination, percent
from snnkit.conversion import (
    Adaptive,
    BiasCorrection,
    BiasShift,
    Correction,
    Floor,
    InitialPotential,
    Maximum,
    Percentile,
    PotentialCorrection,
    Rounding,
    SpikingNetwork,
    ThresholdRule,
    WeightCalibration,
    calibrate,
    convert,
    set_thresholds,
)
from snnkit.datasets import cifar10, find
from snnkit.models import normalise, resnet20

OUTPUT = RESULTS / "resnet20_conversion.json"
WEIGHTS = "resnet20_cifar10_relu.npz"
STEPS = (4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Setting:
    """One line of the table; ``per_steps`` if anything in it depends on T."""

    method: str
    granularity: str
    rounding: str
    rule: Callable[[int], ThresholdRule]
    centre: Callable[[int], Rounding]
    corrections: tuple[Correction, ...] = ()
    per_steps: bool = True

    def network(self, model: nn.Module, images: Tensor, steps: int, progress: bool) -> SpikingNetwork:
        network = convert(model)
        set_thresholds(network, images, self.rule(steps), self.centre(steps), progress=progress)
        if self.corrections:
            calibrate(network, images, steps, *self.corrections, progress=progress)
        return network


def settings(iterations: int = 200) -> tuple[Setting, ...]:
    """The lines of the table; the corrections start from adaptive thresholds per channel with v(0) = theta/2."""

    def floor(steps: int) -> Rounding:
        return Floor()

    def v0(steps: int) -> Rounding:
        return InitialPotential()

    def channel(steps: int) -> ThresholdRule:
        return Adaptive(steps, per_channel=True)

    def corrected(name: str, *corrections: Correction) -> Setting:
        return Setting(name, "channel", "v0", channel, v0, corrections)

    return (
        Setting("maximum", "layer", "floor", lambda t: Maximum(), floor, per_steps=False),
        Setting("maximum", "layer", "v0", lambda t: Maximum(), v0, per_steps=False),
        Setting("percentile", "layer", "v0", lambda t: Percentile(99.9), v0, per_steps=False),
        Setting("shift", "layer", "shift", lambda t: Maximum(), BiasShift),
        Setting("adaptive", "layer", "v0", lambda t: Adaptive(t), v0),
        Setting("adaptive", "channel", "v0", channel, v0),
        corrected("adaptive + BC", BiasCorrection()),
        corrected("adaptive + PC", PotentialCorrection()),
        corrected("adaptive + BC + PC", BiasCorrection(), PotentialCorrection()),
        corrected("adaptive + WC", WeightCalibration(iterations)),
        Setting("percentile", "layer", "floor", lambda t: Percentile(99.9), floor, per_steps=False),
    )


@dataclass(frozen=True)
class Sizes:
    """How much is run."""

    images: int = 1000
    calibration: int = 256
    iterations: int = 200
    steps: tuple[int, ...] = STEPS
    batch: int = 100


QUICK = Sizes(images=20, calibration=8, iterations=2, steps=(2, 4), batch=20)


@dataclass(frozen=True)
class Data:
    """Test images with labels, and calibration images drawn from the training set."""

    images: Tensor
    labels: Tensor
    calibration: Tensor


def sources(root: Path | None) -> tuple[Path, dict[str, Path]]:
    """The trained weights, and all files that this network's experiments read, for their provenance.

    Raises:
        DataNotFoundError: If the images are not there.
    """
    folder = find("cifar10", root)
    weights = folder.parent / "weights" / WEIGHTS
    return weights, {**files("cifar10", folder, "train_1*.npz", "test_*.npz"), f"weights/{WEIGHTS}": weights}


def load(sizes: Sizes, seed: int, root: Path | None = None) -> Data:
    """Images [N, 3, 32, 32] as the network expects them; calibration images are drawn at random."""
    images, labels = cifar10(root, "test", sizes.images).tensors()
    pool, _ = cifar10(root, "train", 10_000).tensors()
    chosen = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))[: sizes.calibration]
    return Data(normalise(images), labels, normalise(pool[chosen]))


def correct_counts(network: SpikingNetwork, data: Data, steps: tuple[int, ...], batch: int) -> dict[int, int]:
    """How many images are classified correctly after each number of steps, in one run."""
    correct = dict.fromkeys(steps, 0)
    for images, labels in zip(data.images.split(batch), data.labels.split(batch), strict=True):
        for done, logits in enumerate(network.stream(images, max(steps)), start=1):
            if done in correct:
                correct[done] += int((logits.argmax(1) == labels).sum())
    return correct


def rows_of(
    setting: Setting,
    model: nn.Module,
    data: Data,
    sizes: Sizes,
    seed: int,
    todo: tuple[int, ...],
    progress: bool,
) -> Iterator[list[dict[str, Any]]]:
    """The rows of one setting: all at once where one run serves every T, else one by one."""
    for group in [(steps,) for steps in todo] if setting.per_steps else [todo]:
        torch.manual_seed(seed)
        network = setting.network(model, data.calibration, max(group), progress)
        correct = correct_counts(network, data, group, sizes.batch)
        yield [
            {
                "method": setting.method,
                "granularity": setting.granularity,
                "rounding": setting.rounding,
                "steps": steps,
                "accuracy": correct[steps] / len(data.labels),
                "images": len(data.labels),
                "seed": seed,
            }
            for steps in group
        ]


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["method"], row["granularity"], row["rounding"], row["steps"], row["images"], row["seed"])


def run(
    sizes: Sizes, seed: int, output: Path, *, root: Path | None = None, progress: bool = True
) -> list[dict[str, Any]]:
    """Fill ``output`` row by row; rows that are there, of the same sizes and seed, are kept.

    Returns:
        The rows, in the order in which they were run.

    Raises:
        DataNotFoundError: If the images are not there.
        FileNotFoundError: If the weights are not there.
        ValueError: If ``output`` exists but was made with other sizes.
    """
    weights, used = sources(root)
    model = resnet20(weights)
    data = load(sizes, seed, root)
    with torch.no_grad():
        scores = torch.cat([model(part) for part in data.images.split(sizes.batch)])
    ann = float((scores.argmax(1) == data.labels).float().mean())
    rows: list[dict[str, Any]] = []
    clock = Clock()
    fixed = {name: value for name, value in asdict(sizes).items() if name != "steps"}
    if output.is_file():
        earlier = read(output)
        before = earlier["provenance"]["settings"]
        differs = {k: (before.get(k), v) for k, v in fixed.items() if before.get(k) != v}
        if differs or earlier["provenance"]["seed"] != seed:
            raise ValueError(f"{output.name} was made with other settings {differs}; choose another --output")
        rows, clock = earlier["rows"], Clock.after(earlier["provenance"])
    lines = settings(sizes.iterations)
    done = {_key(row) for row in rows}
    with tqdm(
        total=len(lines) * len(sizes.steps), initial=len(rows), unit="row", disable=not progress
    ) as bar:
        for setting in lines:
            probe = {
                "method": setting.method,
                "granularity": setting.granularity,
                "rounding": setting.rounding,
            }
            todo = tuple(
                t
                for t in sizes.steps
                if _key({**probe, "steps": t, "images": len(data.labels), "seed": seed}) not in done
            )
            if not todo:
                continue
            bar.set_description(f"{setting.method}, {setting.granularity}, {setting.rounding}")
            for fresh in rows_of(setting, model, data, sizes, seed, todo, False):
                rows += fresh
                record = provenance(seed=seed, data=used, clock=clock, ann_accuracy=round(ann, 4), **fixed)
                write(output, rows, record)
                bar.update(len(fresh))
    return rows


def table(rows: list[dict[str, Any]]) -> Table:
    """Accuracy in percent, a line per method and a column per T."""
    return by_steps(rows, ("method", "granularity", "rounding"), percent)


def main(
    quick: Quick = False,
    seed: Annotated[int, typer.Option(min=0, help="Draws the calibration images.")] = 0,
    data: Folder = None,
    output: Output = None,
) -> None:
    """Convert the trained ResNet-20 in many ways and measure the accuracy for T = 4 to 256."""
    torch.set_num_threads(1)
    with destination(output, OUTPUT, quick) as path:
        rows = run(QUICK if quick else Sizes(), seed, path, root=data)
    Console().print(table(rows))


if __name__ == "__main__":
    typer.run(main)
