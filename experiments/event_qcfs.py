"""Events through QCFS: real N-MNIST recordings, a converted network beside one trained with surrogate gradients.

    python -m experiments.event_qcfs            all rows, goes on where it was stopped
    python -m experiments.event_qcfs --quick    a few recordings, to see that it runs

Both networks are 2312-800-10 and see T frames of equal event counts, as log(1 + count).  The QCFS network is trained on
the mean frame, converted, and run on that frame as a constant current, and on the frames in their order; the other is
trained through time with the ATan surrogate.  800 of the first 1,000 training recordings train, the other 200 measure
(another split for each seed; the settings of the QCFS training are the best of four, tried on the splits of two other
seeds).  Time is that of the training steps alone, on one thread; energy is the arithmetic of one
inference (snnkit.energy).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from experiments.nmnist_surrogates import measuring_batches, sparse, training_batches
from experiments.nmnist_surrogates import network as surrogate_network
from experiments.provenance import RESULTS, files
from experiments.rows import Job, command, fill
from snnkit.conversion import QCFS, SpikingNetwork, convert
from snnkit.conversion.errors import measure_errors, measure_frame_errors
from snnkit.datasets import find, nmnist
from snnkit.energy import Operations, count_ann, count_converted, count_played, count_spiking
from snnkit.surrogate import FAMILIES
from snnkit.training import Batches, History, evaluate, fit, random_shift, set_seed, split_indices

OUTPUT = RESULTS / "event_qcfs.json"
SYSTEMS = ("QCFS network", "converted, mean frame", "converted, frames in order", "surrogate gradient")
TOLERANCE = 1e-6  # share of the threshold that float32 sums may be off by


@dataclass(frozen=True)
class Sizes:
    """How much is run; ``level`` is the held-out accuracy whose price is asked for."""

    recordings: int = 1000
    hidden: int = 800
    levels: int = 8
    clip: float = 2.0
    frames: int = 8
    batch: int = 64
    epochs: int = 12
    lr: float = 1e-3
    qcfs_epochs: int = 30
    qcfs_lr: float = 3e-3
    dropout: float = 0.5
    gain: float = 1.5
    level: float = 0.85
    steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


QUICK = Sizes(
    recordings=40, hidden=16, frames=2, epochs=1, qcfs_epochs=1, level=0.0, steps=(1, 2), seeds=(0,)
)


def qcfs_network(
    pixels: int, hidden: int, levels: int, clip: float, dropout: float, classes: int = 10
) -> nn.Sequential:
    """pixels-hidden-classes with a QCFS activation between, for mean frames [N, ...]."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, hidden, bias=False),
        QCFS(levels, clip),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes, bias=False),
    )


class OneFrame(nn.Module):
    """``inner`` on batches [1, N, ...]."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.inner(frames[0])
        return logits


def learning(history: History, level: float) -> dict[str, Any]:
    """What the training took, and what it took until ``level`` was first reached on the held-out recordings."""
    reached = next((i + 1 for i, value in enumerate(history.validation) if value >= level), None)
    return {
        "held_out_by_epoch": [round(value, 4) for value in history.validation],
        "train_seconds": round(sum(history.seconds), 2),
        "epochs_to_level": reached,
        "seconds_to_level": None if reached is None else round(sum(history.seconds[:reached]), 2),
    }


def price(operations: Operations) -> dict[str, Any]:
    """Operations and energy of one inference."""
    return {
        "accumulates": round(operations.accumulates),
        "multiplies": round(operations.multiplies),
        "dense": round(operations.dense),
        "spikes": round(operations.total_spikes, 1),
        "energy_nj": round(operations.energy(), 1),
        "dense_energy_nj": round(operations.dense_energy(), 1),
    }


class Split:
    """One split of the recordings: what every system sees, and the networks trained on it."""

    def __init__(self, frames: np.ndarray[Any, Any], labels: Tensor, sizes: Sizes, seed: int) -> None:
        self.sizes, self.seed = sizes, seed
        self.chosen, self.held_out = split_indices(len(labels), 0.2, seed=seed)
        self.counts, self.labels = frames, labels

    def values(self, indices: Tensor) -> Tensor:
        """Frames [T, N, 2, 34, 34] as log(1 + count)."""
        return torch.from_numpy(np.log1p(self.counts[indices.numpy()], dtype=np.float32)).transpose(0, 1)

    @cached_property
    def trained(self) -> tuple[nn.Sequential, History]:
        """The QCFS network, trained on mean frames."""
        set_seed(self.seed)
        sizes = self.sizes
        inner = qcfs_network(2 * 34 * 34, sizes.hidden, sizes.levels, sizes.clip, sizes.dropout)
        seen, kept = (self.values(part).mean(0)[:, None] for part in (self.chosen, self.held_out))
        history = fit(
            OneFrame(inner),
            Batches(
                seen,
                self.labels[self.chosen],
                sizes.batch,
                generator=torch.Generator().manual_seed(self.seed),
                augment=lambda x, g: random_shift(x, 1, g),
            ),
            epochs=sizes.qcfs_epochs,
            lr=sizes.qcfs_lr,
            loss=functional.cross_entropy,
            validation=Batches(kept, self.labels[self.held_out], 100, shuffle=False),
            progress=False,
        )
        return inner.eval(), history

    @cached_property
    def converted(self) -> SpikingNetwork:
        """The trained network with spikes."""
        return convert(self.trained[0])

    def right(self, logits: Tensor) -> float:
        return float((logits.argmax(1) == self.labels[self.held_out]).float().mean())

    # -- rows

    def qcfs(self, steps: int) -> dict[str, Any]:
        model, history = self.trained
        x = self.values(self.held_out).mean(0)
        with torch.no_grad():
            accuracy = self.right(model(x))
        return {"accuracy": accuracy, **learning(history, self.sizes.level), **price(count_ann(model, x))}

    def constant(self, steps: int) -> dict[str, Any]:
        network, x = self.converted, self.values(self.held_out).mean(0)
        return {
            "accuracy": self.right(network(x, steps)),
            "uneven": [e.uneven for e in measure_errors(network, [x], steps, tolerance=TOLERANCE)],
            **price(count_converted(network, x, steps)),
        }

    def in_order(self, steps: int) -> dict[str, Any]:
        network, frames = self.converted, self.values(self.held_out)
        (first,) = measure_frame_errors(network, [frames], tolerance=TOLERANCE)
        return {
            "accuracy": self.right(network.play(frames)),
            "uneven": [first.uneven],
            "extra": first.extra,
            "missing": first.missing,
            **price(count_played(network, frames)),
        }

    def surrogate(self, steps: int) -> dict[str, Any]:
        set_seed(self.seed)
        sizes = self.sizes
        model = surrogate_network(sizes, FAMILIES["ATan"](alpha=2.0))  # type: ignore[arg-type]
        seen, kept = (sparse(self.counts[part.numpy()]) for part in (self.chosen, self.held_out))
        batches = training_batches(seen, self.labels[self.chosen], sizes.batch, self.seed)
        validation = measuring_batches(kept, self.labels[self.held_out])
        history = fit(model, batches, epochs=sizes.epochs, lr=sizes.lr, validation=validation, progress=False)
        operations = count_spiking(Dense(model), self.values(self.held_out))
        return {
            "accuracy": evaluate(model, validation),
            **learning(history, sizes.level),
            **price(operations),
        }


class Dense(nn.Module):
    """A trained event network whose first layer is a plain linear one, so that its operations can be counted."""

    def __init__(self, model: nn.Sequential) -> None:
        super().__init__()
        weight = model.get_submodule("first").weight
        assert isinstance(weight, Tensor)
        self.first = nn.Linear(*weight.shape, bias=False)
        self.first.weight = nn.Parameter(weight.detach().T.contiguous())
        self.rest = nn.Sequential(*(part for name, part in model.named_children() if name != "first")).eval()

    def forward(self, frames: Tensor) -> Tensor:
        rates: Tensor = self.rest(self.first(frames.flatten(2)))
        return rates


def jobs(frames: np.ndarray[Any, Any], labels: Tensor, sizes: Sizes) -> Iterator[Job]:
    """All rows, seed by seed."""
    for seed in sizes.seeds:
        split = Split(frames, labels, sizes, seed)

        def job(system: str, steps: int, work: Callable[[int], dict[str, Any]], seed: int = seed) -> Job:
            return Job({"system": system, "steps": steps, "seed": seed}, partial(work, steps))

        yield job(SYSTEMS[0], 0, split.qcfs)
        for steps in sizes.steps:
            yield job(SYSTEMS[1], steps, split.constant)
        yield job(SYSTEMS[2], sizes.frames, split.in_order)
        yield job(SYSTEMS[3], sizes.frames, split.surrogate)


def run(
    sizes: Sizes, output: Path, *, root: Path | None = None, progress: bool = True
) -> list[dict[str, Any]]:
    """Fill ``output``; the rows, in order.

    Raises:
        DataNotFoundError: If N-MNIST is not there.
        ValueError: If ``output`` was made with other sizes.
    """
    folder = find("nmnist", root)
    used = files("nmnist", folder, "*.zip")
    data = nmnist(root, "train", sizes.recordings)
    frames, labels = data.frames_by_count(sizes.frames), torch.from_numpy(data.labels)
    return fill(
        output,
        list(jobs(frames, labels, sizes)),
        seed=sizes.seeds[0],
        data=used,
        settings=asdict(sizes),
        progress=progress,
    )


def table(rows: list[dict[str, Any]]) -> Table:
    """Means over the seeds."""
    result = Table("system", "T", "seeds", "held out (%)", "energy (nJ)", "spikes", "seconds to the level")
    lines: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault((row["system"], row["steps"]), []).append(row)
    for (system, steps), found in lines.items():
        accuracy = 100 * np.array([row["accuracy"] for row in found])
        spread = f" +- {accuracy.std(ddof=1):.1f}" if len(found) > 1 else ""
        seconds = [row.get("seconds_to_level") for row in found]
        known = [value for value in seconds if value is not None]
        result.add_row(
            system,
            str(steps or ""),
            str(len(found)),
            f"{accuracy.mean():.1f}{spread}",
            f"{np.mean([row['energy_nj'] for row in found]):.0f}",
            f"{np.mean([row['spikes'] for row in found]):.0f}",
            f"{np.mean(known):.1f} ({len(known)} of {len(found)})" if known else "",
        )
    return result


main = command(
    "Put N-MNIST through QCFS and conversion, beside surrogate training.", run, table, Sizes(), QUICK, OUTPUT
)


if __name__ == "__main__":
    typer.run(main)
