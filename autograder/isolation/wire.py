"""The worker protocol: what a worker sends is typed and bounded, what is sent to it is plain data.

A worker's frame is ``b"SNF1"``, the length of its JSON body and the number of its arrays (two little-endian 32-bit
numbers), the body (one of :mod:`messages`), then per array its length (64 bits) and its bytes in NumPy's ``.npy``
layout. It may have been written by a student, so each length is checked before anything is allocated, msgspec decodes
the body into its type, the ``.npy`` header is matched against one regular expression (NumPy itself evaluates it as a
Python literal), and only numbers and booleans of fixed width are accepted. Every violation raises :class:`FrameError`.

A request to a worker is its length (64 bits) and a pickle, which only the worker reads.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pickle import dumps
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .messages import CaseDone, Message

__all__ = ["FrameError", "FrameLimits", "decode", "encode", "encode_request", "read_frame"]

MAGIC = b"SNF1"
_HEAD = struct.Struct("<4sII")
LENGTH = struct.Struct("<Q")
_NPY = b"\x93NUMPY\x01\x00"
_NPY_LENGTH = struct.Struct("<H")
_NPY_HEADER = re.compile(
    rb"\{'descr': '([<|][biuf][1248])', 'fortran_order': (False|True), "
    rb"'shape': \(((?:[0-9]{1,12}(?:, [0-9]{1,12}){0,15},?)?)\), \} *\n"
)
_DTYPES = {
    name.encode(): np.dtype(name)
    for name in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
}
_DECODER = msgspec.json.Decoder(Message)
# Matches from every quote on, ended or not, without backtracking: the scan stays linear on any input.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.?+[^"\\]*+)*+"?+', re.DOTALL)
_LARGEST_HEADER = 256
_CHUNK = 1 << 20

Read = Callable[[int], bytes]
Array = NDArray[Any]


class FrameError(Exception):
    """A frame breaks the protocol. ``reason`` is one word, the text says what was found and what was expected."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason = reason


@dataclass(frozen=True)
class FrameLimits:
    """Largest frame accepted: bytes of the body and its number of values, arrays, their bytes and elements."""

    body: int = 8 << 20
    values: int = 50_000
    arrays: int = 2048
    array_bytes: int = 96 << 20
    elements: int = 12_000_000
    dimensions: int = 8


DEFAULT = FrameLimits()


def encode_array(array: Array) -> bytes:
    """An array in the ``.npy`` layout, version 1.0.

    Raises:
        TypeError: the dtype is not one of the fixed-width numbers or booleans.
    """
    array = np.asarray(array)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    if array.dtype.str.encode() not in _DTYPES:
        raise TypeError(f"arrays of dtype {array.dtype} do not cross; expected booleans, integers or floats")
    header = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {array.shape}, }}".encode()
    header += b" " * (-(len(_NPY) + 2 + len(header) + 1) % 64) + b"\n"
    return b"".join((_NPY, _NPY_LENGTH.pack(len(header)), header, array.tobytes()))


def decode_array(data: bytes | bytearray | memoryview, limits: FrameLimits = DEFAULT) -> Array:
    """The array of ``.npy`` bytes, copied; nothing of the header is evaluated.

    Raises:
        FrameError: the bytes are not exactly one array of an accepted dtype within the limits.
    """
    view = memoryview(data)
    start = len(_NPY) + _NPY_LENGTH.size
    if bytes(view[: len(_NPY)]) != _NPY or len(view) < start:
        raise FrameError("npy", "the bytes do not begin like a .npy file of version 1.0")
    (length,) = _NPY_LENGTH.unpack(view[len(_NPY) : start])
    if length > _LARGEST_HEADER or len(view) < start + length:
        raise FrameError(
            "npy", f"a header of {length} bytes; expected at most {_LARGEST_HEADER}, all present"
        )
    match = _NPY_HEADER.fullmatch(bytes(view[start : start + length]))
    if match is None or match[1] not in _DTYPES:
        raise FrameError("npy", "the header is not that of a plain array of fixed-width numbers")
    dtype = _DTYPES[match[1]]
    shape = tuple(int(part) for part in match[3].split(b",") if part.strip())
    if len(shape) > limits.dimensions:
        raise FrameError("npy", f"{len(shape)} dimensions; expected at most {limits.dimensions}")
    size = math.prod(shape)
    if size > limits.elements:
        raise FrameError("size", f"an array of {size:,} elements; expected at most {limits.elements:,}")
    if math.prod(filter(None, shape)) > limits.elements:
        raise FrameError(
            "size", f"an empty array of shape {shape}; expected axes of at most {limits.elements:,}"
        )
    body = view[start + length :]
    if len(body) != size * dtype.itemsize:
        raise FrameError("npy", f"{len(body)} bytes of data; the header announces {size * dtype.itemsize}")
    if dtype.kind == "b" and size and int(np.frombuffer(body, np.uint8).max()) > 1:
        raise FrameError("npy", "a boolean array holds other bytes than 0 and 1")
    flat = np.frombuffer(body, dtype)
    return np.array(flat.reshape(shape, order="F" if match[2] == b"True" else "C"), order="C", copy=True)


def encode(message: Message, arrays: Iterable[Array] = ()) -> bytes:
    """A message and its arrays as one frame.

    Raises:
        TypeError: an array is not of fixed-width numbers or booleans.
        UnicodeEncodeError: a text holds half a surrogate pair.
    """
    body, payloads = msgspec.json.encode(message), [encode_array(array) for array in arrays]
    parts = [_HEAD.pack(MAGIC, len(body), len(payloads)), body]
    for data in payloads:
        parts += [LENGTH.pack(len(data)), data]
    return b"".join(parts)


def decode_body(text: bytes, limits: FrameLimits = DEFAULT) -> Message:
    """The message of a frame; the number of its values is counted before it is parsed.

    Raises:
        FrameError: not JSON, too many values, not one of the messages, or text that is not Unicode.
    """
    bare = _STRING.sub(b"s", text)
    if bare.count(b",") + bare.count(b":") + bare.count(b"[") + bare.count(b"{") > limits.values:
        raise FrameError("values", f"more than {limits.values:,} values")
    try:
        message: Message = _DECODER.decode(text)
    except msgspec.ValidationError as error:
        raise FrameError("answer", f"not a message of the protocol ({_short(error)})") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError("json", f"not JSON ({_short(error)})") from error
    return message


def _short(error: Exception) -> str:
    """An error's text on one line; it may quote what was sent."""
    return " ".join(str(error).split())[:200]


def read_frame(read: Read, limits: FrameLimits = DEFAULT) -> tuple[Message, dict[str, Array]]:
    """Read one frame.

    Args:
        read: ``read(n)`` gives exactly ``n`` bytes (at most a megabyte at a time is asked for) or raises
            :class:`FrameError`.
        limits: largest frame accepted.

    Returns:
        The message and, of a case, its arrays by name.

    Raises:
        FrameError: the frame breaks the protocol or a limit.
    """
    magic, body_length, count = _HEAD.unpack(read(_HEAD.size))
    if magic != MAGIC:
        raise FrameError("magic", "the frame does not begin with the mark of the protocol")
    if body_length > limits.body:
        raise FrameError("size", f"a body of {body_length:,} bytes; expected at most {limits.body:,}")
    if count > limits.arrays:
        raise FrameError("size", f"{count:,} arrays; expected at most {limits.arrays:,}")
    message = decode_body(bytes(_gather(read, body_length)), limits)
    names = message.arrays if isinstance(message, CaseDone) else ()
    if count != len(names) or count != len(set(names)):
        raise FrameError("value", f"{count:,} arrays; the message names {len(set(names)):,}")
    left_bytes, left_elements = limits.array_bytes, limits.elements
    arrays: dict[str, Array] = {}
    for name in names:
        (length,) = LENGTH.unpack(read(LENGTH.size))
        if length > left_bytes:
            raise FrameError("size", f"arrays of more than {limits.array_bytes:,} bytes in one frame")
        arrays[name] = decode_array(_gather(read, length), limits)
        left_bytes -= length
        left_elements -= arrays[name].size
        if left_elements < 0:
            raise FrameError("size", f"more than {limits.elements:,} elements in one frame")
    return message, arrays


def _gather(read: Read, length: int) -> bytearray:
    """``length`` bytes, in chunks, so that an announced length alone allocates nothing."""
    data = bytearray()
    while len(data) < length:
        data += read(min(_CHUNK, length - len(data)))
    return data


def decode(data: bytes, limits: FrameLimits = DEFAULT) -> tuple[Message, dict[str, Array]]:
    """Exactly one frame given as bytes; see :func:`read_frame`.

    Raises:
        FrameError: the bytes are not exactly one frame within the limits.
    """
    place = 0

    def read(count: int) -> bytes:
        nonlocal place
        chunk = data[place : place + count]
        if len(chunk) < count:
            raise FrameError("closed", f"{len(chunk)} bytes left; expected {count}")
        place += count
        return chunk

    frame = read_frame(read, limits)
    if place != len(data):
        raise FrameError("size", f"{len(data) - place} bytes after the end of the frame")
    return frame


def encode_request(request: dict[str, Any]) -> bytes:
    """A request as the worker reads it.

    Raises:
        TypeError: it holds something that is not plain data, which not every worker could rebuild.
    """
    stray = _stray(request)
    if stray is not None:
        raise TypeError(
            f"request{stray} does not cross; expected numbers, strings, lists, tuples, dictionaries or arrays of numbers"
        )
    data = dumps(request, protocol=4)  # version 5 would make copies of read-only arrays read-only
    return LENGTH.pack(len(data)) + data


def _stray(value: Any) -> str | None:
    """Where in a value the first thing stands that is not plain data, and what it is."""
    if value is None or type(value) in (bool, int, float, str):
        return None
    if type(value) is np.ndarray or isinstance(value, np.generic):
        plain = value.dtype.newbyteorder("<").str.encode() in _DTYPES
        return None if plain else f": an array of dtype {value.dtype}"
    if type(value) is dict:
        if any(_stray(key) is not None for key in value):
            return ": a dictionary with a key that is not plain data"
        parts: Iterable[tuple[Any, Any]] = value.items()
    elif type(value) in (list, tuple):
        parts = enumerate(value)
    else:
        return f": {type(value).__name__}"
    return next((f"[{at!r}]{found}" for at, part in parts if (found := _stray(part)) is not None), None)
