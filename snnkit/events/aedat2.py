"""AEDAT 2.0 recordings, such as those of CIFAR10-DVS, whole or streamed.

Text lines that start with ``#``, then pairs of big-endian 32-bit words, address and time; what the address bits mean
depends on the sensor and is an :class:`AddressLayout`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from snnkit._validate import require_steps
from snnkit.events._aedat_header import CHUNK, read_header
from snnkit.events._events import Events, require_below, require_sorted, write_atomically

__all__ = [
    "CIFAR10_DVS",
    "DVS128",
    "AddressLayout",
    "decode_aedat2",
    "iter_aedat2",
    "read_aedat2",
    "write_aedat2",
]

_WORDS = np.dtype([("address", ">u4"), ("t", ">u4")])


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
    """Read an AEDAT 2.0 file in pieces of at most ``chunk`` events; memory does not grow with the file.

    ``layout`` gives the address bits their meaning, e.g. :data:`CIFAR10_DVS`; t is int64 in microseconds.

    Raises:
        ValueError: if the file is not AEDAT 2.0 or was cut short, or ``chunk`` < 1.

    Source: jAER, AEDAT 2.0 file format.
    """
    require_steps(chunk, "chunk")
    with open(path, "rb") as file:
        yield from _stream_aedat2(file, layout, chunk, str(path))


def read_aedat2(path: str | Path, layout: AddressLayout) -> Events:
    """Read a whole AEDAT 2.0 file; see :func:`iter_aedat2`."""
    return Events.concatenate(iter_aedat2(path, layout))


def decode_aedat2(raw: bytes, layout: AddressLayout, name: str = "the data") -> Events:
    """Decode the bytes of an AEDAT 2.0 file, header included, for instance a member of an archive.

    ``name`` is what error messages call the data; see :func:`iter_aedat2` for the rest.
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


def _stream_aedat2(file: BinaryIO, layout: AddressLayout, chunk: int, name: str) -> Iterator[Events]:
    read_header(file, b"#!AER-DAT2.0", name)
    start = file.tell()
    while raw := file.read(chunk * _WORDS.itemsize):
        if remainder := len(raw) % _WORDS.itemsize:
            raise ValueError(
                f"{name} has {remainder} bytes after the last whole 8-byte event (data start at byte {start}): "
                "it was cut short; fetch or copy it again"
            )
        words = np.frombuffer(raw, _WORDS)
        yield layout.decode(words["address"].astype(np.uint32), words["t"].astype(np.uint32))
