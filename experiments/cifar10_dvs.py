"""CIFAR10-DVS through QCFS: a small convolutional network on mean frames, converted, and run on frames in order.

    python -m experiments.cifar10_dvs            needs the data set, which has to be fetched by hand
    python -m experiments.cifar10_dvs --quick    a few recordings, to see that it runs

The data set is not part of the course's data and no result of this script is in the book.  Where the recordings are
missing it says so and ends with status 1.  There is no official split; see :func:`snnkit.datasets.cifar10_dvs`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
import typer
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from experiments.event_qcfs import OneFrame, learning, price
from experiments.provenance import RESULTS, files
from experiments.rows import Job, command, fill
from snnkit.conversion import QCFS, SpikingNetwork, convert
from snnkit.datasets import cifar10_dvs, find
from snnkit.energy import count_ann, count_converted, count_played
from snnkit.events import frames_by_count
from snnkit.models import small_cnn
from snnkit.training import Batches, fit, random_shift, set_seed

OUTPUT = RESULTS / "cifar10_dvs.json"
SHRINK = 4  # 128 x 128 pixels become 32 x 32


@dataclass(frozen=True)
class Sizes:
    """How much is run; ``None`` takes all recordings."""

    train: int | None = None
    test: int | None = None
    frames: int = 8
    levels: int = 8
    clip: float = 2.0
    width: int = 32
    batch: int = 64
    epochs: int = 30
    lr: float = 1e-3
    steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    seed: int = 0


QUICK = Sizes(train=20, test=10, frames=2, width=4, epochs=1, steps=(1, 2))


def frames_of(part: str, count: int | None, sizes: Sizes, root: Path | None) -> tuple[Tensor, Tensor]:
    """Frames [N, T, 2, 32, 32] as log(1 + count), and labels."""
    data = cifar10_dvs(root, part, count, seed=sizes.seed)
    small = []
    for events in data:
        one = frames_by_count(events, sizes.frames, 128, 128)  # one at a time: all at once would not fit
        small.append(functional.avg_pool2d(torch.from_numpy(one).float(), SHRINK) * SHRINK**2)
    return torch.stack(small).log1p_(), torch.from_numpy(data.labels)


class Trained:
    """The network, trained when it is first asked for, and what it is tested on."""

    def __init__(self, sizes: Sizes, root: Path | None) -> None:
        self.sizes, self.root = sizes, root
        self.frames, self.labels = frames_of("test", sizes.test, sizes, root)
        self.frames = self.frames.transpose(0, 1).contiguous()

    @cached_property
    def networks(self) -> tuple[nn.Module, SpikingNetwork, dict[str, Any]]:
        """The trained network, the converted one, and what the training took."""
        sizes = self.sizes
        frames, labels = frames_of("train", sizes.train, sizes, self.root)
        set_seed(sizes.seed)
        model = small_cnn(2, 32, width=sizes.width, activation=lambda: QCFS(sizes.levels, sizes.clip))
        history = fit(
            OneFrame(model),
            Batches(
                frames.mean(1, keepdim=True),
                labels,
                sizes.batch,
                generator=torch.Generator().manual_seed(sizes.seed),
                augment=lambda x, g: random_shift(x, 2, g),
            ),
            epochs=sizes.epochs,
            lr=sizes.lr,
            loss=functional.cross_entropy,
        )
        return model.eval(), convert(model), learning(history, 1.0)

    def _right(self, logits: Tensor) -> float:
        return float((logits.argmax(1) == self.labels).float().mean())

    def analog(self) -> dict[str, Any]:
        model, _, learnt = self.networks
        with torch.no_grad():
            right = self._right(model(self.frames.mean(0)))
        return {"accuracy": right, **learnt, **price(count_ann(model, self.frames.mean(0)))}

    def constant(self, steps: int) -> dict[str, Any]:
        network, x = self.networks[1], self.frames.mean(0)
        return {"accuracy": self._right(network(x, steps)), **price(count_converted(network, x, steps))}

    def in_order(self) -> dict[str, Any]:
        network = self.networks[1]
        return {
            "accuracy": self._right(network.play(self.frames)),
            **price(count_played(network, self.frames)),
        }


def run(
    sizes: Sizes, output: Path, *, root: Path | None = None, progress: bool = True
) -> list[dict[str, Any]]:
    """Fill ``output``, see :func:`experiments.rows.fill`; what is not there raises ``FileNotFoundError``."""
    folder = find("cifar10_dvs", root)
    trained = Trained(sizes, root)
    jobs = [Job({"system": "QCFS network", "steps": 0}, trained.analog)]
    jobs += [
        Job({"system": "converted, mean frame", "steps": t}, partial(trained.constant, t))
        for t in sizes.steps
    ]
    jobs.append(Job({"system": "converted, frames in order", "steps": sizes.frames}, trained.in_order))
    used = files("cifar10_dvs", folder, "*.zip")
    settings = asdict(sizes)
    return fill(output, jobs, seed=settings.pop("seed"), data=used, settings=settings, progress=progress)


def table(rows: list[dict[str, Any]]) -> Table:
    """Accuracy and energy of every system."""
    result = Table("system", "T", "accuracy (%)", "energy (nJ)")
    for row in rows:
        result.add_row(
            row["system"], str(row["steps"] or ""), f"{100 * row['accuracy']:.1f}", f"{row['energy_nj']:.0f}"
        )
    return result


main = command("Put CIFAR10-DVS through QCFS and conversion.", run, table, Sizes(), QUICK, OUTPUT)


if __name__ == "__main__":
    typer.run(main)
