"""The worker protocol: length-prefixed frames of JSON and NumPy arrays.

A frame is ``b"SNF1"``, the length of its JSON body and the number of its arrays (two little-endian 32-bit
numbers), the body, then per array its length (64 bits) and its bytes in NumPy's ``.npy`` layout. Whatever is read
may have been written by a student, so each length is checked before anything is allocated, the ``.npy`` header is
matched against one regular expression (NumPy itself evaluates it as a Python literal), and only numbers and
booleans of fixed width are accepted. Every violation raises :class:`FrameError`.

Convention: :func:`pack` turns plain data into a JSON body and a list of arrays, :func:`unpack` turns it back.
Tuples, NaN and dictionaries with keys that are not strings survive the journey.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameError", "FrameLimits", "decode", "encode", "pack", "read_frame", "unpack"]

MAGIC = b"SNF1"
_HEAD = struct.Struct("<4sII")
_LENGTH = struct.Struct("<Q")
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
# Matches from every quote on, ended or not, without backtracking: the scan stays linear on any input.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.?+[^"\\]*+)*+"?+', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
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
    """Largest frame accepted: bytes of the body, its depth and number of values, arrays, their bytes and elements."""

    body: int = 8 << 20
    depth: int = 24
    values: int = 50_000
    arrays: int = 2048
    array_bytes: int = 96 << 20
    elements: int = 12_000_000
    dimensions: int = 8


DEFAULT = FrameLimits()
# for what comes from the trusted side, whose questions may be large
TRUSTED = FrameLimits(body=1 << 28, values=1 << 24, arrays=1 << 16, array_bytes=1 << 32, elements=1 << 30)


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


def pack(value: Any) -> tuple[Any, list[Array]]:
    """Plain data as a JSON body and the arrays that it refers to.

    Raises:
        TypeError: something is not None, a boolean, number, string, list, tuple, dictionary or array.
    """
    arrays: list[Array] = []
    places: dict[int, int] = {}

    def walk(item: Any) -> Any:
        if item is None or type(item) in (bool, str):
            return item
        if type(item) is int:
            return item if abs(item) < 1 << 53 else {"$int": str(item)}
        if type(item) is float:
            return item if math.isfinite(item) else {"$float": str(item)}
        if type(item) is np.ndarray:  # one that occurs twice is sent once
            if id(item) not in places:
                places[id(item)] = len(arrays)
                arrays.append(item)
            return {"$array": places[id(item)]}
        if isinstance(item, np.generic):
            arrays.append(np.asarray(item))
            return {"$scalar": len(arrays) - 1}
        if type(item) is list:
            return [walk(part) for part in item]
        if type(item) is tuple:
            return {"$tuple": [walk(part) for part in item]}
        if type(item) is dict:
            if all(type(key) is str and not key.startswith("$") for key in item):
                return {key: walk(part) for key, part in item.items()}
            return {"$dict": [[walk(key), walk(part)] for key, part in item.items()]}
        raise TypeError(
            f"{type(item).__name__} is not plain data; expected numbers, strings, arrays, lists, dictionaries"
        )

    return walk(value), arrays


def _marked(key: str, content: Any, arrays: list[Array]) -> Any:
    if key in ("$array", "$scalar") and type(content) is int and 0 <= content < len(arrays):
        array = arrays[content]
        if key == "$array":
            return array
        if array.ndim == 0:
            return array[()]
    if key == "$tuple" and type(content) is list:
        return tuple(_unpack(part, arrays) for part in content)
    if key == "$float" and content in ("nan", "inf", "-inf"):
        return float(content)
    if key == "$int" and type(content) is str and re.fullmatch(r"-?[0-9]{1,40}", content):
        return int(content)
    if (
        key == "$dict"
        and type(content) is list
        and all(type(pair) is list and len(pair) == 2 for pair in content)
    ):
        try:
            return {_unpack(name, arrays): _unpack(part, arrays) for name, part in content}
        except TypeError as error:
            raise FrameError("value", "a dictionary key that cannot be one") from error
    raise FrameError("value", f"the mark {key[:20]!r} does not hold what it should")


def _unpack(item: Any, arrays: list[Array]) -> Any:
    if type(item) is list:
        return [_unpack(part, arrays) for part in item]
    if type(item) is dict:
        if len(item) == 1:
            ((key, content),) = item.items()
            if key.startswith("$"):
                return _marked(key, content, arrays)
        if any(key.startswith("$") for key in item):
            raise FrameError("value", "a mark beside other keys")
        return {key: _unpack(part, arrays) for key, part in item.items()}
    return item


def unpack(body: Any, arrays: list[Array]) -> Any:
    """What :func:`pack` was given; each array is used at most as often as the body says.

    Raises:
        FrameError: a mark is malformed or refers to an array that is not there.
    """
    return _unpack(body, arrays)


def encode(value: Any) -> bytes:
    """Plain data (see :func:`pack`) as one frame."""
    body, arrays = pack(value)
    text = json.dumps(body, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    parts = [_HEAD.pack(MAGIC, len(text), len(arrays)), text]
    for array in arrays:
        data = encode_array(array)
        parts += [_LENGTH.pack(len(data)), data]
    return b"".join(parts)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FrameError("json", "a key occurs twice in one object")
    return found


def _integer(text: str) -> int:
    if len(text) > 20:
        raise FrameError("json", f"a number of {len(text)} digits; expected at most 20")
    return int(text)


def _number(text: str) -> float:
    if len(text) > 64:
        raise FrameError("json", f"a number of {len(text)} digits; expected at most 64")
    value = float(text)
    if not math.isfinite(value):
        raise FrameError("json", "a number beyond the range of a float")
    return value


def _constant(text: str) -> float:
    raise FrameError("json", f"the constant {text}; expected a number")


def decode_body(text: bytes, limits: FrameLimits = DEFAULT) -> Any:
    """Strict JSON: depth and number of values are counted before it is parsed.

    Raises:
        FrameError: not JSON, too deep, too many values, a double key, NaN, or text that is not Unicode.
    """
    bare = _STRING.sub(b"s", text)
    if bare.count(b",") + bare.count(b":") + bare.count(b"[") + bare.count(b"{") > limits.values:
        raise FrameError("values", f"more than {limits.values:,} values")
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > limits.depth:
            raise FrameError("depth", f"nested deeper than {limits.depth}")
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:
        raise FrameError("json", f"not JSON ({type(error).__name__})") from error
    if b"\\u" in text:  # an escape can smuggle in half a surrogate pair, which no file can hold later
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise FrameError("json", "text that is not Unicode") from error
    return value


def read_frame(read: Read, limits: FrameLimits = DEFAULT) -> Any:
    """Read one frame.

    Args:
        read: ``read(n)`` gives exactly ``n`` bytes (at most a megabyte at a time is asked for) or raises
            :class:`FrameError`.
        limits: largest frame accepted.

    Returns:
        The plain data of the frame, arrays in their places.

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
    body = decode_body(bytes(_gather(read, body_length)), limits)
    left_bytes, left_elements = limits.array_bytes, limits.elements
    arrays: list[Array] = []
    for _ in range(count):
        (length,) = _LENGTH.unpack(read(_LENGTH.size))
        if length > left_bytes:
            raise FrameError("size", f"arrays of more than {limits.array_bytes:,} bytes in one frame")
        arrays.append(decode_array(_gather(read, length), limits))
        left_bytes -= length
        left_elements -= arrays[-1].size
        if left_elements < 0:
            raise FrameError("size", f"more than {limits.elements:,} elements in one frame")
    return unpack(body, arrays)


def _gather(read: Read, length: int) -> bytearray:
    """``length`` bytes, in chunks, so that an announced length alone allocates nothing."""
    data = bytearray()
    while len(data) < length:
        data += read(min(_CHUNK, length - len(data)))
    return data


def decode(data: bytes, limits: FrameLimits = DEFAULT) -> Any:
    """The plain data of exactly one frame given as bytes.

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

    value = read_frame(read, limits)
    if place != len(data):
        raise FrameError("size", f"{len(data) - place} bytes after the end of the frame")
    return value
