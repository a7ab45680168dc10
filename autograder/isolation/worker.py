"""The student's side: runs cells, and the probes that are sent to it, and answers with plain data.

A worker holds the student's names and the references that its cells ask for, and nothing else: no test,
score or database. A probe comes as the source of a function; its inputs come as data; what it returns goes back
as arrays. Everything this module sends may have been forged by the code that it runs, and the supervisor treats
it so.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import ModuleType
from typing import Any, Literal

from . import everyday, wire
from .kept import plain_text
from .messages import CaseDone, CellDone, Message, ProbeDone, Ready
from .shell import Shell, spare_memory
from .timing import Budget, TimeLimit, call

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
        torch.default_generator.manual_seed(0)  # see perform.own_random_state


def _module(text: str) -> dict[str, Any]:
    """The names of a module of its own that the text defines."""
    module = ModuleType("probe")
    exec(compile(text, "<probe>", "exec", dont_inherit=True), module.__dict__)
    return module.__dict__


def _asking(question: str) -> AbstractContextManager[None]:
    """While a question is asked, what ``use_reference`` gave for it refuses; nothing where nothing was imported."""
    reference = sys.modules.get("autograder.reference")
    return nullcontext() if reference is None else reference.asking(question)


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

    def __init__(self, channel: _Channel, shell: Shell, observer: ModuleType, course: Any) -> None:
        self.channel, self.shell, self.observer, self.course = channel, shell, observer, course

    def cell(self, id: int, budget: Sequence[float], source: str, limit: int, given: bool) -> None:
        """Run a cell; one that is given with the global state as the course ships it."""
        with self.course.given() if given else nullcontext():
            status, outputs = self.shell.run(source, Budget(*budget), limit)
        try:
            self.channel.send(CellDone(id, status, outputs))
        except UnicodeError:
            self.channel.send(CellDone(id, status, []))

    def probe(
        self,
        id: int,
        budget: Sequence[float],
        names: Sequence[str],
        cases: Sequence[Mapping[str, Any]],
        modules: Sequence[str],
        question: str,
    ) -> None:
        """Put calls to the student's code; one reply per call, and one at the end."""
        allowed, printed, text = Budget(*budget), "", io.StringIO()
        try:
            with (
                self.course.shipped(),
                self.observer.quiet() as text,
                self.shell.builtin_trap,
                _asking(question),
                spare_memory(),
            ):
                made, own = [_module(one) for one in modules], self.shell.user_ns
                answer = {name: own[name] for name in names if name in own}
                for index, case in enumerate(cases):
                    with self.course.values():
                        seen = call(partial(self.observer.answered, answer, case, made), allowed)
                    if allowed.over:
                        break
                    self._tell(id, index, seen)
        except TimeLimit:
            pass
        except BaseException as error:
            printed = f"{type(error).__name__}: {plain_text(error)}\n"
        text.seek(0)
        printed += plain_text(text.read(_PRINTED))
        status: Literal["ok", "time"] = "time" if allowed.over else "ok"
        self.channel.send(ProbeDone(id, status, printed[:_PRINTED]))

    def _tell(self, id: int, index: int, seen: Any) -> None:
        """Send what came of a call: arrays by name, or why there are none."""
        if seen.trouble:
            text, name = plain_text(seen.text)[:4000], plain_text(seen.name)[:200]
            self.channel.send(CaseDone(id, index, seen.trouble, text, name, changed=seen.changed[:100]))
        elif _fits(seen.arrays.values()):
            names = tuple(plain_text(name) for name in seen.arrays)
            self.channel.send(
                CaseDone(id, index, arrays=names, changed=seen.changed[:100]), seen.arrays.values()
            )
        else:
            self.channel.send(CaseDone(id, index, "form", "what came back is too large"))

    def run(self) -> None:
        """Answer until the supervisor hangs up."""
        self.channel.send(Ready())
        answers: dict[str, Callable[..., None]] = {"cell": self.cell, "probe": self.probe}
        while True:
            request = self.channel.receive()
            answers[request.pop("op")](**request)


def serve(
    connection: socket.socket,
    shell: Shell,
    observer: ModuleType,
    course: Any,
    library: str,
    *,
    processes: int,
) -> None:
    """Be the worker at the other end of ``connection``; never returns.

    Args:
        connection: to the supervisor.
        shell: made by the warm parent.
        observer: the module with ``answered`` and ``quiet``, the part of a question that touches the student's objects.
        course: the global state as the course ships it, a ``Baseline`` of the module ``state``.
        library: folder with the student's copy of the library, put first on the path; the working folder is next.
        processes: how many the code may start.
    """
    sys.path[:0] = [library, ""]
    if not processes:
        everyday.in_one_process()
    _seed()
    shell.capture()
    course.settle()
    Worker(_Channel(connection), shell, observer, course).run()
