"""Members of zip archives, which stay open from one recording to the next."""

from __future__ import annotations

import os
import zipfile
from functools import lru_cache
from pathlib import Path

from snnkit.datasets.local import DataError


@lru_cache(maxsize=16)
def _open_archive(path: Path, size: int, changed: int, process: int) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as problem:
        raise DataError(f"{path} is not a whole zip archive ({problem}): fetch it again") from problem


def _archive(path: Path) -> zipfile.ZipFile:
    """Return an open archive; each process has its own, and one that was changed is opened anew."""
    state = path.stat()
    return _open_archive(path, state.st_size, state.st_mtime_ns, os.getpid())


def members(archive: Path, folder: str, ending: str) -> list[str]:
    names = _archive(archive).namelist()
    inside = [name for name in names if name.endswith(ending) and "__MACOSX" not in name]
    return [name for name in inside if not folder or folder in name.split("/")[:-1]]


def read_member(archive: Path, member: str) -> bytes:
    try:
        return _archive(archive).read(member)
    except (zipfile.BadZipFile, OSError, EOFError) as problem:
        raise DataError(
            f"{archive}: {member} cannot be read ({problem}): fetch the archive again"
        ) from problem
