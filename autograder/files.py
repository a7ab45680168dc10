"""Files that are written as a whole or not at all, and the one digest.

A writer fills a temporary file beside the target and renames it, so that whoever reads, and whatever is killed, finds the
old content or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path


def _fill(path: Path, content: bytes, mode: int, durable: bool) -> Path:
    """A new file beside ``path`` with this content; of this process and thread alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".half-{os.getpid()}-{threading.get_ident()}")
    half.unlink(missing_ok=True)  # of a process that had this number and was killed
    with open(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as opened:
        opened.write(content)
        if durable:
            opened.flush()
            os.fsync(opened.fileno())
    return half


def write_whole(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file, its folder where needed.

    Args:
        path: of the file.
        content: all of it.
        durable: wait until the disk has it, for what cannot be made again.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    half = _fill(path, content, 0o666, durable)
    try:
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def write_if_changed(path: Path, content: bytes, *, durable: bool = False) -> bool:
    """Write a file unless it already holds this content; True when it was written. See :func:`write_whole`."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return False
    write_whole(path, content, durable=durable)
    return True


def make_once(path: Path, content: bytes) -> bytes:
    """Write a private file that is not there yet; of several who try the first one wins.

    Returns:
        What the file holds now.
    """
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    half = _fill(path, content, 0o600, durable=True)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(half, path)
    finally:
        half.unlink(missing_ok=True)
    return path.read_bytes()


def digest(parts: Iterable[bytes]) -> str:
    """SHA-256 over byte strings, each with its length, as hexadecimal text."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` prints it."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
