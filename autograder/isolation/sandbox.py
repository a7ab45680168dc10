"""The layers of the sandbox: which work on this machine, and how a process goes into them.

Each layer is tried, not looked up: :func:`probe` runs a child that goes into the layer and then does what the layer
must prevent. :func:`require` refuses to go on without isolation of files and network. Nothing falls back silently:
a worker goes into exactly the layers that the probe found, and any failure on the way ends it.

Two steps. The warm parent goes into the user namespace (when not started as root), a process namespace and the view
(:func:`enter_process_namespace`, :func:`enter_view`); each worker is the first process of a namespace below that one
and goes into the rest (:func:`enter_namespaces`, then :func:`enter_cage`).
What no layer protects against: a fault in the kernel itself, and another virtual processor's side channels.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import landlock, linux, mounts, seccomp
from .limits import Limits

__all__ = [
    "LAYERS",
    "IsolationError",
    "Layers",
    "Plan",
    "enter_cage",
    "enter_namespaces",
    "enter_process_namespace",
    "enter_view",
    "probe",
    "require",
]

# name: (what it is, what it protects against)
LAYERS = {
    "user": ("user namespace", "capabilities without being root on the machine"),
    "view": ("mount namespace with its own root", "reading or writing any file outside the view"),
    "landlock": ("Landlock", "opening files outside the named folders; TCP and signals on newer kernels"),
    "net": ("network namespace", "any connection, loopback and UDP included"),
    "pid": ("process namespace", "seeing, signalling or outliving: all children end with the worker"),
    "ipc": ("IPC namespace", "shared memory and queues of others"),
    "uts": ("host name namespace", "changing the machine's name"),
    "uid": ("unprivileged user", "everything that only root may do"),
    "caps": ("no capabilities, no new privileges", "set-uid programs, left-over rights of root"),
    "seccomp": (
        "system call filter",
        "sockets, tracing, mounting, kernel interfaces; fork where not allowed",
    ),
    "rlimits": ("resource limits", "memory, processor time, file size, threads without bound"),
    "death": ("die with parent", "workers that outlive a killed grader"),
}
BOOT = Path(__file__).resolve().with_name("boot.py")
_FIRST_UID = 1_900_000_000
_CONTAINER = (
    "Grade on Linux: on Windows inside WSL 2, on macOS in a Linux virtual machine, or anywhere in a container built "
    "from the course's Containerfile and started so that it may use user namespaces or Landlock."
)


class IsolationError(RuntimeError):
    """The machine cannot isolate what is about to run."""


@dataclass(frozen=True)
class Layers:
    """What a probe found: for each layer an empty string when it works, otherwise why not."""

    found: dict[str, str]

    @property
    def active(self) -> tuple[str, ...]:
        """Names of the layers that work."""
        return tuple(name for name in LAYERS if self.found.get(name) == "")

    def has(self, *names: str) -> bool:
        """Whether all these layers work."""
        return all(name in self.active for name in names)

    @property
    def files(self) -> bool:
        """Whether files are isolated."""
        return self.has("view") or self.has("landlock")

    @property
    def network(self) -> bool:
        """Whether the network is isolated."""
        return self.has("net") or self.has("seccomp")

    @property
    def processes(self) -> bool:
        """Whether no process can outlive its worker."""
        return self.has("pid") or self.has("seccomp")

    def __str__(self) -> str:
        rows = [("layer", "active", "protects against")]
        for name, (title, purpose) in LAYERS.items():
            reason = self.found.get(name, "not tried")
            rows.append((title, "yes" if reason == "" else "no", purpose if reason == "" else reason))
        width = max(len(row[0]) for row in rows)
        return "\n".join(f"{first:<{width}}  {second:<6}  {third}" for first, second, third in rows)


@dataclass(frozen=True)
class Plan:
    """What the warm parent and its workers need to know; plain data, so that it can be sent to them.

    Args:
        layers: names of the layers to use.
        view: what is visible.
        root: whether the grader was started as root.
    """

    layers: tuple[str, ...]
    view: mounts.View
    root: bool

    def as_data(self) -> dict[str, Any]:
        """The plan as plain data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Plan:
        """The plan that :meth:`as_data` was taken from."""
        seen: dict[str, Any] = {
            name: tuple(item) if isinstance(item, list) else item for name, item in data["view"].items()
        }
        return cls(tuple(data["layers"]), mounts.View(**seen), bool(data["root"]))

    def has(self, name: str) -> bool:
        """Whether a layer is to be used."""
        return name in self.layers

    def folders(self, copy: str, scratch: str) -> tuple[str, str]:
        """Where a worker finds its scratch folder and its copy of the library."""
        return (mounts.SCRATCH, mounts.STUDENT) if self.has("view") else (scratch, copy)


def unprivileged_uid(root: bool, number: int) -> int:
    """A user id for the ``number``-th worker: its own when the grader is root, so that its limits are counted apart."""
    return _FIRST_UID + number % 65536 if root else os.getuid()


def enter_user_namespace() -> None:
    """Become the only user of a new user namespace, with the rights to build namespaces and nothing outside."""
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def enter_process_namespace(plan: Plan) -> None:
    """First step, in the warm parent before it has threads: user namespace, then a process namespace of its own.

    The process itself only waits and ends as its child ends; the child goes on as the first process of the
    namespace, so that whatever ends it, the kernel ends everything below it.
    """
    if plan.has("user"):
        enter_user_namespace()
    if plan.has("pid"):
        linux.unshare(linux.CLONE_NEWPID)
        child = os.fork()
        if child:
            os.closerange(3, 1 << 16)
            _, status = os.waitpid(child, 0)
            os._exit(abs(os.waitstatus_to_exitcode(status)))
        linux.die_with_parent()


def enter_view(plan: Plan) -> None:
    """Then, in the warm parent: the view."""
    if plan.has("view"):
        linux.unshare(linux.CLONE_NEWNS)
        mounts.build(plan.view)


def enter_namespaces(plan: Plan) -> None:
    """Second step, in the worker: every namespace but that of processes, which its parent made for it."""
    flags = 0
    for name, flag in (
        ("view", linux.CLONE_NEWNS),
        ("net", linux.CLONE_NEWNET),
        ("ipc", linux.CLONE_NEWIPC),
        ("uts", linux.CLONE_NEWUTS),
    ):
        if plan.has(name):
            flags |= flag
    if flags:
        linux.unshare(flags)


def set_limits(limits: Limits, mapped: int, *, own_user: bool) -> None:
    """The resource limits. ``mapped`` is what is mapped already, ``own_user`` whether threads can be counted."""
    import resource

    megabyte = 1 << 20
    memory = mapped + limits.memory_mb * megabyte
    seconds = int(limits.notebook_seconds + limits.replay_seconds) + 10
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, limits.file_mb * megabyte),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_MEMLOCK, megabyte),
    ):
        resource.setrlimit(kind, (value, value))
    if own_user:
        resource.setrlimit(resource.RLIMIT_NPROC, (limits.threads, limits.threads))


def become_unprivileged(uid: int, root: bool) -> None:
    """Give up root's identity (if it is root's) and every capability."""
    if root:
        os.setgroups([])
        try:
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        except OSError:  # a container that maps only the first 65,536 ids
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)


def enter_cage(plan: Plan, limits: Limits, *, copy: str, scratch: str, mapped: int, uid: int) -> None:
    """Last step, in the worker itself: own folders, limits, identity, Landlock, system call filter.

    Args:
        plan: the layers.
        limits: what the submission may use.
        copy: the student's copy of the library.
        scratch: folder to work in, where the worker has no file system of its own.
        mapped: bytes mapped already.
        uid: see :func:`unprivileged_uid`.

    Raises:
        OSError: a layer of the plan cannot be entered.
    """
    if plan.has("view"):
        mounts.own_folders(plan.view, copy, limits.file_mb, uid)
    elif plan.root and plan.has("uid"):
        os.chown(scratch, uid, uid)
    work, library = plan.folders(copy, scratch)
    os.chdir(work)
    if plan.has("rlimits"):
        set_limits(limits, mapped, own_user=plan.has("uid") if plan.root else plan.has("user"))
    if plan.has("caps"):
        linux.no_new_privileges()
    if plan.has("landlock"):
        shared = ["/dev/shm"] if plan.has("view") else []
        shown = [mounts.OWN_PROCESS] if plan.has("view") else []
        masked = plan.has("view")  # hidden folders are empty already
        read = plan.view.read if masked else landlock.grants(plan.view.read, plan.view.hidden)
        landlock.restrict([*read, *shown, library, plan.view.warm], [work, *shared, *mounts.DEVICES])
    if plan.has("uid"):
        become_unprivileged(uid, plan.root)
    if plan.has("caps"):
        linux.drop_capabilities()
    linux.not_dumpable()
    if plan.has("death"):
        linux.die_with_parent()
    if plan.has("seccomp"):
        pid_space = plan.has("pid")
        seccomp.install(
            children=limits.processes > 0 and pid_space, signal_only=None if pid_space else os.getpid()
        )


def plan_for(
    layers: Layers,
    *,
    copies: str,
    warm: str,
    base: str,
    read: tuple[str, ...] = (),
    hidden: tuple[str, ...] = (),
) -> Plan:
    """The plan for this machine: the interpreter, the system's libraries and ``read`` are visible, nothing else."""
    visible = tuple(dict.fromkeys([*mounts.interpreter(), *mounts.SYSTEM, *read]))
    return Plan(layers.active, mounts.View(visible, hidden, warm, copies, base), os.geteuid() == 0)


def probe(without: tuple[str, ...] = ()) -> Layers:
    """Try every layer in a child process of its own.

    Args:
        without: layers to report as switched off, for tests and for comparing machines.

    Returns:
        What works here. On other systems than Linux nothing does.
    """
    if sys.platform != "linux":
        return Layers({name: f"{sys.platform} has no such layer" for name in LAYERS})
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-I", str(BOOT), "layer_tests", folder, *without],
            capture_output=True, text=True, timeout=60, check=False, cwd="/", env=clean_environment(),
        )  # fmt: skip
    try:
        found = json.loads(done.stdout)
    except ValueError:
        reason = f"the probe failed: {done.stderr.strip()[-200:]}"
        return Layers({name: reason for name in LAYERS})
    return Layers({name: str(found.get(name, "not tried")) for name in LAYERS})


def clean_environment() -> dict[str, str]:
    """The environment of every process that may later run student code: nothing of the grader's own."""
    return {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "student", "LOGNAME": "student", "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip


def require(layers: Layers, unsafe: bool = False) -> None:
    """Refuse to go on without isolation of files, network and processes.

    Args:
        layers: what :func:`probe` found.
        unsafe: go on all the same (``--unsafe``); for code that the instructor has read.

    Raises:
        IsolationError: something is missing and ``unsafe`` was not given; the text names it and the way out.
    """
    missing = [
        text
        for present, text in (
            (layers.files, "files (neither a mount namespace nor Landlock works)"),
            (layers.network, "network (neither a network namespace nor the system call filter works)"),
            (layers.processes, "processes (neither a process namespace nor the system call filter works)"),
        )
        if not present
    ]
    if not missing or unsafe:
        return
    where = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform)
    lead = (
        f"Grading in isolation needs Linux; this is {where}."
        if where
        else f"This machine cannot isolate: {'; '.join(missing)}."
    )
    raise IsolationError(
        f"{lead}\n{_CONTAINER}\nTo run submissions without isolation, with the rights of your own account, "
        f"give --unsafe.\n\n{layers}"
    )


def forked(action: Callable[[], str]) -> str:
    """Run ``action()`` in a forked child; its text, or what it raised."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.close(receive)
            try:
                text = action() or ""
            except BaseException as error:
                text = f"{error}" or type(error).__name__
            os.write(send, text.encode()[:2000])
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        text = pipe.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return text
