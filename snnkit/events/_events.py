"""The record that every event function takes or returns, and the checks and writes that the formats share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.integer[Any]]
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True, eq=False)
class Events:
    """A recording: four 1-D integer arrays of one length, sorted by time.

    Args:
        x: Column, 0 at the left.
        y: Row, 0 at the top.
        p: Polarity, 1 = ON, 0 = OFF.
        t: Time in microseconds.

    Raises:
        TypeError: if an array does not hold integers.
        ValueError: if an array is not 1-D or the lengths differ.
    """

    x: IntArray
    y: IntArray
    p: IntArray
    t: IntArray

    def __post_init__(self) -> None:
        shape = (self.x.size,)
        for name, values in self.__dict__.items():
            if values.dtype.kind not in "iu":
                raise TypeError(f"Events.{name} must hold integers; got dtype {values.dtype}")
            if values.shape != shape:
                raise ValueError(f"Events.{name} must have shape {shape} like x; got {values.shape}")

    @property
    def size(self) -> int:
        """Number of events."""
        return int(self.x.size)

    @property
    def duration(self) -> int:
        """Microseconds from the first to the last event (0 when there are fewer than two)."""
        return int(self.t[-1]) - int(self.t[0]) if self.size else 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: slice | NDArray[Any]) -> Events:
        """Return the events that a slice, a mask or an index array selects."""
        if isinstance(index, slice) or (isinstance(index, np.ndarray) and index.ndim == 1):
            return Events(self.x[index], self.y[index], self.p[index], self.t[index])
        raise TypeError(f"index events with a slice, a mask or an index array; got {type(index).__name__}")

    def between(self, start: int, stop: int) -> Events:
        """Return the events with ``start <= t < stop`` (microseconds)."""
        low, high = np.searchsorted(self.t, [start, stop])
        return self[int(low) : int(high)]

    @staticmethod
    def empty() -> Events:
        """Return a recording without events."""
        return Events(
            np.empty(0, np.int16), np.empty(0, np.int16), np.empty(0, np.int8), np.empty(0, np.int64)
        )

    @staticmethod
    def concatenate(parts: Iterable[Events]) -> Events:
        """Join recordings one after the other (times are kept as they are)."""
        listed = list(parts)
        if not listed:
            return Events.empty()
        if len(listed) == 1:
            return listed[0]
        return Events(*(np.concatenate([getattr(part, name) for part in listed]) for name in "xypt"))


def exceeds(values: IntArray, limit: int) -> bool:
    """Tell whether some value is negative or at least ``limit`` (one pass: negatives look huge unsigned)."""
    return values.size > 0 and int(values.view(_UNSIGNED[values.dtype.itemsize]).max()) >= limit


def require_below(name: str, values: IntArray, limit: int, advice: str) -> None:
    """Raise ``ValueError`` naming the first value outside ``0 ... limit - 1``."""
    if exceeds(values, limit):
        place = int(np.flatnonzero((values < 0) | (values >= limit))[0])
        raise ValueError(f"{name} of event {place} is {values[place]}; expected 0 to {limit - 1}: {advice}")


def require_sorted(t: IntArray) -> None:
    """Raise ``ValueError`` unless times never decrease."""
    if t.size > 1:
        falls = t[1:] < t[:-1]
        if falls.any():
            place = int(falls.argmax()) + 1
            raise ValueError(
                f"times must not decrease; event {place} is at {t[place]} us after {t[place - 1]} us: "
                "sort the events by t first"
            )


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path`` and rename it only when that succeeded."""
    target = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
