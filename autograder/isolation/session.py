"""One submission in isolation: its cells and probes, over as many workers as it takes.

A worker that breaks the protocol, ends, or takes too long is killed; the next request starts a new one, which first
runs again the earlier cells (those that did not end or time out a worker).
"""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from numpy.typing import NDArray

from . import wire
from .limits import Limits
from .link import Link
from .messages import CaseDone, CellDone, CellOutput, Display, Message, ProbeDone, Ready, Value
from .source import WorkerSource
from .wire import FrameError

__all__ = ["CellResult", "ProbeResult", "Reply", "Session"]

Array = NDArray[Any]

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
class Reply:
    """What came back for a case: ``arrays`` when ``kind`` is empty, otherwise why none did.

    ``kind``: missing, unanswered, error, form (see :class:`autograder.perform.Seen`), time, died, or unrun.
    """

    kind: str
    text: str = ""
    name: str = ""
    arrays: dict[str, Array] = field(default_factory=dict)
    changed: tuple[int, ...] = ()


@dataclass(frozen=True)
class ProbeResult:
    """Outcome of a probe: one reply for each case, in order, and what the code printed."""

    replies: tuple[Reply, ...]
    printed: str = ""
    seconds: float = 0.0


class _Gone(Exception):
    """The worker is no longer there. ``reason`` is a key of ``_REASONS``."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text or _REASONS[reason])
        self.reason = reason


class Session:
    """One submission in isolation: cells and probes in order, over as many workers as it takes.

    Args:
        workers: where its workers come from.
        copy: the student's copy of the library (see :mod:`withhold`).
        limits: what the submission may use.
        frame_limits: the largest answer.
    """

    def __init__(
        self,
        workers: WorkerSource,
        copy: Path,
        limits: Limits | None = None,
        *,
        frame_limits: wire.FrameLimits = wire.DEFAULT,
    ) -> None:
        self.workers, self.copy = workers, copy
        self.limits = limits or Limits()
        self.frame_limits = frame_limits
        self.restarts = 0
        self.peak_kb = 0
        self._worker: Link | None = None
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

    def another(self) -> Session:
        """A session like this one, at its beginning."""
        return Session(self.workers, self.copy, self.limits, frame_limits=self.frame_limits)

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

    def _ready(self) -> Link:
        """The worker, a new one with the earlier cells run again if the last is gone."""
        while self._worker is None:
            if self._started:
                self.restarts += 1
            else:
                self._started = True
                self._end = time.monotonic() + self.limits.notebook_seconds
            self._scratch = self.workers.scratch()
            self._worker = self.workers.worker(self.copy, self.limits, self._scratch, self.frame_limits)
            for source in list(self._replay):
                try:
                    self._run_cell(source)
                except _Gone:  # it went well before; without it, then
                    self._replay.remove(source)
                    if self._obstacle():
                        raise
                    break
        return self._worker

    def _exchange(self, worker: Link, request: dict[str, Any]) -> Iterator[tuple[Message, dict[str, Array]]]:
        """Send a request and yield answers to it, until the caller stops; the worker is dropped when it fails."""
        self._number += 1
        seconds = min(self.limits.cell_seconds, max(self._left(), 0.01))
        deadline = time.monotonic() + seconds + self.limits.grace_seconds
        try:
            worker.send({**request, "id": self._number, "seconds": seconds}, deadline)
            while True:
                answer, arrays = worker.receive(deadline)
                if isinstance(answer, Ready) or answer.id != self._number:
                    raise FrameError("answer", "an answer to nothing that was asked")
                yield answer, arrays
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
        answer, _ = next(self._exchange(self._worker, request))
        if not isinstance(answer, CellDone):
            raise self._failure(FrameError("answer", "not the answer to a cell"))
        outputs = [output for one in answer.outputs if (output := _rebuilt(one)) is not None]
        return CellResult(answer.status, tuple(outputs), seconds=answer.seconds)

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

    def probe(
        self,
        names: Sequence[str],
        cases: Sequence[Mapping[str, Any]],
        modules: Sequence[str] = (),
        question: str = "",
    ) -> ProbeResult:
        """Put calls to the student's code, one after the other.

        Args:
            names: the student's names that are used.
            cases: calls as data, see :func:`autograder.perform.answered`.
            modules: texts of the modules, each standing alone, whose functions calls name.
            question: the id of what is asked, whose own references refuse.

        Returns:
            A reply per case. Cases answered before the code ended or ran out of time keep their reply.

        Raises:
            IsolationError: a worker could not be started.
        """
        if obstacle := self._obstacle():
            return ProbeResult((Reply("unrun", f"not run: {obstacle}"),) * len(cases))
        request = {
            "op": "probe",
            "names": list(names),
            "cases": list(cases),
            "modules": list(modules),
            "question": question,
        }
        begun, printed = time.monotonic(), ""
        replies: list[Reply] = []
        took_longer = f"your code took longer than {self.limits.cell_seconds:g} s"
        try:
            ending = self._collect(request, len(cases), replies)
            printed = ending.printed
            early = Reply("error", "your code ended the answer early")
            rest = Reply("time", took_longer) if ending.status == "time" else early
        except _Gone as gone:
            died = Reply("died", f"your code could not be graded: {gone}")
            rest = Reply("time", f"{took_longer}; {gone}") if gone.reason == "time" else died
        replies += [rest] * (len(cases) - len(replies))
        return ProbeResult(tuple(replies), printed, time.monotonic() - begun)

    def _collect(self, request: dict[str, Any], count: int, replies: list[Reply]) -> ProbeDone:
        """Send a probe of ``count`` cases and add each reply as it comes, up to the message that ends them."""
        elements = 0
        for answer, arrays in self._exchange(self._ready(), request):
            if isinstance(answer, ProbeDone):
                return answer
            if not isinstance(answer, CaseDone) or answer.index != len(replies) or len(replies) == count:
                raise self._failure(FrameError("answer", "not the answer to the next case"))
            replies.append(Reply(answer.kind, answer.text, answer.name, arrays, answer.changed))
            elements += sum(array.size for array in arrays.values())
            if elements > 4 * self.frame_limits.elements:
                raise self._failure(FrameError("size", "the answers to one question are too large together"))
        raise AssertionError("unreachable")


_BASE64 = re.compile(r"[A-Za-z0-9+/=\n]*")


def _rebuilt(output: CellOutput) -> dict[str, Any] | None:
    """A worker's output in nbformat's words: plain text and bitmap images, nothing that could run."""
    built: dict[str, Any] = msgspec.to_builtins(output)
    if not isinstance(output, Display | Value):
        return built
    kept = {
        name: text
        for name, text in output.data.items()
        if name == "text/plain" or (name in ("image/png", "image/jpeg") and _BASE64.fullmatch(text))
    }
    return {**built, "data": kept, "metadata": {}} if kept else None
