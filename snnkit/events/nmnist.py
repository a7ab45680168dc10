"""The 40-bit event records of N-MNIST: five bytes an event, most significant bit first.

======  ====  ==============================
bits    wide  content
======  ====  ==============================
39-32   8     x
31-24   8     y
23      1     polarity, 1 = ON
22-0    23    time in microseconds
======  ====  ==============================

Times reach 8.388607 s; a file has no header.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from snnkit._validate import require_steps
from snnkit.events._events import Events, require_below, require_sorted, write_atomically

__all__ = [
    "RECORD",
    "TIME_LIMIT",
    "decode_nmnist",
    "encode_nmnist",
    "iter_nmnist",
    "read_nmnist",
    "write_nmnist",
]

RECORD = 5  # bytes of one event
TIME_LIMIT = 1 << 23  # microseconds


def decode_nmnist(raw: bytes, name: str = "the data") -> Events:
    """Decode the bytes of one recording.

    Args:
        raw: Whole records of five bytes.
        name: What error messages call the data.

    Returns:
        Events with x, y as int16, p as int8 and t as int32 (microseconds).

    Raises:
        ValueError: if the number of bytes is not a multiple of five.

    Source: Orchard, Jayawant, Cohen, Thakor, Frontiers in Neuroscience 9:437 (2015), data-set description.
    """
    size, remainder = divmod(len(raw), RECORD)
    if remainder:
        raise ValueError(
            f"{name} has {len(raw)} bytes, {remainder} more than {size} records of {RECORD} bytes: it was cut "
            "short or is not in the N-MNIST format; fetch or copy it again"
        )
    columns: np.ndarray[tuple[int, int], np.dtype[np.uint8]] = np.ndarray((size, RECORD), np.uint8, raw)
    # bytes 1 to 4 of each record read as one big-endian word hold y, polarity and time; what is computed from the
    # packed words is cheaper than a walk over every fifth byte
    strided: np.ndarray[tuple[int], np.dtype[np.uint32]] = np.ndarray(
        (size,), ">u4", raw, 1 if size else 0, (RECORD,)
    )
    words = strided.astype(np.uint32)
    t = (words & np.uint32(TIME_LIMIT - 1)).view(np.int32)
    words >>= np.uint32(23)
    return Events(
        x=columns[:, 0].astype(np.int16),
        y=(words >> np.uint32(1)).astype(np.int16),
        p=words.astype(np.int8) & np.int8(1),
        t=t,
    )


def encode_nmnist(events: Events) -> bytes:
    """Encode a recording as 40-bit records; the inverse of :func:`decode_nmnist`.

    Args:
        events: Sorted events with x and y in 0 ... 255, p in {0, 1}, t in 0 ... 8,388,607 us.

    Returns:
        Five bytes an event.

    Raises:
        ValueError: if a value does not fit its bits, or times decrease; names the first such event.

    Source: Orchard et al., Frontiers in Neuroscience 9:437 (2015), data-set description.
    """
    require_below("x", events.x, 256, "crop or subsample the sensor; this format has 8 bits for a coordinate")
    require_below("y", events.y, 256, "crop or subsample the sensor; this format has 8 bits for a coordinate")
    require_below("p", events.p, 2, "polarity is 1 for ON and 0 for OFF")
    require_below("t", events.t, TIME_LIMIT, "cut the recording or subtract its start; times have 23 bits")
    require_sorted(events.t)
    records = np.empty((events.size, RECORD), np.uint8)
    t = events.t.astype(np.uint32)
    records[:, 0] = events.x
    records[:, 1] = events.y
    records[:, 2] = (events.p.astype(np.uint32) << 7) | (t >> 16)
    records[:, 3] = (t >> 8) & 0xFF
    records[:, 4] = t & 0xFF
    return records.tobytes()


def read_nmnist(path: str | Path) -> Events:
    """Read one N-MNIST ``.bin`` file; see :func:`decode_nmnist`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file was cut short.
    """
    with open(path, "rb") as file:
        return decode_nmnist(file.read(), str(path))


def iter_nmnist(path: str | Path, chunk: int = 1 << 16) -> Iterator[Events]:
    """Read 40-bit records in pieces of at most ``chunk`` events; memory does not grow with the file.

    Raises:
        ValueError: if ``chunk`` is below 1, or when the end of a file that was cut short is reached.
    """
    require_steps(chunk, "chunk")
    with open(path, "rb") as file:
        start = 0
        while raw := file.read(chunk * RECORD):
            yield decode_nmnist(raw, f"{path} from byte {start}")
            start += len(raw)


def write_nmnist(path: str | Path, events: Events) -> None:
    """Write an N-MNIST ``.bin`` file (:func:`encode_nmnist`); an error leaves no half-written one behind."""
    raw = encode_nmnist(events)
    write_atomically(path, lambda file: file.write(raw))
