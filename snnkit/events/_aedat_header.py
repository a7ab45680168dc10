"""What both versions of AEDAT begin with: text lines that start with ``#``."""

from __future__ import annotations

from typing import BinaryIO

CHUNK = 1 << 16  # events held at a time when streaming
_LINE_LIMIT = 4096  # bytes of one header line


def read_header(file: BinaryIO, version: bytes, name: str) -> None:
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
