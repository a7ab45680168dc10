"""The child of :func:`sandbox.probe`: goes into each layer and does what the layer must prevent.

Runs as ``isolation.layer_tests`` in a process of its own, prints a JSON object {layer: "" or the reason}.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import landlock, linux, mounts, sandbox, seccomp
from .limits import Limits

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def _private(*layers: str) -> None:
    """Go into a namespace the way the warm parent would."""
    if not ROOT:
        sandbox.enter_user_namespace()
    flags = {
        "view": linux.CLONE_NEWNS, "net": linux.CLONE_NEWNET, "pid": linux.CLONE_NEWPID,
        "ipc": linux.CLONE_NEWIPC, "uts": linux.CLONE_NEWUTS,
    }  # fmt: skip
    linux.unshare(sum(flags[name] for name in layers))


def _user() -> str:
    if ROOT:
        return "not needed: the grader runs as root and its workers as an ordinary user"
    sandbox.enter_user_namespace()
    linux.unshare(linux.CLONE_NEWUTS)  # refused where the rights inside are taken away again
    return ""


def _test_view(folder: str) -> mounts.View:
    for name in ("base", "warm", "copies"):
        Path(folder, name).mkdir(exist_ok=True)
    visible = (*mounts.interpreter(), *mounts.SYSTEM)
    return mounts.View(visible, (), f"{folder}/warm", f"{folder}/copies", f"{folder}/base")


def _view(folder: str) -> str:
    canary = Path(folder, "canary")
    canary.write_text("canary")
    seen = _test_view(folder)
    _private("view")
    mounts.build(seen)
    mounts.finish(seen)
    mounts.own_folders(seen, seen.copies, 1, sandbox.unprivileged_uid(ROOT, os.getpid()))
    if canary.exists():
        return "a file outside the view is visible"
    try:
        Path("/usr/canary").write_text("x")
    except OSError:
        return "" if Path(os.__file__).exists() else "the interpreter is not visible"
    return "the view is writable"


def _landlock(folder: str) -> str:
    inside, outside = Path(folder, "inside"), Path(folder, "outside")
    inside.mkdir()
    outside.write_text("canary")
    landlock.restrict([], [str(inside)])
    (inside / "file").write_text("x")
    try:
        outside.read_text()
    except PermissionError:
        return ""
    return "a file outside is readable"


def _net() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _private("net")
        try:
            socket.create_connection(listener.getsockname(), timeout=2).close()
        except OSError:
            return ""
    return "a loopback listener can be reached"


def _pid() -> str:
    _private("pid")
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(send, str(os.getpid()).encode())
        time.sleep(30)
        os._exit(0)
    number = os.read(receive, 20).decode()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "" if number == "1" else f"the first process has the number {number}"


def _ipc() -> str:
    before = os.readlink("/proc/self/ns/ipc")
    _private("ipc")
    return "" if os.readlink("/proc/self/ns/ipc") != before else "nothing changed"


def _uts() -> str:
    _private("uts")
    before = socket.gethostname()
    socket.sethostname("sandbox")
    return "" if socket.gethostname() == "sandbox" != before else "nothing changed"


def _uid(folder: str) -> str:
    if not ROOT:
        return ""
    seen = _test_view(folder)
    with contextlib.suppress(OSError):  # where the view works, the interpreter is reached through it
        _private("view")
        mounts.build(seen)
    sandbox.become_unprivileged(sandbox.unprivileged_uid(True, os.getpid()), True)
    if os.geteuid() == 0:
        return "still root"
    try:
        Path(os.__file__).read_bytes()
    except OSError:
        return "an ordinary user cannot read the interpreter's folder"
    try:
        os.setuid(0)
    except OSError:
        return ""
    return "root can be had back"


def _caps() -> str:
    linux.no_new_privileges()
    linux.drop_capabilities()
    status = Path("/proc/self/status").read_text()
    left = [
        line
        for line in status.splitlines()
        if line.startswith(("CapEff", "CapPrm")) and int(line.split()[1], 16)
    ]
    if left:
        return f"capabilities are left: {left[0]}"
    return "" if linux.has_no_new_privileges() else "no_new_privs did not hold"


def _seccomp() -> str:
    seccomp.install(children=False, signal_only=os.getpid())
    attempts: list[tuple[str, Callable[[], object]]] = [
        ("a socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        ("fork", os.fork),
        ("a signal to the parent", lambda: os.kill(os.getppid(), 0)),
        ("mounting", lambda: linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)),
        ("a new namespace", lambda: linux.unshare(linux.CLONE_NEWUSER)),
    ]
    for name, attempt in attempts:
        try:
            attempt()
        except OSError:
            continue
        return f"{name} went through"
    return ""


def _rlimits() -> str:
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    sandbox.set_limits(Limits(memory_mb=64), mapped, own_user=False)
    try:
        ctypes.create_string_buffer(256 << 20)
    except MemoryError:
        return ""
    return "more memory than allowed could be had"


def _death() -> str:
    """A grandchild whose parent ends must be gone."""
    receive, send = os.pipe()
    middle = os.fork()
    if middle == 0:
        ready, tell = os.pipe()
        last = os.fork()
        if last == 0:
            linux.die_with_parent()
            os.write(tell, b"x")
            time.sleep(30)
            os._exit(0)
        os.read(ready, 1)
        os.write(send, str(last).encode())
        os._exit(0)
    os.waitpid(middle, 0)
    last = int(os.read(receive, 20))
    for _ in range(100):
        try:
            state = Path(f"/proc/{last}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return ""
        if state in "ZX":
            return ""
        time.sleep(0.01)
    os.kill(last, signal.SIGKILL)
    return "it outlived its parent"


def main(arguments: list[str]) -> None:
    """Try every layer but those switched off and print what came of it."""
    folder, *without = arguments

    def own(name: str) -> str:
        path = Path(folder, name)
        path.mkdir()
        return str(path)

    attempts: dict[str, Callable[[], str]] = {
        "user": _user,
        "view": lambda: _view(own("view")),
        "landlock": lambda: _landlock(own("landlock")),
        "net": _net,
        "pid": _pid,
        "ipc": _ipc,
        "uts": _uts,
        "uid": lambda: _uid(own("uid")),
        "caps": _caps,
        "seccomp": _seccomp,
        "rlimits": _rlimits,
        "death": _death,
    }
    found = {
        name: "switched off" if name in without else sandbox.forked(attempt)
        for name, attempt in attempts.items()
    }
    json.dump(found, sys.stdout)
