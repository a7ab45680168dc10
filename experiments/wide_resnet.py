"""The QCFS WideResNets as spiking networks on CIFAR-10: accuracy against latency, and unevenness layer by layer.

    python -m experiments.wide_resnet            all rows, goes on where it was stopped
    python -m experiments.wide_resnet --quick    a few images and steps, to see that it runs

The networks are those that come with snnkit; the images are the first 1,000 test images.  Nothing is chosen by them:
thresholds and v(0) are the trained clips and their halves.  Latency counts every time step that has to run before the
answer is known, the pre-runs of a remedy included; a remedy that looks at the image to be classified pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from torch import Tensor

from experiments.provenance import RESULTS, files
from experiments.rows import Job, command, fill
from snnkit.conversion import SpikingNetwork, convert
from snnkit.conversion.errors import LayerErrors, even_logits, measure_errors, spiking_layers
from snnkit.conversion.remedies import SignedSpikes, firing_rules, offsets_calibrated, residuals_silenced
from snnkit.datasets import cifar10, find
from snnkit.models import normalise, pretrained, pretrained_names

OUTPUT = RESULTS / "wide_resnet.json"
ASSETS = Path(__file__).resolve().parents[1] / "snnkit" / "assets"
TOLERANCE = 1e-6  # share of the threshold that float32 sums may be off by
SILENCE = 1e-3  # SRP: share of the threshold that counts as an empty neuron, close to the authors' code


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

Prepare = Callable[[SpikingNetwork, Tensor], AbstractContextManager[int | None]]


@dataclass(frozen=True)
class Method:
    """A way to run the network after each of ``steps``; ``prepare`` gives the number of steps that it ran before."""

    name: str
    prepare: Prepare
    steps: tuple[int, ...]


def signed(network: SpikingNetwork, x: Tensor) -> AbstractContextManager[None]:
    """Spikes of either sign in every layer."""
    return firing_rules(network, {name: SignedSpikes() for name in spiking_layers(network)})


def methods(levels: int, sizes: Sizes) -> tuple[Method, ...]:
    """The remedies, the dear ones last; their pre-runs take as many steps as the network has levels."""
    offsets = partial(offsets_calibrated, pre_steps=levels, passes=1)
    silenced = partial(residuals_silenced, pre_steps=levels, tolerance=SILENCE)
    layer_by_layer = sizes.offset_steps if levels <= sizes.offset_levels else ()
    return (
        Method("plain", lambda network, x: nullcontext(), sizes.steps),
        Method("signed spikes", signed, sizes.remedy_steps),
        Method("SRP", silenced, sizes.remedy_steps),
        Method("COS, layers together", partial(offsets, together=True), sizes.remedy_steps),
        Method("COS, layer by layer", offsets, layer_by_layer),
    )


class Network:
    """One converted network, and the runs that serve several rows."""

    def __init__(self, name: str, images: Tensor, labels: Tensor, sizes: Sizes) -> None:
        self.name, self.images, self.labels, self.sizes = name, images, labels, sizes
        self.runs: dict[str, dict[int, tuple[int, int]]] = {}

    @cached_property
    def network(self) -> SpikingNetwork:
        return convert(pretrained(self.name))

    @property
    def levels(self) -> int:
        activation = next(iter(self.network.neurons()))
        return int(self.network.activation(activation).levels)  # type: ignore[arg-type]

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.images.split(self.sizes.batch), self.labels.split(self.sizes.batch), strict=True)

    def analog(self) -> dict[str, Any]:
        """The network as it was trained."""
        return self._row(sum(self._right(self.network.analog(x), y) for x, y in self.batches()), 0)

    def without_unevenness(self, steps: int) -> dict[str, Any]:
        """Every layer clips and rounds its average input: the ceiling for every remedy."""
        return self._row(
            sum(self._right(even_logits(self.network, x, steps), y) for x, y in self.batches()), 0
        )

    def spiking(self, method: Method, steps: int) -> dict[str, Any]:
        """Accuracy after ``steps``, from one run that serves all of the method's."""
        if method.name not in self.runs:
            found = dict.fromkeys(method.steps, (0, 0))
            for x, y in self.batches():
                with method.prepare(self.network, x) as before:
                    for done, logits in enumerate(self.network.stream(x, max(method.steps)), start=1):
                        if done in found:
                            found[done] = (found[done][0] + self._right(logits, y), before or 0)
            self.runs[method.name] = found
        right, before = self.runs[method.name][steps]
        return self._row(right, steps + before)

    def layers(self, steps: int) -> dict[str, Any]:
        """Errors of every layer on some of the images."""
        images = self.images[: self.sizes.layer_images]
        found = measure_errors(self.network, images.split(20), steps, tolerance=TOLERANCE)
        return {"images": len(images), "latency": steps, "layers": [described(layer) for layer in found]}

    @staticmethod
    def _right(logits: Tensor, labels: Tensor) -> int:
        return int((logits.argmax(1) == labels).sum())

    def _row(self, right: int, latency: int) -> dict[str, Any]:
        return {"images": len(self.labels), "latency": latency, "accuracy": right / len(self.labels)}


def described(layer: LayerErrors) -> dict[str, Any]:
    """The numbers of a layer that the book reads."""
    total = sum(layer.cases.values())
    return {
        "name": layer.name,
        "neurons": layer.neurons,
        "uneven": round(layer.uneven, 6),
        "extra": round(layer.extra, 6),
        "missing": round(layer.missing, 6),
        "silenced": round(layer.silenced, 6),
        "cases": {case.name.lower(): round(number / total, 6) for case, number in layer.cases.items()},
        "excess": {str(value): number for value, number in layer.excess.items()},
        "rms": {
            term: float(f"{getattr(layer, term).rms:.4g}")
            for term in ("unevenness", "quantisation", "clipping", "activation", "propagated", "against_ann")
        },
        "relative_rmse": round(layer.relative_rmse, 5),
    }


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
    """Fill ``output``; see :func:`experiments.rows.fill`.

    Raises:
        DataNotFoundError: If the images are not there.
        ValueError: If ``output`` was made with other settings.
    """
    folder = find("cifar10", root)
    images, labels = cifar10(root, "test", sizes.images).tensors()
    chosen = names or pretrained_names()
    networks = [Network(name, normalise(images), labels, sizes) for name in chosen]
    used = files("cifar10", folder, "test_*.npz")
    used |= {f"snnkit/assets/{name}.safetensors": ASSETS / f"{name}.safetensors" for name in chosen}
    return fill(output, jobs(networks, sizes), seed=0, data=used, settings=asdict(sizes), progress=progress)


def table(rows: list[dict[str, Any]]) -> Table:
    """Accuracy in percent, with the latency where it is not T."""
    accuracies = [row for row in rows if row["kind"] == "accuracy"]
    steps = sorted({row["steps"] for row in accuracies} - {0})
    result = Table("network", "method", "T = 0", *(f"T = {t}" for t in steps))
    lines: dict[tuple[str, str], dict[int, str]] = {}
    for row in accuracies:
        before = row["latency"] - row["steps"]
        extra = f" (+{before})" if before > 0 else ""
        lines.setdefault((row["network"], row["method"]), {})[row["steps"]] = (
            f"{100 * row['accuracy']:.1f}{extra}"
        )
    for key, line in lines.items():
        result.add_row(*key, *(line.get(t, "") for t in (0, *steps)))
    return result


main = command("Run the QCFS WideResNets as spiking networks.", run, table, Sizes(), QUICK, OUTPUT)


if __name__ == "__main__":
    typer.run(main)
