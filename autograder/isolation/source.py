"""Where workers come from: a warm parent that this process started, or the door of one that another started."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import sandbox
from .limits import Limits
from .link import Link
from .sandbox import IsolationError, Layers
from .wire import FrameLimits

__all__ = ["Door", "GoneError", "Visitor", "WarmParent", "WorkerSource", "shared_warm_parent", "visit"]

PRELOAD = (
    "numpy", "torch", "torch.nn.functional", "torch.utils.data", "matplotlib", "matplotlib.pyplot",
    "matplotlib_inline.backend_inline", "spikingjelly.activation_based.neuron",
    "spikingjelly.activation_based.surrogate", "spikingjelly.activation_based.functional",
    "spikingjelly.activation_based.layer",
)  # fmt: skip
OBSERVER = Path(__file__).resolve().parents[1] / "perform"
STATE = OBSERVER.with_name("state")
_START_SECONDS = 180.0


class GoneError(IsolationError):
    """The warm parent that was to be used has ended."""


@dataclass(frozen=True)
class Door:
    """Where another process of this account finds a running warm parent; plain data.

    Args:
        socket: path of the socket that it listens on.
        copies: folder of the students' copies of the library.
        scratch: folder for what workers write.
    """

    socket: str
    copies: str
    scratch: str


class WorkerSource(ABC):
    """What a session gets its workers from: a warm parent, whoever started it."""

    copies: Path
    _scratch_base: Path
    _lock: threading.Lock
    _control: socket.socket | None

    @abstractmethod
    def _ensure(self) -> socket.socket:
        """The connection that requests go through."""

    @abstractmethod
    def _stop(self) -> None:
        """Give the connection up."""

    @abstractmethod
    def _lives(self) -> bool:
        """Whether the warm parent is known to be alive, so that trying again would not help."""

    def worker(self, copy: Path, limits: Limits, scratch: Path, frame_limits: FrameLimits) -> Link:
        """A fresh worker that sees ``copy`` as its library.

        Raises:
            IsolationError: it could not be started or enclosed.
        """
        request = {"copy": str(copy.resolve()), "scratch": str(scratch), "limits": limits.as_data()}
        for attempt in (1, 2):
            ours, theirs = socket.socketpair()
            status, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs, told, self._lock:
                control = self._ensure()
                try:
                    socket.send_fds(control, [json.dumps(request).encode()], [theirs.fileno(), told.fileno()])
                except OSError:
                    self._stop()
            worker = Link(ours, status, frame_limits)
            try:
                worker.start()
                return worker
            except IsolationError:
                if attempt == 2 or self._lives():
                    raise
        raise AssertionError("unreachable")

    def scratch(self) -> Path:
        """A fresh folder for a worker, used where it cannot have a file system of its own."""
        return Path(tempfile.mkdtemp(dir=self._scratch_base))


class Visitor(WorkerSource):
    """A warm parent that another process of this account has started; see :attr:`WarmParent.door`.

    Raises:
        GoneError: on use, when it is not there any more.
    """

    def __init__(self, door: Door) -> None:
        self.copies, self._scratch_base = Path(door.copies), Path(door.scratch)
        self._door = door
        self._lock = threading.Lock()
        self._control = None

    def _ensure(self) -> socket.socket:
        if self._control is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                connection.connect(self._door.socket)
            except OSError as error:
                connection.close()
                raise GoneError(f"the warm parent is gone: {error}") from error
            self._control = connection
        return self._control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    def _lives(self) -> bool:
        return False

    def scratch(self) -> Path:
        try:
            return super().scratch()
        except FileNotFoundError as error:  # its folders go with it
            raise GoneError(f"the warm parent is gone: {error}") from error


class WarmParent(WorkerSource):
    """A warm parent process, started on first use and again if it should end. Use as a context manager.

    Args:
        cache: folder for what is kept between runs (fonts); one of its own by default.
        copies: folder that holds the students' copies of the library (see :mod:`withhold`).
        layers: what :func:`sandbox.probe` found; probed when not given.
        unsafe: start although files or network cannot be isolated.
        read: further files and folders that students may read.
        hidden: folders that they may not, although a visible folder contains them.
        preload: modules imported once.
        observer: folder of the package with ``answered`` and ``quiet``.
        environment: further variables for the student's process.

    Raises:
        IsolationError: on first use, when the machine cannot isolate and ``unsafe`` was not given.
    """

    def __init__(
        self,
        copies: Path,
        *,
        cache: Path | None = None,
        layers: Layers | None = None,
        unsafe: bool = False,
        read: Sequence[Path] = (),
        hidden: Sequence[Path] = (),
        preload: Sequence[str] = PRELOAD,
        observer: Path = OBSERVER,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.layers = layers if layers is not None else sandbox.probe()
        sandbox.require(self.layers, unsafe)
        self._base = Path(tempfile.mkdtemp(prefix="snngrade-"))
        self._base.chmod(0o755)
        self._finalise = weakref.finalize(self, shutil.rmtree, self._base, ignore_errors=True)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control = None
        self._scratch_base = self._base / "scratch"
        self.copies = copies.resolve()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(self._base / "door"))
        (self._base / "door").chmod(0o600)
        self._listener.listen(64)
        warm = (cache or self._base / "warm").resolve()
        for folder in (self.copies, warm, self._base / "root", self._scratch_base):
            folder.mkdir(parents=True, exist_ok=True)
        package = Path(__file__).resolve().parents[1]
        kept = [package, package.parent / "snnkit"]
        if (package.parent / "pyproject.toml").exists():
            kept.append(package.parent)
        self.plan = sandbox.plan_for(
            self.layers,
            copies=str(self.copies),
            warm=str(warm),
            base=str(self._base / "root"),
            read=tuple(str(path.resolve()) for path in read),
            hidden=tuple(str(path.resolve()) for path in (*kept, *hidden)),
        )
        self._config = {
            "plan": self.plan.as_data(),
            "preload": list(preload),
            "observer": str(observer),
            "state": str(STATE),
            "environment": environment or {},
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def door(self) -> Door:
        """Where other processes of this account find it."""
        return Door(str(self._base / "door"), str(self.copies), str(self._scratch_base))

    @property
    def pid(self) -> int | None:
        """Process id of the warm parent, None before it is started."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the warm parent if it does not run; returns when everything is imported.

        Raises:
            IsolationError: it could not start; the text ends with what it wrote.
        """
        with self._lock:
            self._ensure()

    def _ensure(self) -> socket.socket:
        if self._process is not None and self._process.poll() is None and self._control is not None:
            return self._control
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        log = self._base / "log"
        with theirs, log.open("wb") as errors:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-I", str(sandbox.BOOT), "warm_parent", str(theirs.fileno()), str(self._listener.fileno()),
                ],
                pass_fds=[theirs.fileno(), self._listener.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                cwd="/", env=sandbox.clean_environment(), start_new_session=True,
            )  # fmt: skip
        self._control = ours
        ours.settimeout(_START_SECONDS)
        message: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            ours.send(json.dumps(self._config).encode())
            message = json.loads(ours.recv(1 << 16) or b"{}")
        if message.get("op") != "ready":
            self._stop()
            said = log.read_text(errors="replace").strip()[-1500:]
            raise IsolationError(f"the warm parent did not start: {message.get('text', '')}\n{said}")
        return ours

    def _lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def close(self) -> None:
        """End the warm parent and all its workers, and remove its folders."""
        with self._lock:
            self._stop()
            self._listener.close()
            self._finalise()


_SHARING = threading.Lock()
_SHARED: dict[tuple[int, str, bool], WarmParent] = {}


def shared_warm_parent(folder: Path, *, unsafe: bool = False) -> WarmParent:
    """This process's warm parent, ended with it.

    Args:
        folder: where the students' copies of the library and caches are kept.
        unsafe: see :class:`WarmParent`.
    """
    key = (os.getpid(), str(folder), unsafe)
    with _SHARING:
        if key not in _SHARED:
            _SHARED[key] = WarmParent(folder / "copies", cache=folder / "warm", unsafe=unsafe)
            atexit.register(_SHARED[key].close)
        return _SHARED[key]


_VISITED: dict[Door, Visitor] = {}


def visit(door: Door) -> Visitor:
    """This process's connection to a warm parent that another process started."""
    with _SHARING:
        return _VISITED.setdefault(door, Visitor(door))
