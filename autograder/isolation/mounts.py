"""The student's view of the file system: a new root that holds only what an exercise needs.

Protects: what is not bound into the new root does not exist for the process (the checkout, solutions, checks,
gradebook, home folders); everything but the scratch folder is read-only; there are no processes in ``/proc`` but a
picture of the own one, taken when the view was built.
Does not protect: what lies inside the interpreter, the environment and ``/usr`` is readable.

Convention: paths keep their names in the view. The scratch folder is ``/scratch``, the student's library
``/student``. The view is built once, by the warm parent; each worker adds its own two folders.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import linux

__all__ = ["SCRATCH", "STUDENT", "SYSTEM", "View", "build", "interpreter", "own_folders"]

SCRATCH, STUDENT = "/scratch", "/student"
OWN_PROCESS = "/proc/1"
SYSTEM = (
    "/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def interpreter() -> list[str]:
    """Folders of this Python and its installed packages."""
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    paths |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {os.path.realpath(path) for path in paths} | {os.path.dirname(os.path.realpath(sys.executable))}
    outer = [path for path in sorted(paths) if path not in ("/", "")]
    return [
        path
        for path in outer
        if not any(path != other and Path(path).is_relative_to(other) for other in outer)
    ]


@dataclass(frozen=True)
class View:
    """What is visible: ``read`` paths read-only, minus ``hidden`` folders inside them; ``warm`` is written at start.

    Args:
        read: files and folders, at their own paths.
        hidden: folders that stay invisible although a read folder contains them.
        warm: a cache folder that the warm parent fills and that is read-only afterwards.
        copies: folder of the students' copies of the library; each worker sees only its own.
        base: an empty folder to build the new root in.
    """

    read: tuple[str, ...]
    hidden: tuple[str, ...]
    warm: str
    copies: str
    base: str


def _bind(source: str, root: str, *, read_only: bool = True) -> None:
    """Show ``source`` at the same path below ``root``."""
    target = root + source
    if os.path.islink(source):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(os.readlink(source), target)
        if not os.path.exists(target) and os.path.exists(source):
            _bind(os.path.realpath(source), root, read_only=read_only)
        return
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    linux.mount(source, target, None, linux.MS_BIND | linux.MS_REC)
    if read_only:
        linux.make_read_only(target)


def _write_own_process(root: str) -> None:
    """Show what some programs ask about their own process, as this one is now; a worker is the first of its namespace."""
    os.makedirs(f"{root}{OWN_PROCESS}", exist_ok=True)
    for name in ("stat", "statm", "status"):
        text = Path(f"/proc/self/{name}").read_text()
        Path(f"{root}{OWN_PROCESS}/{name}").write_text(re.sub(rf"\b{os.getpid()}\b", "1", text, count=1))
    Path(f"{root}{OWN_PROCESS}/cmdline").write_text("python\0")
    os.symlink("1", f"{root}/proc/self")


def _inside(path: str, folders: Iterable[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def build(view: View) -> None:
    """Build the new root and enter it; this process must already be in its own mount namespace.

    Raises:
        OSError: a mount is refused.
    """
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    root = view.base
    linux.mount("tmpfs", root, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=1m")
    inner = [source for source in view.read if _inside(source, view.hidden)]
    for source in view.read:
        if source not in inner and os.path.lexists(source) and not os.path.exists(root + source):
            _bind(source, root)
    for folder in view.hidden:
        if os.path.isdir(root + folder) and _inside(folder, view.read):
            linux.mount(
                "tmpfs", root + folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=64k"
            )
    for source in inner:
        _bind(source, root)
    for device in DEVICES:
        _bind(device, root, read_only=False)
    _write_own_process(root)
    for folder in (view.copies, SCRATCH, STUDENT, "/dev/shm", view.warm):
        os.makedirs(root + folder, exist_ok=True)
    linux.mount(view.copies, root + view.copies, None, linux.MS_BIND)
    linux.make_read_only(root + view.copies)
    linux.mount(view.warm, root + view.warm, None, linux.MS_BIND)
    for name in ("/tmp", "/var/tmp"):
        if not os.path.lexists(root + name):
            os.makedirs(os.path.dirname(root + name), exist_ok=True)
            os.symlink(SCRATCH, root + name)
    for folder in view.hidden:
        if os.path.isdir(root + folder) and _inside(folder, view.read):
            linux.make_read_only(root + folder, recursive=False)
    linux.enter_root(root)
    linux.make_read_only("/", recursive=False)


def finish(view: View) -> None:
    """After the warm parent has filled its caches: make them read-only."""
    linux.make_read_only(view.warm)


def own_folders(view: View, copy: str, size_mb: int, uid: int) -> None:
    """Give a worker, in its own mount namespace, an empty scratch folder and its copy of the library.

    Raises:
        OSError: a mount is refused.
    """
    flags = linux.MS_NOSUID | linux.MS_NODEV
    options = f"size={size_mb}m,nr_inodes=4096,mode=700,uid={uid},gid={uid}"
    linux.mount("tmpfs", SCRATCH, "tmpfs", flags | linux.MS_NOEXEC, options)
    linux.mount("tmpfs", "/dev/shm", "tmpfs", flags | linux.MS_NOEXEC, options)
    linux.mount(copy, STUDENT, None, linux.MS_BIND)
    linux.make_read_only(STUDENT)
    linux.mount("tmpfs", view.copies, "tmpfs", linux.MS_RDONLY, "mode=755,size=4k")
