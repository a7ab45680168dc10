"""AEDAT 3.1 recordings, such as those of DVS Gesture, whole or streamed.

Text lines that start with ``#`` up to ``#!END-HEADER``, then little-endian packets: a header of 28 bytes, then the
events.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from snnkit._validate import require_steps
from snnkit.events._aedat_header import CHUNK, read_header
from snnkit.events._events import Events, require_below, require_sorted, write_atomically

__all__ = ["iter_aedat3", "read_aedat3", "write_aedat3"]

_RECORDS = np.dtype([("data", "<u4"), ("t", "<i4")])
# type, source, event size, time offset, time overflow, capacity, number, valid
_PACKET = struct.Struct("<hhiiiiii")
_POLARITY = 1  # packet type of polarity events


def iter_aedat3(
    path: str | Path, chunk: int = CHUNK, start: int | None = None, stop: int | None = None
) -> Iterator[Events]:
    """Read the polarity events of an AEDAT 3.1 file piece by piece; memory does not grow with the file.

    Packets of other types and events marked invalid are left out.

    Args:
        path: The file.
        chunk: Most events in a piece.
        start: First microsecond wanted.
        stop: First microsecond no longer wanted; reading ends at the first packet that lies behind it.

    Yields:
        Events, t as int64 in microseconds (31 bits of the event and the packet's overflow counter above them).

    Raises:
        ValueError: if the file is not AEDAT 3.1, was cut short or is corrupt (names the byte), or ``chunk`` < 1.

    Source: iniVation, AEDAT 3.1 file format.
    """
    require_steps(chunk, "chunk")
    with open(path, "rb") as file:
        read_header(file, b"#!AER-DAT3.1", str(path))
        place = file.tell()
        total = file.seek(0, io.SEEK_END)
        file.seek(place)
        while place < total:
            kind, size, overflow, capacity, number = _read_packet_header(file, place, total, str(path))
            body, place = place + _PACKET.size, place + _PACKET.size + capacity * size
            if kind == _POLARITY:
                for first in range(0, number, chunk):
                    file.seek(body + first * size)
                    count = min(chunk, number - first)
                    events = _decode_records(file.read(count * size), overflow)
                    if stop is not None and events.size and int(events.t.min()) >= stop:
                        return
                    events = _clip(events, start, stop)
                    if events.size:
                        yield events
            file.seek(place)


def read_aedat3(path: str | Path, start: int | None = None, stop: int | None = None) -> Events:
    """Polarity events of an AEDAT 3.1 file, or those of a stretch of time; see :func:`iter_aedat3`."""
    return Events.concatenate(iter_aedat3(path, start=start, stop=stop))


def write_aedat3(path: str | Path, events: Events, packet: int = 4096) -> None:
    """Write polarity events as an AEDAT 3.1 file; an error leaves no half-written file behind.

    Args:
        path: The file.
        events: Sorted events, x and y below 2**15, p in {0, 1}, t below 2**62 us.
        packet: Most events in a packet.

    Raises:
        ValueError: if a value does not fit, times decrease, or ``packet`` < 1.

    Source: iniVation, AEDAT 3.1 file format.
    """
    require_steps(packet, "packet")
    require_below("x", events.x, 1 << 15, "AEDAT 3.1 has 15 bits for a coordinate")
    require_below("y", events.y, 1 << 15, "AEDAT 3.1 has 15 bits for a coordinate")
    require_below("p", events.p, 2, "polarity is 1 for ON and 0 for OFF")
    require_below("t", events.t, 1 << 62, "AEDAT 3.1 has 62 bits for microseconds")
    require_sorted(events.t)
    x, y, p = (getattr(events, name).astype(np.uint32) for name in "xyp")
    t = events.t.astype(np.int64)
    records = np.empty(events.size, _RECORDS)
    records["data"] = (x << 17) | (y << 2) | (p << 1) | 1
    records["t"] = t & 0x7FFF_FFFF
    overflow = t >> 31

    def write(file: BinaryIO) -> None:
        file.write(b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n")
        first = 0
        while first < events.size:
            same = int(np.searchsorted(overflow, overflow[first], side="right"))
            last = min(first + packet, same)  # one packet has one overflow counter
            count = last - first
            file.write(_PACKET.pack(_POLARITY, 1, 8, 4, int(overflow[first]), count, count, count))
            file.write(records[first:last].tobytes())
            first = last

    write_atomically(path, write)


def _read_packet_header(file: BinaryIO, place: int, total: int, name: str) -> tuple[int, int, int, int, int]:
    """Return type, event size, overflow, capacity and number of the packet at ``place``, after checking them."""
    raw = file.read(_PACKET.size)
    if len(raw) < _PACKET.size:
        raise ValueError(
            f"{name} ends inside a packet header at byte {place}: it was cut short; fetch it again"
        )
    kind, _, size, offset, overflow, capacity, number, _ = _PACKET.unpack(raw)
    if size <= 0 or not 0 <= number <= capacity or overflow < 0:
        raise ValueError(
            f"{name} has a corrupt packet header at byte {place}: event size {size}, capacity {capacity}, "
            f"number {number}, time overflow {overflow}"
        )
    if kind == _POLARITY and (size, offset) != (_RECORDS.itemsize, 4):
        raise ValueError(
            f"{name} has polarity events of {size} bytes with the time at byte {offset} in the packet at byte "
            f"{place}; expected 8 bytes and 4"
        )
    end = place + _PACKET.size + capacity * size
    if end > total:
        raise ValueError(
            f"{name} has {total} bytes, but its packet at byte {place} reaches to byte {end}: it was cut short; "
            "fetch or copy it again"
        )
    return kind, size, overflow, capacity, number


def _decode_records(raw: bytes, overflow: int) -> Events:
    records = np.frombuffer(raw, _RECORDS)
    data = records["data"]
    valid = (data & 1) == 1
    if not bool(valid.all()):
        records, data = records[valid], data[valid]
    return Events(
        x=(data >> 17).astype(np.int16),
        y=((data >> 2) & 0x7FFF).astype(np.int16),
        p=((data >> 1) & 1).astype(np.int8),
        t=records["t"].astype(np.int64) | (overflow << 31),
    )


def _clip(events: Events, start: int | None, stop: int | None) -> Events:
    """Keep the times wanted; a mask, because recordings with steps back in time exist."""
    keep = np.ones(events.size, bool)
    if start is not None:
        keep &= events.t >= start
    if stop is not None:
        keep &= events.t < stop
    return events if bool(keep.all()) else events[keep]
