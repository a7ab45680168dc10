"""Checks of arguments whose messages name the value found and the one expected."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def require_positive(name: str, value: float | Tensor) -> None:
    """Raise ``ValueError`` unless every element of ``value`` is finite and above 0."""
    if isinstance(value, Tensor):
        if value.numel() == 0:
            raise ValueError(f"{name} is empty; expected at least one positive number")
        lowest = float(value.detach().min())
        if not bool(torch.isfinite(value).all()) or lowest <= 0:
            raise ValueError(f"{name} must be positive and finite everywhere; its smallest value is {lowest}")
    elif not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive finite number; got {value}")


def require_in(name: str, value: float, low: float, high: float) -> None:
    """Raise ``ValueError`` unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise ValueError(f"{name} must lie in [{low}, {high}]; got {value}")


def require_steps(steps: int, name: str = "steps") -> None:
    """Raise unless ``steps`` is a whole number of at least 1."""
    if isinstance(steps, bool) or not isinstance(steps, int):
        raise TypeError(f"{name} must be an int; got {type(steps).__name__} {steps!r}")
    if steps < 1:
        raise ValueError(f"{name} must be at least 1; got {steps}")


def require_float(name: str, value: Tensor) -> None:
    """Raise ``TypeError`` unless ``value`` is a floating-point tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor; got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must have a floating-point dtype; got {value.dtype}")


def require_finite(name: str, value: Tensor) -> None:
    """Raise ``ValueError`` if ``value`` holds NaN or an infinity, naming the first place."""
    bad = ~torch.isfinite(value)
    if bool(bad.any()):
        place = tuple(int(index) for index in bad.nonzero()[0])
        raise ValueError(f"{name} must be finite; element {place} is {float(value[place])}")


def require_shape(name: str, value: Tensor, expected: Sequence[int | str]) -> None:
    """Raise ``ValueError`` unless ``value.shape`` fits ``expected`` (a string stands for any size)."""
    fits = value.dim() == len(expected) and all(
        isinstance(want, str) or want == size for want, size in zip(expected, value.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(str(size) for size in expected)
        raise ValueError(f"{name} must have shape [{wanted}]; got {list(value.shape)}")
