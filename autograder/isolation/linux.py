"""The Linux system calls that the sandbox needs and Python does not offer, through ctypes.

Each function raises OSError with the call's name when the kernel refuses. Nothing here decides anything.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
from functools import cache
from typing import Any

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4

_MADV_COLLAPSE = 25
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = 22, 38, 39
_SECCOMP_MODE_FILTER = 2
_CAP_VERSION_3 = 0x2008_0522

# Calls whose number differs between the two machines; the rest have one number everywhere.
_NUMBERS = {
    "x86_64": {"pivot_root": 155, "capset": 126},
    "aarch64": {"pivot_root": 41, "capset": 91},
}
_COMMON = {
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(name: str, *arguments: Any) -> int:
    """A system call that the C library does not wrap."""
    number = _COMMON.get(name) or _NUMBERS.get(platform.machine(), {}).get(name)
    if number is None:
        raise OSError(38, f"{name}: not known for {platform.machine()}")
    return _checked(_libc().syscall(ctypes.c_long(number), *arguments), name)


def unshare(flags: int) -> None:
    """Leave the namespaces named by the flags for new ones."""
    _checked(_libc().unshare(ctypes.c_int(flags)), "unshare")


def join(namespace: int, kind: int) -> None:
    """setns(2): join the namespace of a descriptor (for a process namespace: with the next child)."""
    _checked(_libc().setns(ctypes.c_int(namespace), ctypes.c_int(kind)), "setns")


def use_huge_pages(maps: str) -> None:
    """Gather this process's own memory, listed in ``/proc/self/maps`` format, into huge pages where the kernel can.

    A fork then copies a few hundred page-table entries instead of tens of thousands, which halves its cost.
    """
    for line in maps.splitlines():
        span, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
        if "w" in rights and name in ("", "[heap]"):
            start, end = (int(number, 16) for number in span.split("-"))
            _libc().madvise(
                ctypes.c_void_p(start), ctypes.c_size_t(end - start), ctypes.c_int(_MADV_COLLAPSE)
            )


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """mount(2)."""
    _checked(
        _libc().mount(
            os.fsencode(source),
            os.fsencode(target),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            data.encode() or None,
        ),
        f"mount {target}",
    )


def make_read_only(target: str, *, recursive: bool = True) -> None:
    """Make a mount (and those below) read-only, without set-uid programs and devices."""

    class Attributes(ctypes.Structure):
        _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]

    wanted = Attributes(_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV, 0, 0, 0)
    syscall(
        "mount_setattr",
        ctypes.c_int(-100),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )


def enter_root(new_root: str) -> None:
    """Make a mount the root of this process's file system and let go of the old one."""
    os.chdir(new_root)
    syscall("pivot_root", b".", b".")
    _checked(_libc().umount2(b".", ctypes.c_int(_MNT_DETACH)), "umount2")
    os.chdir("/")


def _prctl(option: int, *values: Any) -> int:
    padded = [*(ctypes.c_ulong(value) if isinstance(value, int) else value for value in values)]
    padded += [ctypes.c_ulong(0)] * (4 - len(padded))
    return _checked(_libc().prctl(ctypes.c_int(option), *padded), f"prctl {option}")


def die_with_parent() -> None:
    """SIGKILL when the parent ends. A change of user id clears it: call it afterwards."""
    _prctl(_PR_SET_PDEATHSIG, 9)


def not_dumpable() -> None:
    """No core file, and no tracing or reading of this process by others of the same user."""
    _prctl(_PR_SET_DUMPABLE, 0)


def no_new_privileges() -> None:
    """Set-uid programs give nothing from here on."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def has_no_new_privileges() -> bool:
    """Whether :func:`no_new_privileges` is in force."""
    return _prctl(_PR_GET_NO_NEW_PRIVS) == 1


def drop_capabilities() -> None:
    """Give up every capability, for good where the kernel lets us say so."""
    for capability in range(64):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    syscall("capset", ctypes.byref(header), ctypes.byref(nothing))


def install_filter(program: bytes) -> None:
    """Install a seccomp filter: ``program`` is its array of 8-byte instructions."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    code = Program(len(program) // 8, program)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(code))


def grow_stack(size: int = 2 << 20) -> int:
    """Touch ``size`` bytes of the stack (less where its limit is near), and give back how many.

    A stack that has to grow while the address space is used up ends the process; one that has grown keeps its pages,
    in the processes forked from this one too. An argument that is passed by value lies on the stack.
    """
    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    if limit != resource.RLIM_INFINITY:
        size = min(size, limit // 4)

    class Block(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_char * size)]

    _libc().getpid(Block())
    return size
