"""Calibration images in batches, whatever they come as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from snnkit._validate import require_finite, require_float, require_steps

Images = Tensor | Iterable[object]


def image_batches(images: Images, batch_size: int) -> Iterator[Tensor]:
    """Yield batches of images, channels-last where they have two space axes.

    Args:
        images: A tensor [N, ...], or something that can be gone through again and again (a list, a
            DataLoader) and gives batches [n, ...] or tuples that begin with one.
        batch_size: n for a tensor; otherwise the batches are taken as they come.

    Raises:
        TypeError: If a batch is not a floating-point tensor.
        ValueError: If there is no image, or one holds NaN or infinity.
    """
    require_steps(batch_size, "batch_size")
    parts: Iterable[Any] = torch.split(images, batch_size) if isinstance(images, Tensor) else images
    found = False
    for part in parts:
        batch: Tensor = part[0] if isinstance(part, (tuple, list)) else part
        require_float("images", batch)
        if batch.shape[0] == 0:
            continue
        require_finite("images", batch)
        found = True
        yield batch.contiguous(memory_format=torch.channels_last) if batch.dim() == 4 else batch
    if not found:
        raise ValueError("the calibration set is empty; expected at least one image [N, ...]")
