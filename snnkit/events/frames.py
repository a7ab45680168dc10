"""Events summed into frames ``[T, 2, H, W]``; channel 0 counts OFF events, channel 1 ON events.

Both ways of cutting a recording into T bins are those of SpikingJelly, tonic's drop events at the end:

* by count: bin i holds events ``i*(N//T) ... (i+1)*(N//T) - 1``, and the last bin also the ``N mod T`` left over;
* by time: bin i holds the events with ``t0 + i*d <= t < t0 + (i+1)*d``, where ``d = (t_last - t0) // T``, and the
  last bin everything after. A bin may be empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from snnkit._validate import require_steps
from snnkit.events._events import Events, IntArray, require_below, require_sorted

__all__ = ["frames_by_count", "frames_by_time", "iter_frames"]


def frames_by_count(
    events: Events, steps: int, height: int, width: int, dtype: DTypeLike = np.uint8
) -> NDArray[Any]:
    """Sum events into ``steps`` frames that each hold the same number of events.

    Args:
        events: A recording of N events.
        steps: Number of frames T. With N < T all events fall into the last frame.
        height: Rows H of the sensor.
        width: Columns W of the sensor.
        dtype: Type of the counts.

    Returns:
        Counts ``[T, 2, H, W]``.

    Raises:
        ValueError: if T < 1 or an event lies outside the sensor.
        OverflowError: if a count does not fit ``dtype``.

    Source: SpikingJelly, ``integrate_events_by_fixed_frames_number`` with ``split_by="number"``.
    """
    require_steps(steps)
    bounds = np.arange(steps + 1) * (events.size // steps)
    bounds[-1] = events.size
    return _sum(events, bounds, height, width, dtype)


def frames_by_time(
    events: Events, steps: int, height: int, width: int, dtype: DTypeLike = np.uint8
) -> NDArray[Any]:
    """Sum events into ``steps`` frames that each last the same time.

    The recording is sorted by time; one shorter than T microseconds falls into the last frame. Arguments, result
    and errors as in :func:`frames_by_count`, and ``ValueError`` if times decrease.

    Source: SpikingJelly, ``integrate_events_by_fixed_frames_number`` with ``split_by="time"``.
    """
    require_steps(steps)
    require_sorted(events.t)
    bounds = np.empty(steps + 1, np.intp)
    bounds[:-1] = events.t.searchsorted(_edges(events, steps))
    bounds[-1] = events.size
    bounds[0] = 0
    return _sum(events, bounds, height, width, dtype)


def iter_frames(
    chunks: Iterable[Events], duration: int, height: int, width: int, dtype: DTypeLike = np.uint16
) -> Iterator[NDArray[Any]]:
    """Sum a stream of events into frames that last ``duration`` microseconds; holds one frame and one chunk.

    Args:
        chunks: Pieces of one recording in order, as the ``iter_...`` readers yield them.
        duration: Microseconds of one frame, counted from the first event.
        height: Rows H of the sensor.
        width: Columns W of the sensor.
        dtype: Type of the counts.

    Yields:
        Counts ``[2, H, W]``; silent windows are yielded too.

    Raises:
        ValueError: if ``duration`` < 1, times decrease, or an event lies outside the sensor.
        OverflowError: if a count does not fit ``dtype``.

    Source: fixed-duration integration, as SpikingJelly's ``integrate_events_by_fixed_duration``.
    """
    require_steps(duration, "duration")
    counts = np.zeros(2 * height * width, np.int64)
    end: int | None = None
    last = 0
    for chunk in chunks:
        if chunk.size == 0:
            continue
        require_sorted(chunk.t)
        if end is None:
            end = int(chunk.t[0]) + duration
        elif int(chunk.t[0]) < last:
            raise ValueError(f"times must not decrease; a chunk starts at {chunk.t[0]} us after {last} us")
        last = int(chunk.t[-1])
        flat = _flatten(chunk, height, width)
        done = 0
        while last >= end:
            stop = int(np.searchsorted(chunk.t, end))
            np.add.at(counts, flat[done:stop], np.int64(1))
            yield _narrow(counts, dtype).reshape(2, height, width)
            counts[:] = 0
            done = stop
            end += duration
        np.add.at(counts, flat[done:], np.int64(1))
    if end is not None:
        yield _narrow(counts, dtype).reshape(2, height, width)


def _edges(events: Events, steps: int) -> IntArray:
    """Return the first microsecond of each of ``steps`` equally long frames."""
    start = int(events.t[0]) if events.size else 0
    return start + events.duration // steps * np.arange(steps, dtype=events.t.dtype)


def _flatten(events: Events, height: int, width: int) -> NDArray[np.signedinteger[Any]]:
    """Return the index of each event's pixel in a flattened ``[2, H, W]`` frame."""
    require_steps(height, "height")
    require_steps(width, "width")
    require_below(
        "x", events.x, width, f"the sensor is {width} pixels wide; pass the width of this recording"
    )
    require_below(
        "y", events.y, height, f"the sensor is {height} pixels high; pass the height of this recording"
    )
    require_below("p", events.p, 2, "polarity is 1 for ON and 0 for OFF")
    # 16 bits are four times less to move, where they suffice
    kind: type[np.signedinteger[Any]] = np.int16 if 2 * height * width <= 1 << 15 else np.intp
    flat: NDArray[np.signedinteger[Any]] = events.p.astype(kind)
    flat *= kind(height)
    flat += events.y.astype(kind, copy=False)
    flat *= kind(width)
    flat += events.x.astype(kind, copy=False)
    return flat


def _sum(events: Events, bounds: IntArray, height: int, width: int, dtype: DTypeLike) -> NDArray[Any]:
    """Count events per frame and pixel; frame i holds the events ``bounds[i] ... bounds[i + 1] - 1``."""
    steps, pixels = bounds.size - 1, 2 * height * width
    lengths = bounds[1:] - bounds[:-1]
    flat = np.repeat(np.arange(0, steps * pixels, pixels), lengths)
    flat += _flatten(events, height, width)
    return _count(flat, steps * pixels, int(lengths.max()), dtype).reshape(steps, 2, height, width)


def _count(flat: NDArray[np.intp], size: int, most: int, dtype: DTypeLike) -> NDArray[Any]:
    """Count each index; ``most`` is a bound on the counts known beforehand."""
    kind = _count_type(dtype)
    counts = np.zeros(size, kind)
    # adding a scalar of the array's own type is numpy's fast path: three times faster than bincount and a cast
    np.add.at(counts, flat, kind.type(1))
    # a count that wrapped round makes the total fall short of the number of events
    if most > _largest(kind) and int(counts.sum(dtype=np.int64)) != flat.size:
        _narrow(np.bincount(flat), kind)
    return counts


def _narrow(counts: NDArray[np.int64], dtype: DTypeLike) -> NDArray[Any]:
    kind = _count_type(dtype)
    highest, limit = int(counts.max(initial=0)), _largest(kind)
    if highest > limit:
        raise OverflowError(
            f"a pixel counted {highest} events in one frame, but {kind} counts to {limit}: "
            "use more or shorter frames, or a wider dtype such as numpy.uint16"
        )
    return counts.astype(kind)


def _count_type(dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind.kind not in "iuf":
        raise TypeError(f"frames are counts: dtype must be an integer or floating-point type; got {kind}")
    return kind


@cache
def _largest(kind: np.dtype[Any]) -> int:
    """Return the largest n so that 0 ... n are all exact in a numpy type."""
    return int(np.iinfo(kind).max) if kind.kind in "iu" else 1 << (np.finfo(kind).nmant + 1)
