"""The student's side: runs cells, and the probes that are sent to it, and answers with plain data.

A worker holds the student's names and nothing else: no test, reference, score or database. A probe comes as the
source of a function; its inputs come as data; what it returns goes back as arrays. Everything this module sends may
have been forged by the code that it runs, and the supervisor treats it so.
"""

from __future__ import annotations

import io
import os
import socket
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import Any

from . import wire
from .shell import Shell, Timer, alarm, plain_text

__all__ = ["serve"]

_PRINTED = 4000


class _Channel:
    """Frames over a socket."""

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
        request: dict[str, Any] = wire.read_frame(self._read, wire.TRUSTED)
        return request

    def send(self, value: dict[str, Any]) -> None:
        self.connection.sendall(wire.encode(value))


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


def _fits(value: dict[str, Any]) -> bool:
    limits = wire.DEFAULT
    arrays = list(value["arrays"].values())
    return (
        sum(array.size for array in arrays) <= limits.elements
        and sum(array.nbytes + 512 for array in arrays) <= limits.array_bytes
        and len(arrays) <= limits.arrays
        and all(array.ndim <= limits.dimensions for array in arrays)
    )


def _outcome(seen: Any) -> dict[str, Any]:
    """What the observer found, as plain data."""
    if isinstance(seen, dict):
        reply = {"kind": "", "text": "", "wrong": [], "arrays": {plain_text(key): seen[key] for key in seen}}
        if _fits(reply):
            return reply
        return {"kind": "form", "text": "what came back is too large", "wrong": [], "arrays": {}}
    text = plain_text(seen.text)[:4000]
    return {"kind": seen.kind, "text": text, "wrong": [plain_text(name) for name in seen.wrong], "arrays": {}}


class Worker:
    """Answers requests about one submission."""

    def __init__(self, channel: _Channel, shell: Shell, observer: ModuleType) -> None:
        self.channel, self.shell, self.observer = channel, shell, observer

    def cell(self, request: dict[str, Any]) -> None:
        """Run a cell."""
        done = self.shell.run(request["source"], request["seconds"], request["limit"])
        reply = {"id": request["id"], "op": "cell", **done}
        try:
            self.channel.send(reply)
        except UnicodeError:
            self.channel.send({**reply, "outputs": []})

    def probe(self, request: dict[str, Any]) -> None:
        """Run a probe on each case; one reply per case, and one at the end."""
        begun, timer, printed, text = time.perf_counter(), Timer(), "", io.StringIO()
        question = SimpleNamespace(names=tuple(request["names"]), probe=None)
        try:
            with self.observer.quiet() as text, self.shell.builtin_trap, alarm(request["seconds"]) as timer:
                question.probe = _function(request["source"], request["function"])
                for index, case in enumerate(request["cases"]):
                    group = SimpleNamespace(names=tuple(case["names"]))
                    seen = self.observer.observe(
                        question, group, SimpleNamespace(data=case["data"]), self.shell.user_ns
                    )
                    timer.armed = False  # a reply is sent as a whole
                    if timer.fired:
                        break
                    self.channel.send({"id": request["id"], "op": "case", "index": index, **_outcome(seen)})
                    timer.armed = True
                    if timer.fired:
                        break
        except BaseException as error:
            printed = f"{type(error).__name__}: {plain_text(error)}\n"
        text.seek(0)
        printed += plain_text(text.read(_PRINTED))
        self.channel.send(
            {
                "id": request["id"],
                "op": "done",
                "status": "time" if timer.fired else "ok",
                "printed": printed[:_PRINTED],
                "seconds": time.perf_counter() - begun,
            }
        )

    def run(self) -> None:
        """Answer until the supervisor hangs up."""
        self.channel.send({"op": "ready"})
        while True:
            request = self.channel.receive()
            (self.cell if request["op"] == "cell" else self.probe)(request)


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
