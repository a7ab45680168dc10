"""The student's side: runs cells, and the probes that are sent to it, and answers with plain data.

A worker holds the student's names and nothing else: no test, reference, score or database. A probe comes as the
source of a function; its inputs come as data; what it returns goes back as arrays. Everything this module sends may
have been forged by the code that it runs, and the supervisor treats it so.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

from . import wire
from .messages import CaseDone, CellDone, Message, ProbeDone, Ready
from .shell import Shell, Timer, alarm, plain_text

__all__ = ["serve"]

_PRINTED = 4000


class _Channel:
    """Requests in, frames out, over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def _read(self, count: int) -> bytes:
        parts = []
        while count:
            part = self.connection.recv(count)
            if not part:
                os._exit(0)  # the supervisor is gone
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive(self) -> dict[str, Any]:
        """The next request; it comes from the trusted side."""
        (length,) = wire.LENGTH.unpack(self._read(wire.LENGTH.size))
        request: dict[str, Any] = pickle.loads(self._read(length))
        return request

    def send(self, message: Message, arrays: Iterable[Any] = ()) -> None:
        self.connection.sendall(wire.encode(message, arrays))


def _seed() -> None:
    """The same random numbers in every run, so that a regrade gives the same score."""
    import random

    random.seed(0)
    if (numpy := sys.modules.get("numpy.random")) is not None:
        numpy.seed(0)
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(0)  # see checks.core.own_random_state


def _function(source: str, name: str) -> Any:
    """The function that the source defines, in a module of its own."""
    module = ModuleType("probe")
    code = compile(f"from __future__ import annotations\n{source}", "<probe>", "exec", dont_inherit=True)
    exec(code, module.__dict__)
    return module.__dict__[name]


def _fits(arrays: Collection[Any]) -> bool:
    limits = wire.DEFAULT
    return (
        sum(array.size for array in arrays) <= limits.elements
        and sum(array.nbytes + 512 for array in arrays) <= limits.array_bytes
        and len(arrays) <= limits.arrays
        and all(array.ndim <= limits.dimensions for array in arrays)
    )


class Worker:
    """Answers requests about one submission."""

    def __init__(self, channel: _Channel, shell: Shell, observer: ModuleType) -> None:
        self.channel, self.shell, self.observer = channel, shell, observer

    def cell(self, id: int, seconds: float, source: str, limit: int) -> None:
        """Run a cell."""
        status, outputs, took = self.shell.run(source, seconds, limit)
        try:
            self.channel.send(CellDone(id, status, outputs, took))
        except UnicodeError:
            self.channel.send(CellDone(id, status, [], took))

    def probe(
        self,
        id: int,
        seconds: float,
        source: str,
        function: str,
        names: Sequence[str],
        cases: Sequence[tuple[Any, Sequence[str]]],
    ) -> None:
        """Run a probe on each case, given as data and needed names; one reply per case, and one at the end."""
        begun, timer, printed, text = time.perf_counter(), Timer(), "", io.StringIO()
        question = SimpleNamespace(names=tuple(names), probe=None)
        try:
            with self.observer.quiet() as text, self.shell.builtin_trap, alarm(seconds) as timer:
                question.probe = _function(source, function)
                for index, (data, needed) in enumerate(cases):
                    group, case = SimpleNamespace(names=tuple(needed)), SimpleNamespace(data=data)
                    seen = self.observer.observe(question, group, case, self.shell.user_ns)
                    timer.armed = False  # a reply is sent as a whole
                    if timer.fired:
                        break
                    self._tell(id, index, seen)
                    timer.armed = True
                    if timer.fired:
                        break
        except BaseException as error:
            printed = f"{type(error).__name__}: {plain_text(error)}\n"
        text.seek(0)
        printed += plain_text(text.read(_PRINTED))
        status: Literal["ok", "time"] = "time" if timer.fired else "ok"
        self.channel.send(ProbeDone(id, status, printed[:_PRINTED], time.perf_counter() - begun))

    def _tell(self, id: int, index: int, seen: Any) -> None:
        """Send what the observer found in a case: arrays by name, or why there are none."""
        if not isinstance(seen, dict):
            wrong = tuple(plain_text(name) for name in seen.wrong)
            self.channel.send(CaseDone(id, index, seen.kind, plain_text(seen.text)[:4000], wrong))
        elif _fits(seen.values()):
            names = tuple(plain_text(name) for name in seen)
            self.channel.send(CaseDone(id, index, arrays=names), seen.values())
        else:
            self.channel.send(CaseDone(id, index, "form", "what came back is too large"))

    def run(self) -> None:
        """Answer until the supervisor hangs up."""
        self.channel.send(Ready())
        answers: dict[str, Callable[..., None]] = {"cell": self.cell, "probe": self.probe}
        while True:
            request = self.channel.receive()
            answers[request.pop("op")](**request)


def serve(connection: socket.socket, shell: Shell, observer: ModuleType, library: str) -> None:
    """Be the worker at the other end of ``connection``; never returns.

    Args:
        connection: to the supervisor.
        shell: made by the warm parent.
        observer: the module with ``observe`` and ``quiet``, the part of a check that touches the student's objects.
        library: folder with the student's copy of the library, put first on the path.
    """
    sys.path.insert(0, library)
    _seed()
    shell.capture()
    Worker(_Channel(connection), shell, observer).run()
