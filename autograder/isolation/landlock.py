"""Landlock: a process gives up all files but those named, TCP, and signals to the outside.

Protects: files outside the named folders cannot be opened, created, removed, renamed or truncated, by this process
and all its children, whoever they are; where the kernel knows how, TCP connections and signals as well.
Does not protect: existence and size of a file can still be asked for; UDP and other sockets (network namespace,
seccomp); anything opened before.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from . import linux

__all__ = ["grants", "restrict", "version"]

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_NETWORK, _SCOPES = 0b11, 0b11
_CREATE_VERSION, _RULE_PATH = 1, 1


def version() -> int:
    """The kernel's Landlock version, 0 where there is none."""
    try:
        return linux.syscall(
            "landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint32(_CREATE_VERSION)
        )
    except OSError:
        return 0


def grants(roots: Iterable[str], hidden: Iterable[str]) -> list[str]:
    """The paths to grant so that everything under ``roots`` is visible except what is under ``hidden``.

    A rule covers all that lies below it, so a root that contains a hidden folder is replaced by its other entries.
    A root inside a hidden folder stays granted: the more specific name wins.
    """
    covered = [os.path.realpath(path) for path in hidden]
    named = [os.path.realpath(root) for root in roots]
    found: list[str] = []
    queue = list(dict.fromkeys(named))
    while queue:
        path = queue.pop(0)
        if path in covered and path not in named:
            continue
        inside = [
            other
            for other in covered
            if other not in named and os.path.commonpath([path, other]) == path != other
        ]
        if not inside:
            found.append(path)
        elif os.path.isdir(path):
            queue += sorted(entry.path for entry in os.scandir(path) if not entry.is_symlink())
    return found


def _rights(abi: int) -> int:
    """Every file right that this version knows."""
    return (1 << (13 + (abi >= 2) + (abi >= 3))) - 1 | (_IOCTL if abi >= 5 else 0)


def restrict(read: Iterable[str], write: Iterable[str]) -> None:
    """Give up everything but reading below ``read`` and reading and writing below ``write``; missing paths are left out.

    Raises:
        OSError: the kernel has no Landlock or refuses.
    """
    abi = version()
    if abi < 1:
        raise OSError(38, "Landlock: not in this kernel, or switched off")
    handled = _rights(abi)
    attributes = struct.pack("<QQQ", handled, _NETWORK if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    rules = linux.syscall("landlock_create_ruleset", attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        writable = handled & ~_EXECUTE
        for path, rights in [*((path, _READ) for path in read), *((path, writable) for path in write)]:
            try:
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                if not stat.S_ISDIR(os.fstat(place).st_mode):
                    rights &= _OF_FILES
                rule = struct.pack("<Qi", rights & handled, place)
                linux.syscall(
                    "landlock_add_rule",
                    ctypes.c_int(rules),
                    ctypes.c_int(_RULE_PATH),
                    rule,
                    ctypes.c_uint32(0),
                )
            finally:
                os.close(place)
        linux.no_new_privileges()
        linux.syscall("landlock_restrict_self", ctypes.c_int(rules), ctypes.c_uint32(0))
    finally:
        os.close(rules)
