"""AEDAT recordings: version 2.0 (CIFAR10-DVS) and version 3.1 (DVS Gesture), whole or streamed.

Both begin with text lines that start with ``#``. Version 2.0 goes on with pairs of big-endian 32-bit words, address
and time; what the address bits mean depends on the sensor and is an :class:`AddressLayout`. Version 3.1 ends its
text with ``#!END-HEADER`` and goes on with little-endian packets: a header of 28 bytes, then the events.
"""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from snnkit._validate import require_steps
from snnkit.events._events import Events, require_below, require_sorted, write_atomically

CHUNK = 1 << 16  # events held at a time when streaming
_LINE_LIMIT = 4096  # bytes of one header line
_WORDS = np.dtype([("address", ">u4"), ("t", ">u4")])
_RECORDS = np.dtype([("data", "<u4"), ("t", "<i4")])
_PACKET = struct.Struct(
    "<hhiiiiii"
)  # type, source, event size, time offset, time overflow, capacity, number, valid
_POLARITY = 1  # packet type of polarity events


@dataclass(frozen=True)
class AddressLayout:
    """Where the bits of an AEDAT 2.0 address hold column, row and polarity.

    Args:
        x_shift: Lowest bit of the column.
        y_shift: Lowest bit of the row.
        bits: Bits of each; the sensor has ``2**bits`` rows and columns.
        flip_x: The column is counted from the right.
        flip_y: The row is counted from the bottom.
        on: Value of bit 0 that means ON.
        special: Bits that mark an entry as something other than a pixel's event; such entries are left out.

    Source: jAER, AEDAT 2.0 file format and its DVS128 chip class.
    """

    x_shift: int
    y_shift: int
    bits: int = 7
    flip_x: bool = True
    flip_y: bool = True
    on: int = 0
    special: int = 0x8000_8000

    @property
    def size(self) -> int:
        """Rows and columns of the sensor."""
        return 1 << self.bits

    def decode(self, address: NDArray[np.uint32], t: NDArray[np.uint32]) -> Events:
        """Return the events of address and time words."""
        pixel = (address & np.uint32(self.special)) == 0
        if not bool(pixel.all()):
            address, t = address[pixel], t[pixel]
        last = self.size - 1
        x = ((address >> self.x_shift) & last).astype(np.int16)
        y = ((address >> self.y_shift) & last).astype(np.int16)
        return Events(
            x=last - x if self.flip_x else x,
            y=last - y if self.flip_y else y,
            p=((address & 1) == self.on).astype(np.int8),
            t=t.astype(np.int64),
        )

    def encode(self, events: Events) -> NDArray[np.uint32]:
        """Return the address words of events; the inverse of :meth:`decode`."""
        require_below("x", events.x, self.size, f"this layout has {self.bits} bits for a coordinate")
        require_below("y", events.y, self.size, f"this layout has {self.bits} bits for a coordinate")
        require_below("p", events.p, 2, "polarity is 1 for ON and 0 for OFF")
        last = self.size - 1
        x = (last - events.x if self.flip_x else events.x).astype(np.uint32)
        y = (last - events.y if self.flip_y else events.y).astype(np.uint32)
        sign = (events.p if self.on else 1 - events.p).astype(np.uint32)
        address: NDArray[np.uint32] = (x << np.uint32(self.x_shift)) | (y << np.uint32(self.y_shift)) | sign
        return address


DVS128 = AddressLayout(x_shift=1, y_shift=8)
"""jAER's layout of the 128 x 128 sensor DVS128."""

CIFAR10_DVS = AddressLayout(x_shift=8, y_shift=1)
"""The layout of CIFAR10-DVS, which is that of DVS128 with the sensor on its side, so that row and column change places."""


def iter_aedat2(path: str | Path, layout: AddressLayout, chunk: int = CHUNK) -> Iterator[Events]:
    """Read an AEDAT 2.0 file piece by piece; memory does not grow with the file.

    Args:
        path: The file.
        layout: Meaning of the address bits, e.g. :data:`CIFAR10_DVS`.
        chunk: Events in a piece.

    Yields:
        Events, t as int64 in microseconds, at most ``chunk`` at a time.

    Raises:
        ValueError: if the file is not AEDAT 2.0 or was cut short, or ``chunk`` < 1.

    Source: jAER, AEDAT 2.0 file format.
    """
    require_steps(chunk, "chunk")
    with open(path, "rb") as file:
        yield from _stream_aedat2(file, layout, chunk, str(path))


def read_aedat2(path: str | Path, layout: AddressLayout) -> Events:
    """Read a whole AEDAT 2.0 file.

    Args:
        path: The file.
        layout: Meaning of the address bits, e.g. :data:`CIFAR10_DVS`.

    Returns:
        Events, t as int64 in microseconds.

    Raises:
        ValueError: if the file is not AEDAT 2.0 or was cut short.

    Source: jAER, AEDAT 2.0 file format.
    """
    return Events.concatenate(iter_aedat2(path, layout))


def decode_aedat2(raw: bytes, layout: AddressLayout, name: str = "the data") -> Events:
    """Decode the bytes of an AEDAT 2.0 file, for instance a member of an archive.

    Args:
        raw: The bytes of the file, header included.
        layout: Meaning of the address bits.
        name: What error messages call the data.

    Returns:
        Events, t as int64 in microseconds.

    Raises:
        ValueError: if the bytes are not AEDAT 2.0 or were cut short.

    Source: jAER, AEDAT 2.0 file format.
    """
    return Events.concatenate(_stream_aedat2(io.BytesIO(raw), layout, CHUNK, name))


def write_aedat2(path: str | Path, events: Events, layout: AddressLayout) -> None:
    """Write an AEDAT 2.0 file; an error leaves no half-written file behind.

    Args:
        path: The file.
        events: Sorted events that fit the layout, t below 2**31 us.
        layout: Meaning of the address bits.

    Raises:
        ValueError: if a value does not fit, or times decrease.

    Source: jAER, AEDAT 2.0 file format.
    """
    require_below("t", events.t, 1 << 31, "AEDAT 2.0 has 31 bits for microseconds; subtract the start")
    require_sorted(events.t)
    words = np.empty(events.size, _WORDS)
    words["address"] = layout.encode(events)
    words["t"] = events.t
    text = b"#!AER-DAT2.0\r\n# int32 address, int32 timestamp, big-endian\r\n# timestamps tick is 1 us\r\n"
    write_atomically(path, lambda file: file.write(text + words.tobytes()))


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
        _read_header(file, b"#!AER-DAT3.1", str(path))
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
    """Read the polarity events of an AEDAT 3.1 file, or those of a stretch of time.

    Args:
        path: The file.
        start: First microsecond wanted.
        stop: First microsecond no longer wanted.

    Returns:
        Events, t as int64 in microseconds.

    Raises:
        ValueError: if the file is not AEDAT 3.1, was cut short or is corrupt.

    Source: iniVation, AEDAT 3.1 file format.
    """
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


@dataclass(frozen=True)
class GestureTrial:
    """One line of a DVS Gesture label file: label 1 to 11, first microsecond, first microsecond after it."""

    label: int
    start: int
    stop: int


def read_gesture_labels(path: str | Path) -> list[GestureTrial]:
    """Read a DVS Gesture label file, ``class,startTime_usec,endTime_usec`` and one line a trial.

    Args:
        path: A file ``userNN_LIGHT_labels.csv``.

    Returns:
        The trials in the order of the file.

    Raises:
        ValueError: if a line is not three integers, a label is not 1 to 11 or a trial does not last; names the line.

    Source: Amir et al., CVPR 2017, data-set description.
    """
    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines or [cell.strip() for cell in lines[0]] != ["class", "startTime_usec", "endTime_usec"]:
        raise ValueError(
            f"{path} line 1 is {','.join(lines[0]) if lines else 'missing'!r}; expected "
            "'class,startTime_usec,endTime_usec': is this a DVS Gesture label file?"
        )
    trials = []
    for number, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            label, start, stop = (int(cell) for cell in cells)
        except ValueError:
            raise ValueError(
                f"{path} line {number} is {','.join(cells)!r}; expected three integers"
            ) from None
        if not 1 <= label <= 11 or not 0 <= start < stop:
            raise ValueError(
                f"{path} line {number} is {','.join(cells)!r}; expected class 1 to 11 and start < end"
            )
        trials.append(GestureTrial(label, start, stop))
    return trials


def _read_header(file: BinaryIO, version: bytes, name: str) -> None:
    """Check the version line and move behind the text."""
    line = file.readline(_LINE_LIMIT)
    if line.rstrip() != version:
        raise ValueError(f"{name} begins with {line[:24]!r}; expected {version!r}: it is in another format")
    while True:
        place = file.tell()
        line = file.readline(_LINE_LIMIT)
        if line.startswith(b"#!END-HEADER"):
            return
        if not line.startswith(b"#"):
            if version == b"#!AER-DAT3.1":
                raise ValueError(f"{name} has no line #!END-HEADER before byte {place}: it was cut short")
            file.seek(place)
            return


def _stream_aedat2(file: BinaryIO, layout: AddressLayout, chunk: int, name: str) -> Iterator[Events]:
    _read_header(file, b"#!AER-DAT2.0", name)
    start = file.tell()
    while raw := file.read(chunk * _WORDS.itemsize):
        if remainder := len(raw) % _WORDS.itemsize:
            raise ValueError(
                f"{name} has {remainder} bytes after the last whole 8-byte event (data start at byte {start}): "
                "it was cut short; fetch or copy it again"
            )
        words = np.frombuffer(raw, _WORDS)
        yield layout.decode(words["address"].astype(np.uint32), words["t"].astype(np.uint32))


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
