"""Events summed into frames ``[T, 2, H, W]``; channel 0 counts OFF events, channel 1 ON events.

Both ways of cutting a recording into T bins are those of SpikingJelly, tonic's drop events at the end:

* by count: bin i holds events ``i*(N//T) ... (i+1)*(N//T) - 1``, and the last bin also the ``N mod T`` left over;
* by time: bin i holds the events with ``t0 + i*d <= t < t0 + (i+1)*d``, where ``d = (t_last - t0) // T``, and the
  last bin everything after. A bin may be empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from snnkit._validate import require_steps
from snnkit.events._events import Events, IntArray, require_below, require_sorted


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
    each = events.size // steps
    return _sum(events, np.arange(steps) * each, height, width, dtype)


def frames_by_time(
    events: Events, steps: int, height: int, width: int, dtype: DTypeLike = np.uint8
) -> NDArray[Any]:
    """Sum events into ``steps`` frames that each last the same time.

    Args:
        events: A recording sorted by time.
        steps: Number of frames T. A recording shorter than T microseconds falls into the last frame.
        height: Rows H of the sensor.
        width: Columns W of the sensor.
        dtype: Type of the counts.

    Returns:
        Counts ``[T, 2, H, W]``.

    Raises:
        ValueError: if T < 1, times decrease, or an event lies outside the sensor.
        OverflowError: if a count does not fit ``dtype``.

    Source: SpikingJelly, ``integrate_events_by_fixed_frames_number`` with ``split_by="time"``.
    """
    require_steps(steps)
    require_sorted(events.t)
    start = int(events.t[0]) if events.size else 0
    edges = start + events.duration // steps * np.arange(steps, dtype=events.t.dtype)
    first = np.searchsorted(events.t, edges)
    first[0] = 0
    return _sum(events, first, height, width, dtype)


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
            counts += np.bincount(flat[done:stop], minlength=counts.size)
            yield _cast(counts, dtype).reshape(2, height, width)
            counts[:] = 0
            done = stop
            end += duration
        counts += np.bincount(flat[done:], minlength=counts.size)
    if end is not None:
        yield _cast(counts, dtype).reshape(2, height, width)


def _flatten(events: Events, height: int, width: int) -> NDArray[np.int32]:
    """Return the index of each event's pixel in a flattened ``[2, H, W]`` frame."""
    require_steps(height, "height")
    require_steps(width, "width")
    require_below("x", events.x, width, f"the sensor is {width} pixels wide; pass the width of this recording")
    require_below("y", events.y, height, f"the sensor is {height} pixels high; pass the height of this recording")
    require_below("p", events.p, 2, "polarity is 1 for ON and 0 for OFF")
    flat = np.multiply(events.p, height, dtype=np.int32)
    flat += events.y
    flat *= width
    flat += events.x
    return flat


def _sum(events: Events, first: IntArray, height: int, width: int, dtype: DTypeLike) -> NDArray[Any]:
    """Count events per frame and pixel; ``first[i]`` is the index of the first event of frame i."""
    steps, pixels = first.size, 2 * height * width
    flat = _flatten(events, height, width)
    lengths = np.diff(first, append=events.size)
    flat += np.repeat(np.arange(steps, dtype=np.int32) * np.int32(pixels), lengths)
    counts = np.bincount(flat, minlength=steps * pixels)
    return _cast(counts, dtype).reshape(steps, 2, height, width)


def _cast(counts: NDArray[np.int64], dtype: DTypeLike) -> NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind in "iu" and kind.itemsize < 8:
        limit = int(np.iinfo(kind).max)
        highest = int(counts.max(initial=0))
        if highest > limit:
            raise OverflowError(
                f"a pixel counted {highest} events in one frame, but {kind} holds at most {limit}: "
                "use more steps or a wider dtype such as numpy.uint16"
            )
    return counts.astype(kind)
