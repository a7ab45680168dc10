r"""Event frames kept sparse: a data set in compressed rows, batches of it, and a linear layer that takes them.

Frames of an event camera are mostly zeros (94 % in N-MNIST at 20 frames). Row ``sample * T + t`` of the data
set holds the non-zero pixels of one frame; a batch gathers its rows in time-first order, ``t * N + n``, and
:class:`EventLinear` multiplies only what is there, in both directions. Equal to the dense layer up to rounding.

Convention: ``[T, N, ...]`` for batches, ``[samples, T, ...]`` for data sets. All of it lives on the CPU.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnkit._validate import require_steps

__all__ = ["EventBatch", "EventFrames", "EventLinear", "shift_events"]


@dataclass(frozen=True, eq=False)
class EventBatch:
    """Sparse frames ``[T, N, *shape]`` of one batch, in compressed rows ordered time first.

    Args:
        start: where each row begins in ``pixel``, int32 ``[T*N + 1]``.
        pixel: flat index within ``shape`` of each entry, int32, ascending within a row.
        value: the entries, floating point.
        steps: T.
        shape: shape of one frame, such as ``(2, 34, 34)``.
    """

    start: NDArray[np.int32]
    pixel: NDArray[np.int32]
    value: NDArray[np.floating[Any]]
    steps: int
    shape: tuple[int, ...]

    @property
    def rows(self) -> int:
        """T times N."""
        return len(self.start) - 1

    @cached_property
    def matrix(self) -> Tensor:
        """The frames as a CSR tensor ``[T*N, pixels]``."""
        return _csr(self.start, self.pixel, self.value, (self.rows, math.prod(self.shape)))

    @cached_property
    def transposed(self) -> Tensor:
        """The transpose of :attr:`matrix`, also a CSR tensor, ``[pixels, T*N]``; sorted on first use."""
        pixels = math.prod(self.shape)
        # NumPy's stable sort of 16-bit keys is a radix sort, several times faster than that of wider ones.
        keys = self.pixel.astype(np.uint16) if pixels <= 1 << 16 else self.pixel
        order = np.argsort(keys, kind="stable")
        row = np.repeat(np.arange(self.rows, dtype=np.int32), np.diff(self.start))
        start = _starts(np.bincount(self.pixel, minlength=pixels))
        return _csr(start, row[order], self.value[order], (pixels, self.rows))

    def dense(self) -> Tensor:
        """The frames as a dense tensor ``[T, N, *shape]``."""
        return self.matrix.to_dense().reshape(self.steps, -1, *self.shape)


@dataclass(frozen=True, eq=False)
class EventFrames:
    """A data set of sparse frames; build it with :meth:`from_dense`, take batches with :meth:`batch`.

    Args:
        start: where each row begins, int64 ``[samples * T + 1]``; row ``sample * T + t``.
        pixel: flat pixel index of each entry, int32.
        value: the entries, float32.
        steps: T.
        shape: shape of one frame.
    """

    start: NDArray[np.int64]
    pixel: NDArray[np.int32]
    value: NDArray[np.float32]
    steps: int
    shape: tuple[int, ...]

    @classmethod
    def from_dense(
        cls,
        frames: Tensor | NDArray[Any],
        transform: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
    ) -> EventFrames:
        """Compress dense frames.

        Args:
            frames: ``[samples, T, ...]``, any real dtype.
            transform: applied to the non-zero values, for instance ``numpy.log1p``; must keep 0 at 0.

        Returns:
            The data set, with float32 values.

        Raises:
            ValueError: ``frames`` has fewer than three axes or no time step.

        Source: compressed sparse rows.
        """
        array = np.asarray(frames)
        if array.ndim < 3 or array.shape[1] < 1:
            raise ValueError(f"frames must be [samples, T, ...] with T >= 1; got shape {list(array.shape)}")
        flat = array.reshape(array.shape[0] * array.shape[1], -1)
        row, pixel = np.nonzero(flat)
        value = flat[row, pixel].astype(np.float32)
        if transform is not None:
            value = transform(value)
        start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(flat)))])
        return cls(start, pixel.astype(np.int32), value, array.shape[1], array.shape[2:])

    def __len__(self) -> int:
        return (len(self.start) - 1) // self.steps

    @property
    def density(self) -> float:
        """Share of the entries that are not zero."""
        return len(self.pixel) / max(1, (len(self.start) - 1) * math.prod(self.shape))

    def batch(self, indices: Tensor | NDArray[np.integer[Any]]) -> EventBatch:
        """Gather the frames of some samples, time first.

        Args:
            indices: sample numbers ``[N]``.

        Returns:
            An :class:`EventBatch` of shape ``[T, N, *shape]``.

        Raises:
            IndexError: a sample number is outside ``[0, len(self))``.
            ValueError: ``indices`` is empty or not one-dimensional.

        Source: compressed sparse rows.
        """
        chosen = np.asarray(indices)
        if chosen.ndim != 1 or chosen.size == 0:
            raise ValueError(f"indices must be [N] with N >= 1; got shape {list(chosen.shape)}")
        if chosen.min() < 0 or chosen.max() >= len(self):
            raise IndexError(
                f"sample numbers must lie in [0, {len(self) - 1}]; got {chosen.min()} to {chosen.max()}"
            )
        rows = (chosen * self.steps + np.arange(self.steps)[:, None]).ravel()
        first, length = self.start[rows], self.start[rows + 1] - self.start[rows]
        start = _starts(length)
        entries = np.repeat(first - start[:-1], length) + np.arange(start[-1])
        return EventBatch(start, self.pixel[entries], self.value[entries], self.steps, self.shape)


def shift_events(batch: EventBatch, pixels: int, generator: torch.Generator | None = None) -> EventBatch:
    """Move every sample by its own random offset of up to ``pixels`` in y and x; what leaves is dropped.

    The sparse form of :func:`snnkit.training.random_shift`: one offset for all frames of a sample.

    Args:
        batch: frames whose last two axes are height and width.
        pixels: largest offset in each direction, 0 or more.
        generator: source of the offsets; None takes torch's global one.

    Returns:
        The shifted batch.

    Raises:
        ValueError: ``pixels`` is negative or the frames have fewer than two axes.

    Source: translation as data augmentation, on event addresses.
    """
    if pixels < 0 or len(batch.shape) < 2:
        raise ValueError(
            f"shift_events needs pixels >= 0 and frames [..., H, W]; got {pixels} and {batch.shape}"
        )
    height, width = batch.shape[-2:]
    samples = batch.rows // batch.steps
    offsets = torch.randint(-pixels, pixels + 1, (2, samples), generator=generator).to(torch.int32).numpy()
    row = np.repeat(np.arange(batch.rows, dtype=np.int32), np.diff(batch.start))
    y, x = (offset[row % samples] for offset in offsets)
    y += batch.pixel // width % height
    x += batch.pixel % width
    kept = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    pixel = batch.pixel // (height * width) * (height * width) + y * width + x
    start = _starts(np.bincount(row[kept], minlength=batch.rows))
    return EventBatch(start, pixel[kept], batch.value[kept], batch.steps, batch.shape)


class _SparseProduct(torch.autograd.Function):
    """``batch.matrix @ weight``; the gradient of the weight uses the transpose in compressed rows."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, batch: EventBatch) -> Tensor:
        ctx.batch = batch
        return batch.matrix @ weight

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return ctx.batch.transposed @ grad_outputs[0].contiguous(), None


class EventLinear(nn.Module):
    """Linear layer on event frames: sparse batches, or dense frames ``[T, N, ...]`` flattened per frame.

    The weight is kept as ``[in, out]``, the order in which sparse rows read it. Its initialisation is that of
    ``torch.nn.Linear``.

    Args:
        inputs: pixels of a frame.
        outputs: number of outputs.
        bias: True adds one.

    Raises:
        ValueError: ``inputs`` or ``outputs`` is below 1.

    Source: compressed sparse rows; He et al. 2015 for the initialisation.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = False) -> None:
        super().__init__()
        require_steps(inputs, "inputs")
        require_steps(outputs, "outputs")
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x: EventBatch | Tensor) -> Tensor:
        """The product with the weight.

        Args:
            x: an :class:`EventBatch`, or dense frames ``[T, N, ...]`` of the weight's dtype.

        Returns:
            ``[T, N, outputs]``.

        Raises:
            TypeError: the frames and the weight differ in dtype.
            ValueError: a frame does not have ``inputs`` pixels.

        Source: compressed sparse rows.
        """
        inputs, outputs = self.weight.shape
        found = math.prod(x.shape) if isinstance(x, EventBatch) else math.prod(x.shape[2:])
        if found != inputs:
            raise ValueError(f"a frame must have {inputs} pixels; got {found}, of shape {tuple(x.shape)}")
        dtype = x.matrix.dtype if isinstance(x, EventBatch) else x.dtype
        if dtype != self.weight.dtype:
            raise TypeError(f"the frames must have the weight's dtype {self.weight.dtype}; got {dtype}")
        if isinstance(x, EventBatch):
            product: Tensor = _SparseProduct.apply(self.weight, x)  # type: ignore[no-untyped-call]
            y = product.reshape(x.steps, -1, outputs)
        else:
            y = x.flatten(2) @ self.weight
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        return f"inputs={self.weight.shape[0]}, outputs={self.weight.shape[1]}, bias={self.bias is not None}"


def _starts(lengths: NDArray[Any]) -> NDArray[np.int32]:
    """Where each row begins, given the lengths of the rows."""
    start = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=start[1:])
    return start


def _csr(
    start: NDArray[np.int32], pixel: NDArray[np.int32], value: NDArray[Any], size: tuple[int, int]
) -> Tensor:
    with warnings.catch_warnings():  # torch says once per process that CSR is in beta
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(
            torch.from_numpy(start),
            torch.from_numpy(pixel),
            torch.from_numpy(value),
            size,
            check_invariants=False,
        )
