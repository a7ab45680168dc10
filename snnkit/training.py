r"""Training and evaluation of any module on ``[T, N, ...]`` (or on ``[N, ...]``: the loop does not look inside).

:class:`Batches` delivers shuffled, augmented batches from frames in memory, dense or sparse; :func:`fit` runs
fused Adam with a cosine schedule; :func:`evaluate` counts correct answers. Neurons of SpikingJelly are reset
before every batch; those of :mod:`snnkit.layers` start every sequence afresh.

Convention: data sets are ``[samples, T, ...]``, batches ``[T, N, ...]``, outputs ``[N, classes]``.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from spikingjelly.activation_based.base import MemoryModule
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from tqdm import tqdm

from snnkit._validate import require_positive, require_steps

__all__ = [
    "Batches",
    "FrameSource",
    "History",
    "evaluate",
    "fit",
    "mse_to_one_hot",
    "random_shift",
    "reset_states",
    "set_seed",
    "split_indices",
]


def set_seed(seed: int) -> torch.Generator:
    """Seed Python, NumPy and torch; returns a new generator with the same seed, for a stream of its own.

    Raises:
        ValueError: ``seed`` is not in [0, 2**32).
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must lie in [0, 2**32); got {seed}")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (libraries draw from the global state)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def split_indices(count: int, validation: float = 0.2, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Indices for training and for validation (ascending) of a random split, the same for the same seed.

    ``validation`` is the share kept for validation; at least one sample falls on either side.

    Raises:
        ValueError: ``count`` is below 2 or ``validation`` is outside (0, 1).
    """
    require_steps(count, "count")
    if count < 2 or not 0 < validation < 1:
        raise ValueError(f"a split needs count >= 2 and 0 < validation < 1; got {count} and {validation}")
    held_out = min(count - 1, max(1, round(count * validation)))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[held_out:].sort().values, order[:held_out].sort().values


def random_shift(frames: Tensor, pixels: int, generator: torch.Generator | None = None) -> Tensor:
    """Move every sample by its own random offset of up to ``pixels`` in y and x; zeros enter at the edges.

    Args:
        frames: ``[T, N, ..., H, W]``; all frames and channels of a sample move together.
        pixels: largest offset in each direction, 0 or more.
        generator: source of the offsets; None takes torch's global one.

    Returns:
        The shifted frames, same shape and dtype.

    Raises:
        ValueError: ``pixels`` is negative or ``frames`` has fewer than four axes.

    Source: translation as data augmentation.
    """
    if pixels < 0 or frames.dim() < 4:
        raise ValueError(
            f"random_shift needs pixels >= 0 and frames [T, N, ..., H, W]; got {pixels} and {list(frames.shape)}"
        )
    offsets = torch.randint(-pixels, pixels + 1, (2, frames.shape[1]), generator=generator)
    shifted = torch.zeros_like(frames)
    for dy, dx in set(zip(*offsets.tolist(), strict=True)):
        samples = ((offsets[0] == dy) & (offsets[1] == dx)).nonzero().flatten()
        (to_y, from_y), (to_x, from_x) = _overlap(dy), _overlap(dx)
        shifted[:, samples, ..., to_y, to_x] = frames[:, samples][..., from_y, from_x]
    return shifted


def _overlap(offset: int) -> tuple[slice, slice]:
    """Where the target and the source overlap along an axis shifted by ``offset``."""
    if offset >= 0:
        return slice(offset, None), slice(None, -offset or None)
    return slice(None, offset), slice(-offset, None)


class FrameSource(Protocol):
    """A data set that assembles its own batches, such as :class:`snnkit.sparse.EventFrames`."""

    def __len__(self) -> int: ...

    def batch(self, indices: Tensor) -> Any: ...


class Batches:
    """Batches ``(inputs, labels)`` in a new order each time it is iterated.

    Args:
        frames: tensor or array ``[samples, T, ...]``, kept in its dtype and cast to the default float dtype batch
            by batch, or a source with a method ``batch(indices)``.
        labels: ``[samples]``, integers.
        size: samples per batch; the last batch may be smaller.
        shuffle: False keeps the order of the data set.
        generator: source of the order and of the augmentation; None starts one from seed 0.
        augment: applied to the inputs of each batch, with the generator as second argument.

    Raises:
        TypeError: ``labels`` are not integers.
        ValueError: the numbers of samples differ, there are none, or ``size`` is below 1.

    Source: convention.
    """

    def __init__(
        self,
        frames: Tensor | NDArray[Any] | FrameSource,
        labels: Tensor | NDArray[Any],
        size: int = 64,
        *,
        shuffle: bool = True,
        generator: torch.Generator | None = None,
        augment: Callable[[Any, torch.Generator], Any] | None = None,
    ) -> None:
        require_steps(size, "size")
        labels = torch.as_tensor(labels)
        if isinstance(frames, np.ndarray):
            frames = torch.from_numpy(frames)
        if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
            raise TypeError(f"labels must be integers; got {labels.dtype}")
        if labels.dim() != 1 or len(frames) != len(labels) or len(labels) == 0:
            raise ValueError(
                f"frames and labels must hold the same number of samples, at least 1; got {len(frames)} frames and "
                f"labels of shape {list(labels.shape)}"
            )
        if isinstance(frames, Tensor) and frames.dim() < 2:
            raise ValueError(f"frames must be [samples, T, ...]; got shape {list(frames.shape)}")
        self.frames = frames
        self.labels = labels.long()
        self.size = size
        self.shuffle = shuffle
        self.generator = torch.Generator().manual_seed(0) if generator is None else generator
        self.augment = augment

    def __len__(self) -> int:
        return math.ceil(len(self.labels) / self.size)

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        count = len(self.labels)
        order = torch.randperm(count, generator=self.generator) if self.shuffle else torch.arange(count)
        for indices in torch.split(order, self.size):
            inputs = self._gather(indices)
            if self.augment is not None:
                inputs = self.augment(inputs, self.generator)
            yield inputs, self.labels[indices]

    def _gather(self, indices: Tensor) -> Any:
        if not isinstance(self.frames, Tensor):
            return self.frames.batch(indices)
        chosen = self.frames[indices].transpose(0, 1)
        dtype = chosen.dtype if chosen.is_floating_point() else torch.get_default_dtype()
        return chosen.to(dtype, memory_format=torch.contiguous_format)


def mse_to_one_hot(output: Tensor, labels: Tensor) -> Tensor:
    """Mean squared difference between the output and the one-hot labels.

    Args:
        output: ``[N, classes]``, such as firing rates.
        labels: ``[N]``, integers below the number of classes.

    Returns:
        A scalar.

    Raises:
        ValueError: the shapes do not fit or a label is out of range.

    Source: Fang et al. 2021 (PLIF), loss on firing rates.
    """
    if output.dim() != 2 or labels.shape != output.shape[:1]:
        raise ValueError(
            f"mse_to_one_hot needs output [N, classes] and labels [N]; got {list(output.shape)} and "
            f"{list(labels.shape)}"
        )
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < output.shape[1]:
        raise ValueError(
            f"labels must lie in [0, {output.shape[1] - 1}]; got {int(labels.min())} to {int(labels.max())}"
        )
    return functional.mse_loss(output, functional.one_hot(labels, output.shape[1]).to(output.dtype))


def reset_states(model: nn.Module) -> None:
    """Clear the state of every SpikingJelly neuron in ``model``; others are left alone."""
    for module in model.modules():
        if isinstance(module, MemoryModule):
            module.reset()


@dataclass
class History:
    """One entry per epoch: mean loss, training accuracy while learning, validation accuracy, wall time in s."""

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, list[float]]:
        """The four lists under their names, ready for JSON."""
        return asdict(self)


def fit(
    model: nn.Module,
    batches: Iterable[tuple[Any, Tensor]],
    *,
    epochs: int,
    lr: float = 1e-3,
    loss: Callable[[Tensor, Tensor], Tensor] = mse_to_one_hot,
    validation: Iterable[tuple[Any, Tensor]] | None = None,
    optimizer: Optimizer | None = None,
    before_batch: Callable[[nn.Module], None] = reset_states,
    after_epoch: Callable[[int, History], None] | None = None,
    progress: bool | None = None,
) -> History:
    """Train ``model`` with a cosine schedule from the learning rate to 0.

    Args:
        model: maps the inputs of a batch to ``[N, classes]``; trained in place and left in training mode.
        batches: iterated once per epoch, gives ``(inputs, labels [N])``; must have a length.
        epochs: number of passes, at least 1.
        lr: learning rate at the start, for the default optimiser.
        loss: scalar from output and labels.
        validation: batches for :func:`evaluate` after each epoch.
        optimizer: None takes Adam (fused) on the parameters that require a gradient.
        before_batch: called before every forward pass; the default resets SpikingJelly's neurons.
        after_epoch: called with the epoch, counted from 0, and the history so far.
        progress: True or False shows or hides the bar; None shows it on a terminal only.

    Returns:
        The :class:`History`.

    Raises:
        ValueError: ``epochs`` is below 1, ``lr`` is not positive, or there are no batches.
        RuntimeError: the loss became NaN or infinite.

    Source: Kingma and Ba 2015 (Adam); Loshchilov and Hutter 2017 (cosine schedule).
    """
    require_steps(epochs, "epochs")
    require_positive("lr", lr)
    per_epoch = len(batches)  # type: ignore[arg-type]
    if per_epoch == 0:
        raise ValueError("there are no batches to train on; expected at least one")
    if optimizer is None:
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * per_epoch)
    history = History()
    with tqdm(
        total=epochs * per_epoch, disable=None if progress is None else not progress, unit="batch"
    ) as bar:
        for epoch in range(epochs):
            model.train()
            began = time.perf_counter()
            summed, correct, seen = 0.0, 0, 0
            for inputs, labels in batches:
                before_batch(model)
                optimizer.zero_grad()
                output = model(inputs)
                value = loss(output, labels)
                if not bool(torch.isfinite(value)):
                    raise RuntimeError(
                        f"the loss became {float(value.detach())} in epoch {epoch}; expected a finite number. Lower the "
                        f"learning rate (now {schedule.get_last_lr()[0]:.3g}) or look for NaN in the inputs"
                    )
                value.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                summed += float(value.detach()) * len(labels)
                correct += int((output.detach().argmax(1) == labels).sum())
                seen += len(labels)
                bar.update()
            history.loss.append(summed / seen)
            history.accuracy.append(correct / seen)
            history.seconds.append(time.perf_counter() - began)
            if validation is not None:
                history.validation.append(evaluate(model, validation, before_batch=before_batch))
            shown = {name: f"{values[-1]:.3f}" for name, values in history.as_dict().items() if values}
            bar.set_postfix(epoch=epoch + 1, **shown)
            if after_epoch is not None:
                after_epoch(epoch, history)
    model.train()
    return history


def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Any, Tensor]],
    *,
    before_batch: Callable[[nn.Module], None] = reset_states,
) -> float:
    """Share of samples whose largest output is at their label, in evaluation mode; the mode is put back.

    Args:
        model: maps the inputs of a batch to ``[N, classes]``.
        batches: gives ``(inputs, labels [N])``.
        before_batch: called before every forward pass.

    Returns:
        Accuracy, from 0 to 1.

    Raises:
        ValueError: there are no samples, or the output is not ``[N, classes]``.

    Source: top-1 accuracy.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    correct = seen = 0
    try:
        with torch.no_grad():
            for inputs, labels in batches:
                before_batch(model)
                output = model(inputs)
                if output.dim() != 2 or len(output) != len(labels):
                    raise ValueError(
                        f"the model must give [N, classes] for N = {len(labels)} labels; got {list(output.shape)}. "
                        "Average a [T, N, classes] output over time first"
                    )
                correct += int((output.argmax(1) == labels).sum())
                seen += len(labels)
    finally:
        for module, training in modes.items():
            module.training = training
    if seen == 0:
        raise ValueError("there are no samples to evaluate on; expected at least one")
    return correct / seen
