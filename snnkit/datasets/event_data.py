"""What the loaders of event-camera recordings return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from snnkit.datasets._progress import progress_bar
from snnkit.datasets.local import stratified_split
from snnkit.events import Events, frames_by_count, frames_by_time

__all__ = ["EventData", "EventDigits", "Sample"]

if TYPE_CHECKING:
    from torch import Tensor

Sample = Callable[[], Events]


@dataclass(frozen=True, eq=False)
class EventData:
    """Recordings, decoded when asked for, and their classes.

    Args:
        samples: One function a recording that reads and decodes it.
        labels: ``int64 [N]``.
        name: What and which part it is.
        classes: Names of the classes.
        height: Rows of the sensor.
        width: Columns of the sensor.
        simulated: Whether the recordings were computed and not recorded.
    """

    samples: tuple[Sample, ...]
    labels: NDArray[np.int64]
    name: str
    classes: tuple[str, ...]
    height: int
    width: int
    simulated: bool = False

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Events:
        """Decode one recording."""
        return self.samples[index]()

    def __iter__(self) -> Iterator[Events]:
        return (sample() for sample in self.samples)

    def subset(self, indices: ArrayLike) -> EventData:
        """Return the recordings with the given indices."""
        chosen = np.asarray(indices)
        return replace(self, samples=tuple(self.samples[i] for i in chosen), labels=self.labels[chosen])

    def split(self, held_out: float, seed: int = 0) -> tuple[EventData, EventData]:
        """Split off a share of each class, see :func:`stratified_split`."""
        keep, out = stratified_split(self.labels, held_out, seed)
        return self.subset(keep), self.subset(out)

    def frames_by_count(
        self, steps: int, dtype: DTypeLike = np.uint8, progress: bool = False
    ) -> NDArray[Any]:
        """Sum every recording into ``steps`` frames of equally many events: counts ``[N, T, 2, H, W]``.

        ``progress`` shows a bar; raises what :func:`snnkit.events.frames_by_count` raises.
        """
        return self._frames(frames_by_count, steps, dtype, progress)

    def frames_by_time(self, steps: int, dtype: DTypeLike = np.uint8, progress: bool = False) -> NDArray[Any]:
        """Sum every recording into frames of equal duration; arguments as in :meth:`frames_by_count`."""
        return self._frames(frames_by_time, steps, dtype, progress)

    def _frames(
        self, integrate: Callable[..., NDArray[Any]], steps: int, dtype: DTypeLike, progress: bool
    ) -> NDArray[Any]:
        block: NDArray[Any] | None = None
        for index, events in enumerate(progress_bar(self, self.name, progress)):
            frames = integrate(events, steps, self.height, self.width, dtype)
            if block is None:
                block = np.empty((len(self), *frames.shape), frames.dtype)
            block[index] = frames
        return np.empty((0, steps, 2, self.height, self.width), dtype) if block is None else block


@dataclass(frozen=True, eq=False)
class EventDigits:
    """Frames of digits, to learn from and held out.

    Args:
        train_frames: Counts ``uint8 [N, T, 2, 34, 34]``.
        train_labels: ``int64 [N]``.
        test_frames: Counts ``uint8 [M, T, 2, 34, 34]``.
        test_labels: ``int64 [M]``.
        name: Name of the data set.
        simulated: Whether the recordings were computed and not recorded.
    """

    train_frames: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_frames: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    name: str
    simulated: bool

    @property
    def real(self) -> bool:
        """Whether these are recordings of a camera."""
        return not self.simulated

    @property
    def source(self) -> str:
        """One line that says what this is."""
        sizes = f"{len(self.train_labels)} training and {len(self.test_labels)} test recordings"
        if self.simulated:
            return f"{sizes}, simulated: 8 x 8 digits before a simulated event camera (not N-MNIST)"
        return f"{sizes} of N-MNIST (real, Orchard et al. 2015)"

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return frames and labels, training part first, as PyTorch tensors that share the memory."""
        import torch

        arrays = (self.train_frames, self.train_labels, self.test_frames, self.test_labels)
        first, second, third, fourth = map(torch.from_numpy, arrays)
        return first, second, third, fourth
