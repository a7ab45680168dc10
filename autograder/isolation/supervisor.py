"""The trusted side: starts workers, sends them cells and probes, reads plain data, survives whatever they do.

Nothing that a worker sends is unpickled or evaluated; it is read by :mod:`frames`, then checked here field by field.
A worker that breaks the protocol, ends, or takes too long is killed; the next request starts a new one, which first
runs again the earlier cells (those that did not end or time out a worker).

Convention: :class:`Zygote` is one warm parent per grading process, :class:`Session` one submission.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from . import frames, sandbox
from .frames import FrameError
from .limits import Limits
from .sandbox import IsolationError, Layers

__all__ = [
    "Case",
    "CellResult",
    "Door",
    "GoneError",
    "ProbeResult",
    "Reply",
    "Session",
    "Visitor",
    "WorkerSource",
    "Zygote",
    "shared_zygote",
    "visit",
]

Array = NDArray[Any]

PRELOAD = (
    "numpy", "torch", "torch.nn.functional", "torch.utils.data", "matplotlib", "matplotlib.pyplot",
    "matplotlib_inline.backend_inline", "spikingjelly.activation_based.neuron",
    "spikingjelly.activation_based.surrogate", "spikingjelly.activation_based.functional",
    "spikingjelly.activation_based.layer",
)  # fmt: skip
OBSERVER = Path(__file__).resolve().parents[1] / "checks" / "core.py"
KINDS = ("missing", "unanswered", "error", "form")
_START_SECONDS = 180.0
_FORK_SECONDS = 20.0
_REASONS = {
    "time": "it did not stop when its time was over",
    "exit": "it ended the Python process",
    "killed": "its process was killed, most likely for want of memory",
    "crash": "its process crashed",
    "protocol": "it answered with something that is not an answer",
}


@dataclass(frozen=True)
class CellResult:
    """Outcome of a cell. ``status``: ok, error, time (stopped), died (``reason`` says how), or not run."""

    status: str
    outputs: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Case:
    """One input of a probe: plain data, and the student's names that it needs (empty: all of the probe's)."""

    data: Any
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What came back for a case: ``arrays`` when ``kind`` is empty, otherwise why none did.

    ``kind``: missing, unanswered, error, form (see ``autograder.checks``), time, died, or unrun.
    """

    kind: str
    text: str = ""
    wrong: tuple[str, ...] = ()
    arrays: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class ProbeResult:
    """Outcome of a probe: one reply for each case, in order, and what the code printed."""

    replies: tuple[Reply, ...]
    printed: str = ""
    seconds: float = 0.0


class GoneError(IsolationError):
    """The warm parent that was to be used has ended."""


class _Gone(Exception):
    """The worker is no longer there. ``reason`` is a key of ``_REASONS``."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text or _REASONS[reason])
        self.reason = reason


class Worker:
    """The supervisor's end of one worker: its socket, a descriptor of its process, and how it ended."""

    def __init__(self, connection: socket.socket, status: socket.socket, limits: frames.FrameLimits) -> None:
        self.connection, self.status, self.limits = connection, status, limits
        self.process: int | None = None
        self.peak_kb = 0

    def start(self) -> None:
        """Wait until the worker is in its cage.

        Raises:
            IsolationError: a layer could not be entered.
        """
        self.status.settimeout(_FORK_SECONDS)
        try:
            data, descriptors, _, _ = socket.recv_fds(self.status, 1 << 16, 1)
            self.process = descriptors[0] if descriptors else None
            if not data:
                raise FrameError("closed", "the warm parent hung up")
            if self.receive(time.monotonic() + _FORK_SECONDS) != {"op": "ready"}:
                raise FrameError("start", "the worker did not say that it is ready")
        except (OSError, ValueError, FrameError) as error:
            ended = self.end(kill=True)
            raise IsolationError(f"a worker could not be enclosed: {ended.get('failed') or error}") from error

    def send(self, value: dict[str, Any], deadline: float) -> None:
        """Send a request.

        Raises:
            FrameError: the worker does not take it in time, or is gone.
        """
        self.connection.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            self.connection.sendall(frames.encode(value))
        except OSError as error:
            raise FrameError(
                "timeout" if isinstance(error, TimeoutError) else "closed", str(error)
            ) from error

    def receive(self, deadline: float) -> Any:
        """Read one frame.

        Raises:
            FrameError: it breaks the protocol, does not come in time, or the worker is gone.
        """

        def read(count: int) -> bytes:
            parts = []
            while count:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise FrameError("timeout", "no answer in time")
                self.connection.settimeout(left)
                try:
                    part = self.connection.recv(count)
                except TimeoutError as error:
                    raise FrameError("timeout", "no answer in time") from error
                except OSError as error:
                    raise FrameError("closed", str(error)) from error
                if not part:
                    raise FrameError("closed", "the worker hung up")
                parts.append(part)
                count -= len(part)
            return b"".join(parts)

        return frames.read_frame(read, self.limits)

    def end(self, *, kill: bool) -> dict[str, Any]:
        """Kill the worker if asked to, wait for its end, and tell how it ended (``code``: exit code or -signal)."""
        if kill and self.process is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.process, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
        ended: dict[str, Any] = {}
        self.status.settimeout(5.0)
        with contextlib.suppress(OSError, ValueError):
            while data := self.status.recv(1 << 16):
                ended.update(json.loads(data))
        self.status.close()
        if self.process is not None:
            os.close(self.process)
            self.process = None
        return ended


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

    def worker(self, copy: Path, limits: Limits, scratch: Path, frame_limits: frames.FrameLimits) -> Worker:
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
            worker = Worker(ours, status, frame_limits)
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
    """A warm parent that another process of this account has started; see :attr:`Zygote.door`.

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


class Zygote(WorkerSource):
    """A warm parent process, started on first use and again if it should end. Use as a context manager.

    Args:
        cache: folder for what is kept between runs (fonts); one of its own by default.
        copies: folder that holds the students' copies of the library (see :mod:`redact`).
        layers: what :func:`sandbox.probe` found; probed when not given.
        unsafe: start although files or network cannot be isolated.
        read: further files and folders that students may read.
        hidden: folders that they may not, although a visible folder contains them.
        preload: modules imported once.
        observer: file of the module with ``observe`` and ``quiet``.
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
                    sys.executable, "-I", "-c", sandbox.BOOT, str(Path(__file__).resolve().parent), "zygote",
                    str(theirs.fileno()), str(self._listener.fileno()),
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
_SHARED: dict[tuple[int, str, bool], Zygote] = {}


def shared_zygote(folder: Path, *, unsafe: bool = False) -> Zygote:
    """This process's warm parent, ended with it.

    Args:
        folder: where the students' copies of the library and caches are kept.
        unsafe: see :class:`Zygote`.
    """
    key = (os.getpid(), str(folder), unsafe)
    with _SHARING:
        if key not in _SHARED:
            _SHARED[key] = Zygote(folder / "copies", cache=folder / "warm", unsafe=unsafe)
            atexit.register(_SHARED[key].close)
        return _SHARED[key]


_VISITED: dict[Door, Visitor] = {}


def visit(door: Door) -> Visitor:
    """This process's connection to a warm parent that another process started."""
    with _SHARING:
        return _VISITED.setdefault(door, Visitor(door))


class Session:
    """One submission in isolation: cells and probes in order, over as many workers as it takes.

    Args:
        zygote: the warm parent.
        copy: the student's copy of the library (see :mod:`redact`).
        limits: what the submission may use.
        frame_limits: the largest answer.
    """

    def __init__(
        self,
        zygote: WorkerSource,
        copy: Path,
        limits: Limits | None = None,
        *,
        frame_limits: frames.FrameLimits = frames.DEFAULT,
    ) -> None:
        self.zygote, self.copy = zygote, copy
        self.limits = limits or Limits()
        self.frame_limits = frame_limits
        self.restarts = 0
        self.peak_kb = 0
        self._worker: Worker | None = None
        self._scratch: Path | None = None
        self._started = False
        self._replay: list[str] = []
        self._number = 0
        self._end = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker and remove what it wrote."""
        self._drop(kill=True)

    def _drop(self, *, kill: bool) -> dict[str, Any]:
        ended: dict[str, Any] = {}
        if self._worker is not None:
            ended = self._worker.end(kill=kill)
            self.peak_kb = max(self.peak_kb, int(ended.get("peak_kb", 0)))
            self._worker = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
        return ended

    def _left(self) -> float:
        return self._end - time.monotonic()

    def _obstacle(self) -> str:
        """Why nothing more is run, or an empty string."""
        if self._started and self._left() <= 0:
            return f"the time of the whole notebook ({self.limits.notebook_seconds:g} s) is over"
        if self._worker is None and self._started and self.restarts >= self.limits.restarts:
            return f"its process was replaced {self.restarts} times already"
        return ""

    def _ready(self) -> Worker:
        """The worker, a new one with the earlier cells run again if the last is gone."""
        while self._worker is None:
            if self._started:
                self.restarts += 1
            else:
                self._started = True
                self._end = time.monotonic() + self.limits.notebook_seconds
            self._scratch = self.zygote.scratch()
            self._worker = self.zygote.worker(self.copy, self.limits, self._scratch, self.frame_limits)
            for source in list(self._replay):
                try:
                    self._run_cell(source)
                except _Gone:  # it went well before; without it, then
                    self._replay.remove(source)
                    if self._obstacle():
                        raise
                    break
        return self._worker

    def _exchange(self, worker: Worker, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a request and yield answers to it, until the caller stops; the worker is dropped when it fails."""
        self._number += 1
        seconds = min(self.limits.cell_seconds, max(self._left(), 0.01))
        deadline = time.monotonic() + seconds + self.limits.grace_seconds
        try:
            worker.send({**request, "id": self._number, "seconds": seconds}, deadline)
            while True:
                answer = worker.receive(deadline)
                if type(answer) is not dict or answer.get("id") != self._number:
                    raise FrameError("answer", "an answer to nothing that was asked")
                yield answer
        except FrameError as error:
            raise self._failure(error) from error

    def _failure(self, error: FrameError) -> _Gone:
        """Drop the worker and say how it failed."""
        ended = self._drop(kill=error.reason != "closed")
        if error.reason == "timeout":
            return _Gone("time")
        if error.reason != "closed":
            return _Gone("protocol", f"{_REASONS['protocol']} ({error})")
        code = int(ended.get("code", -signal.SIGKILL))
        if code >= 0:
            return _Gone("exit", f"{_REASONS['exit']} (exit code {code})")
        reason = "killed" if -code == signal.SIGKILL else "crash"
        return _Gone(reason, f"{_REASONS[reason]} (signal {-code})")

    def _run_cell(self, source: str) -> CellResult:
        """Run a cell in the worker that is there."""
        assert self._worker is not None
        request = {"op": "cell", "source": source, "limit": self.limits.output_kb * 1024}
        answer = next(self._exchange(self._worker, request))
        try:
            return _cell_result(answer)
        except FrameError as error:
            raise self._failure(error) from error

    def run_cell(self, source: str) -> CellResult:
        """Run a cell of the notebook; nothing is raised for anything that it does.

        Raises:
            IsolationError: a worker could not be started.
        """
        if obstacle := self._obstacle():
            return CellResult("not run", reason=obstacle)
        begun = time.monotonic()
        try:
            self._ready()
            result = self._run_cell(source)
        except _Gone as gone:
            status = "time" if gone.reason == "time" else "died"
            return CellResult(status, reason=str(gone), seconds=time.monotonic() - begun)
        if result.status != "time":
            self._replay.append(source)
        return result

    def probe(self, source: str, function: str, names: Sequence[str], cases: Sequence[Case]) -> ProbeResult:
        """Call a function beside the student's code, once per case.

        Args:
            source: source of the probe, self-contained.
            function: its name; called as ``function({name: the student's object}, data)``.
            names: the student's names that it may use.
            cases: its inputs.

        Returns:
            A reply per case. Cases answered before the code ended or ran out of time keep their reply.

        Raises:
            IsolationError: a worker could not be started.
        """
        replies: list[Reply] = []
        if obstacle := self._obstacle():
            return ProbeResult(tuple(Reply("unrun", f"not run: {obstacle}") for _ in cases))
        request = {
            "op": "probe", "source": source, "function": function, "names": list(names),
            "cases": [{"data": case.data, "names": list(case.names)} for case in cases],
        }  # fmt: skip
        begun, printed = time.monotonic(), ""
        rest = Reply("error", "your code ended the answer early")
        try:
            worker = self._ready()
            elements = 0
            for answer in self._exchange(worker, request):
                try:
                    if answer.get("op") == "done":
                        status, printed = _ending(answer)
                        if status == "time":
                            rest = Reply("time", f"your code took longer than {self.limits.cell_seconds:g} s")
                        break
                    replies.append(_reply(answer, len(replies), len(cases)))
                    elements += sum(array.size for array in replies[-1].arrays.values())
                    if elements > 4 * self.frame_limits.elements:
                        raise FrameError("size", "the answers to one question are too large together")
                except FrameError as error:
                    raise self._failure(error) from error
        except _Gone as gone:
            if gone.reason == "time":
                rest = Reply("time", f"your code took longer than {self.limits.cell_seconds:g} s; {gone}")
            else:
                rest = Reply("died", f"your code could not be graded: {gone}")
        replies += [rest] * (len(cases) - len(replies))
        return ProbeResult(tuple(replies), printed, time.monotonic() - begun)


def _text(value: Any, limit: int) -> str:
    if type(value) is not str or len(value) > limit:
        raise FrameError("answer", "a text that is none, or too long")
    return value


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e6:
        raise FrameError("answer", "a duration that is none")
    return float(value)


def _reply(answer: dict[str, Any], index: int, count: int) -> Reply:
    """A checked reply to case ``index``."""
    if (
        answer.get("op") != "case"
        or type(answer.get("index")) is not int
        or answer["index"] != index
        or index >= count
    ):
        raise FrameError("answer", "not the answer to the next case")
    kind, arrays, wrong = answer.get("kind"), answer.get("arrays"), answer.get("wrong")
    if type(arrays) is not dict or type(wrong) is not list or (kind != "" and kind not in KINDS):
        raise FrameError("answer", "a reply of no known kind")
    if not all(type(key) is str and type(array) is np.ndarray for key, array in arrays.items()):
        raise FrameError("answer", "a reply that holds something else than arrays")
    names = tuple(_text(name, 200) for name in wrong[:20])
    return Reply(str(kind), _text(answer.get("text"), 5000), names, arrays)


def _ending(answer: dict[str, Any]) -> tuple[str, str]:
    status = answer.get("status")
    if status not in ("ok", "time"):
        raise FrameError("answer", "an ending of no known kind")
    _seconds(answer.get("seconds"))
    return str(status), _text(answer.get("printed"), 10_000)


_BASE64 = re.compile(r"[A-Za-z0-9+/=\n]*")


def _output(item: Any) -> dict[str, Any] | None:
    """A notebook output rebuilt from what a worker sent: plain text and bitmap images, nothing that could run."""
    if type(item) is not dict:
        raise FrameError("answer", "an output that is none")
    kind = item.get("output_type")
    if kind == "stream" and item.get("name") in ("stdout", "stderr"):
        return {"output_type": "stream", "name": str(item["name"]), "text": _text(item.get("text"), 1 << 24)}
    if kind == "error":
        lines = item.get("traceback")
        if type(lines) is not list:
            raise FrameError("answer", "a traceback that is none")
        return {
            "output_type": "error",
            "ename": _text(item.get("ename"), 1000),
            "evalue": _text(item.get("evalue"), 10_000),
            "traceback": [_text(line, 10_000) for line in lines[:100]],
        }
    if kind in ("display_data", "execute_result") and type(item.get("data")) is dict:
        kept = {}
        for name, value in item["data"].items():
            value = _text(value, 1 << 24)
            if name == "text/plain" or (name in ("image/png", "image/jpeg") and _BASE64.fullmatch(value)):
                kept[name] = value
        return {"output_type": str(kind), "data": kept, "metadata": {}} if kept else None
    raise FrameError("answer", "an output of no known kind")


def _cell_result(answer: dict[str, Any]) -> CellResult:
    """A checked answer to a cell."""
    outputs = answer.get("outputs")
    if (
        answer.get("op") != "cell"
        or answer.get("status") not in ("ok", "error", "time")
        or type(outputs) is not list
    ):
        raise FrameError("answer", "not the answer to a cell")
    rebuilt = tuple(output for output in map(_output, outputs) if output is not None)
    return CellResult(str(answer["status"]), rebuilt, seconds=_seconds(answer.get("seconds")))
