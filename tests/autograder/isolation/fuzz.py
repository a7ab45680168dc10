"""Throw random and mutated frames at the decoder: ``python -m tests.autograder.isolation.fuzz --frames 200000``.

Each frame must either decode or raise :class:`~autograder.isolation.wire.FrameError`; anything else is a
finding. The whole run happens in a child process whose address space is limited, so that a decoder that believes
an announced length fails here. Prints what the frames led to.
"""

from __future__ import annotations

import json
import os
import random
import struct
import sys
import time
import tracemalloc
from collections import Counter
from typing import Annotated, Any

import numpy as np
import typer

from autograder.isolation.messages import (
    CaseDone,
    CellDone,
    Display,
    ProbeDone,
    Ready,
    Stream,
    Traceback,
    Value,
)
from autograder.isolation.wire import FrameError, FrameLimits, decode, encode

app = typer.Typer(add_completion=False)
SMALL = FrameLimits(body=1 << 14, values=500, arrays=8, array_bytes=1 << 16, elements=4096, dimensions=6)
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
_TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"NaN", b"-Infinity", b"1e999", b"9" * 30, b"-0", b"\xff",
    b'"op":"case"', b'{"op":"ready"}', b'"arrays":["y"]', b'"arrays":["y","y"]', b'"id":1', b'"outputs":[', b'"\\ud800"',
    b'"output_type":"stream"', b'"data":{"text/plain":', b"SNF1", b"\x93NUMPY\x01\x00", b"'descr': '|O'", b"'shape': (99999999999,), }",
    b"__import__('os')", b"true", b"(1, 2)", b"<f8", b">f8", b"\x00" * 8, b"\xff" * 8,
)  # fmt: skip


def _seeds(draw: random.Random) -> list[bytes]:
    """Well-formed frames of every shape that the protocol uses."""
    rng = np.random.default_rng(draw.getrandbits(32))
    outputs = [
        *[Stream("stdout", "a" * 500)] * 3,
        Traceback("ValueError", "é\n", ["line"] * 20),
        Display({"text/plain": "3", "image/png": "iVBORw0KGgo="}),
        Value({"text/plain": "[5]"}),
    ]
    return [
        encode(Ready()),
        encode(CellDone(3, "ok", outputs)),
        encode(CellDone(4, "time", [])),
        encode(CaseDone(1, 0, "form", "x is wrong \\", "x")),
        encode(CaseDone(1, 2, arrays=("y", "slope"), changed=(1,)), [rng.random((3, 4)), np.float64(2.0)]),
        encode(ProbeDone(5, "ok", "printed")),
        *(
            encode(
                CaseDone(2, 1, arrays=("a", "b")),
                [rng.integers(0, 2, (2, 3)).astype(dtype), np.zeros((0, 5), dtype)],
            )
            for dtype in DTYPES
        ),
    ]


def _damage(draw: random.Random, frame: bytearray, seeds: list[bytes]) -> None:
    """Change a frame in place, in one of the ways that have broken parsers before."""
    kind = draw.randrange(8)
    place = draw.randrange(len(frame) + 1)
    if kind == 0 and frame:
        frame[place % len(frame)] ^= 1 << draw.randrange(8)
    elif kind == 1:
        frame[place:place] = draw.choice(_TOKENS)
    elif kind == 2:
        del frame[place : place + draw.randrange(1, 40)]
    elif kind == 3:
        del frame[place:]
    elif kind == 4 and len(frame) >= 12:
        number = draw.choice((0, 1, 7, 255, 65536, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF))
        struct.pack_into("<I", frame, draw.choice((4, 8)), number)
    elif kind == 5:
        other = draw.choice(seeds)
        frame[place:] = other[draw.randrange(len(other)) :]
    elif kind == 6:
        frame[place:place] = draw.choice((b"[", b'{"a":', b'"\\"', b"0,")) * draw.randrange(1, 2000)
    elif len(frame) >= 8:
        struct.pack_into(
            "<Q", frame, draw.randrange(len(frame) - 7), draw.getrandbits(64) >> draw.randrange(64)
        )


def _frame(draw: random.Random, seeds: list[bytes]) -> bytes:
    kind = draw.randrange(10)
    if kind == 0:
        return draw.randbytes(draw.randrange(200))
    if kind == 1:  # a true head over a random body
        body = b"".join(draw.choices(_TOKENS, k=draw.randrange(40)))
        return struct.pack("<4sII", b"SNF1", len(body), draw.choice((0, 0, 1, 9))) + body
    frame = bytearray(draw.choice(seeds))
    for _ in range(draw.randrange(4)):
        _damage(draw, frame, seeds)
    if kind < 6 and len(frame) >= 12 and frame[:4] == b"SNF1":  # repair the length, to reach the inner layers
        (count,) = struct.unpack_from("<I", frame, 8)
        if count == 0:
            struct.pack_into("<I", frame, 4, len(frame) - 12)
    return bytes(frame)


def fuzz(frames: int = 200_000, seed: int = 0, *, limits: FrameLimits = SMALL) -> dict[str, Any]:
    """Decode ``frames`` random and mutated frames.

    Returns:
        ``outcomes``: how many frames decoded (``"ok"``) or were refused, by reason; ``slowest_s``: the longest
        decoding; ``seconds``: all of it.

    Raises:
        Exception: whatever else than FrameError the decoder raised; its note names the seed and the frame.
    """
    draw = random.Random(seed)
    seeds = _seeds(draw)
    outcomes: Counter[str] = Counter()
    slowest, begun = 0.0, time.perf_counter()
    for number in range(frames):
        frame = _frame(draw, seeds)
        start = time.perf_counter()
        try:
            decode(frame, limits)
            outcomes["ok"] += 1
        except FrameError as error:
            outcomes[error.reason] += 1
        except Exception as error:
            error.add_note(f"seed {seed}, frame {number}: {frame[:200]!r}")
            raise
        slowest = max(slowest, time.perf_counter() - start)
    return {
        "frames": frames,
        "seed": seed,
        "outcomes": dict(sorted(outcomes.items())),
        "slowest_s": round(slowest, 6),
        "seconds": round(time.perf_counter() - begun, 3),
    }


def peak_bytes(frames: int, seed: int) -> int:
    """Largest memory that decoding allocated at any time over a (slower, traced) run."""
    tracemalloc.start()
    try:
        fuzz(frames, seed)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@app.command(help=__doc__)
def main(
    frames: Annotated[int, typer.Option("--frames", min=1, help="How many.")] = 200_000,
    seed: Annotated[int, typer.Option("--seed", help="Of the frames.")] = 0,
) -> None:
    """Run the fuzz in a process that may map 64 MB more than it has, and print the outcomes as JSON."""
    if sys.platform == "linux":
        import resource

        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), now + (64 << 20)))
    print(json.dumps(fuzz(frames, seed)))


if __name__ == "__main__":
    app()
