"""The warm parent: imports the heavy libraries once and forks one enclosed worker per request.

Runs in a process of its own, ``isolation.warm_parent``, started by :class:`source.WarmParent`. It runs no student code and
holds no test, reference or secret, because its memory is inherited by every worker. It has one thread.

Each worker is the first process of a namespace of its own. The warm parent hands the supervisor a descriptor of the
worker's process and later tells how it ended. When the supervisor goes away, the warm parent ends, and with it,
through the kernel, all below it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import logging
import os
import resource
import select
import signal
import socket
import sys
from types import ModuleType
from typing import Any

from . import linux, mounts, sandbox
from .limits import Limits

__all__ = ["main"]

_MESSAGE = 1 << 18


def _forget_checkout() -> None:
    """Drop the import hooks of a development install: what they point to is not for students."""
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if not str(getattr(finder, "__module__", "")).startswith("__editable__")
    ]
    sys.path_hooks[:] = [
        hook for hook in sys.path_hooks if "__editable__" not in repr(getattr(hook, "__module__", ""))
    ]
    sys.path[:] = [entry for entry in sys.path if "__editable__" not in entry]
    for name in [name for name in sys.modules if name.startswith("__editable__")]:
        del sys.modules[name]
    sys.path_importer_cache.clear()


def _load(path: str, name: str) -> ModuleType:
    """The module in a file, or the package in a folder, under a name of its own, without the package around it."""
    inside = [path] if os.path.isdir(path) else None
    file = os.path.join(path, "__init__.py") if inside else path
    specification = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def _preload(names: list[str]) -> None:
    for name in names:
        importlib.import_module(name)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    # torch says at the first multi-step call that it has no Triton; a student cannot do anything about it
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)


class ForkServer:
    """State of the process: the plan, what is mapped, the shell and the observer that workers inherit.

    Args:
        control: to the supervisor; when it hangs up, the process ends.
        door: listens for other processes of the grader that ask for workers.
    """

    def __init__(self, control: socket.socket, door: socket.socket) -> None:
        config = json.loads(control.recv(_MESSAGE))
        self.control, self.door = control, door
        self.visitors: dict[int, socket.socket] = {}
        self.plan = sandbox.Plan.from_data(config["plan"])
        self._forked = os.getpid() * 64  # so that several warm parents begin at different user ids
        sandbox.enter_process_namespace(self.plan)
        # opened now, because there is no process folder in the view; they go on telling of this process
        self._size = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._maps = os.open("/proc/self/maps", os.O_RDONLY | os.O_CLOEXEC)
        self._processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._running: dict[int, socket.socket] = {}
        _forget_checkout()
        self.observer = _load(config["observer"], "observer")
        state = _load(config["state"], "global_state")
        self.serve = importlib.import_module(f"{__package__}.worker").serve
        sandbox.enter_view(self.plan)
        warm = self.plan.view.warm
        os.environ.update(
            HOME=warm, MPLCONFIGDIR=warm, MPLBACKEND="module://matplotlib_inline.backend_inline"
        )
        os.environ.update(config.get("environment", {}))
        self.shell = importlib.import_module(f"{__package__}.shell").Shell.create(warm)
        _preload(config["preload"])
        self.shell.rehearse()
        self.course = state.Baseline()
        if self.plan.has("view"):
            mounts.finish(self.plan.view)
        linux.not_dumpable()
        linux.grow_stack()
        gc.collect()
        gc.freeze()
        with os.fdopen(self._maps) as maps:
            linux.use_huge_pages(maps.read())

    def mapped(self) -> int:
        """Bytes that this process, and so each worker at its start, has mapped."""
        return int(os.pread(self._size, 100, 0).split()[0]) * resource.getpagesize()

    def run(self) -> None:
        """Fork a worker for each request, tell how each ended, until the supervisor hangs up."""
        wake, ring = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(ring, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        self.control.send(b'{"op": "ready"}')
        while True:
            always = [self.control.fileno(), self.door.fileno(), wake]
            ready = select.select([*always, *self.visitors], [], [])[0]
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._reap()
            if self.door.fileno() in ready:
                visitor, _ = self.door.accept()
                self.visitors[visitor.fileno()] = visitor
            for number in self.visitors.keys() & set(ready):
                if not self._fork(self.visitors[number]):
                    self.visitors.pop(number).close()
            if self.control.fileno() in ready and not self._fork(self.control):
                return

    def _reap(self) -> None:
        """Tell the supervisor how each worker that has ended did so."""
        while True:
            try:
                pid, code, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            status = self._running.pop(pid, None)
            if status is None:
                continue
            if not self.plan.has("pid"):
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
            with status, contextlib.suppress(OSError):
                ended = {"code": os.waitstatus_to_exitcode(code), "peak_kb": usage.ru_maxrss}
                status.send(json.dumps(ended).encode())

    def _fork(self, control: socket.socket) -> bool:
        """Fork the worker that is asked for; False when who asked has gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, 2)
        except OSError:
            return False
        if not data:
            return False
        connection, status = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        request = json.loads(data)
        self._forked += 1
        uid = sandbox.unprivileged_uid(self.plan.root and self.plan.has("uid"), self._forked)
        mapped = self.mapped()
        if self.plan.has("pid"):
            linux.unshare(linux.CLONE_NEWPID)
        try:
            child = os.fork()
            if child == 0:
                try:
                    self._worker(request, connection, status, mapped, uid)
                finally:
                    os._exit(1)
        finally:
            if self.plan.has("pid"):
                linux.join(self._processes, linux.CLONE_NEWPID)
        connection.close()
        self._running[child] = status
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(child)
            try:
                socket.send_fds(status, [b'{"op": "started"}'], [handle])
            finally:
                os.close(handle)
        return True

    def _worker(
        self, request: dict[str, Any], connection: socket.socket, status: socket.socket, mapped: int, uid: int
    ) -> None:
        """Go into the cage and serve; runs in the new process."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            limits = Limits(**request["limits"])
            sandbox.enter_namespaces(self.plan)
            sandbox.enter_cage(
                self.plan, limits, copy=request["copy"], scratch=request["scratch"], mapped=mapped, uid=uid
            )
        except BaseException as error:
            status.send(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
            return
        keep = connection.fileno()
        os.closerange(3, keep)
        os.closerange(keep + 1, 1 << 16)
        scratch, library = self.plan.folders(request["copy"], request["scratch"])
        os.environ.update(HOME=scratch, TMPDIR=scratch)
        self.serve(connection, self.shell, self.observer, self.course, library, processes=limits.processes)


def main(arguments: list[str]) -> None:
    """Be the warm parent; ``arguments`` holds the numbers of the control socket and of the one that listens."""
    control, door = (socket.socket(fileno=int(argument)) for argument in arguments)
    for connection in (control, door):
        connection.set_inheritable(False)
    os.umask(0o022)
    sys.argv[:] = sys.orig_argv[:] = [""]
    try:
        parent = ForkServer(control, door)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            control.send(json.dumps({"op": "failed", "text": text}).encode())
        raise
    parent.run()
    os._exit(0)
