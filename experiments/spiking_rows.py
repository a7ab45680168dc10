"""Rows about a converted network: accuracy with and without remedies against latency, and errors layer by layer.

Latency counts every time step that has to run before the answer is known, the pre-runs of a remedy included; a remedy
that looks at the image to be classified pays for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from rich.table import Table
from torch import Tensor

from experiments.rows import by_steps, percent
from snnkit.conversion import SpikingNetwork
from snnkit.conversion.errors import LayerErrors, even_logits, measure_errors
from snnkit.conversion.monitor import spiking_layers
from snnkit.conversion.remedies import SignedSpikes, firing_rules, offsets_calibrated, residuals_silenced

TOLERANCE = 1e-6  # share of the threshold that float32 sums may be off by
SILENCE = 1e-3  # SRP: share of the threshold that counts as an empty neuron, close to the authors' code

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


def offsets(pre_steps: int) -> Callable[..., AbstractContextManager[int]]:
    """COS in one pass; layer by layer unless called with ``together``."""
    return partial(offsets_calibrated, pre_steps=pre_steps, passes=1)


def plain(steps: tuple[int, ...]) -> Method:
    """The network as it is."""
    return Method("plain", lambda network, x: nullcontext(), steps)


def remedies(pre_steps: int, steps: tuple[int, ...]) -> tuple[Method, ...]:
    """Those that take at most one pre-run."""
    silenced = partial(residuals_silenced, pre_steps=pre_steps, tolerance=SILENCE)
    return (
        Method("signed spikes", signed, steps),
        Method("SRP", silenced, steps),
        Method("COS, layers together", partial(offsets(pre_steps), together=True), steps),
    )


class Spiking(ABC):
    """One converted network, and the runs that serve several rows.

    Args:
        images: [N, ...].
        labels: [N].
        batch: Images at a time.
        layer_images: How many of them the errors of layers are measured on.
    """

    def __init__(self, images: Tensor, labels: Tensor, batch: int, layer_images: int) -> None:
        self.images, self.labels, self.batch, self.layer_images = images, labels, batch, layer_images
        self.runs: dict[str, dict[int, tuple[int, int]]] = {}

    @abstractmethod
    def build(self) -> SpikingNetwork:
        """The network, with thresholds."""

    @cached_property
    def network(self) -> SpikingNetwork:
        return self.build()

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.images.split(self.batch), self.labels.split(self.batch), strict=True)

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
        images = self.images[: self.layer_images]
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


def accuracies(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Table:
    """Accuracy in percent, a line for each value of ``keys``; the steps of a pre-run stand behind it."""

    def shown(row: Mapping[str, Any]) -> str:
        before = row["latency"] - row["steps"]
        return percent(row) + (f" (+{before})" if before > 0 else "")

    return by_steps([row for row in rows if row["kind"] == "accuracy"], keys, shown)
