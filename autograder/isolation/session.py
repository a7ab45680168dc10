"""One submission in isolation: its cells and probes, over as many workers as it takes.

A worker that breaks the protocol, ends, or takes too long is killed; the next request starts a new one, which first
runs again the earlier cells (those that did not end or time out a worker), on a budget of their own.
"""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from numpy.typing import NDArray

from . import wire
from .limits import Limits
from .link import Link, Watch
from .messages import CaseDone, CellDone, CellOutput, Display, Message, ProbeDone, Ready, Value
from .source import WorkerSource
from .timing import Budget, not_reached, stopped
from .wire import FrameError

__all__ = ["CellResult", "ProbeResult", "Reply", "Session"]

Array = NDArray[Any]

_REASONS = {
    "exit": "it ended the Python process",
    "killed": "its process was killed, most likely for want of memory",
    "crash": "its process crashed",
    "protocol": "it answered with something that is not an answer",
}


@dataclass(frozen=True)
class CellResult:
    """Outcome of a cell. ``status``: ok, error, time, died, or not run; ``reason`` says why, where it is not ok or error.

    ``seconds`` of processor time, by this side's clock.
    """

    status: str
    outputs: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Reply:
    """What came back for a case: ``arrays`` when ``kind`` is empty, otherwise why none did.

    ``kind``: missing, unanswered, error, form (see :class:`autograder.perform.Seen`), time, died, or unrun. ``seconds`` of
    processor time, by this side's clock.
    """

    kind: str
    text: str = ""
    name: str = ""
    arrays: dict[str, Array] = field(default_factory=dict)
    changed: tuple[int, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class ProbeResult:
    """Outcome of a probe: one reply for each case, in order, what the code printed, and its processor time."""

    replies: tuple[Reply, ...]
    printed: str = ""
    seconds: float = 0.0


class _Gone(Exception):
    """The worker is no longer there. ``reason`` is a key of ``_REASONS``, or time."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
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
        self._replay: list[tuple[str, bool]] = []
        self._number = 0
        self._notebook = self._budget(self.limits.notebook_seconds)
        self._replays = self._budget(self.limits.replay_seconds)
        self._purse = self._notebook  # which of the two pays for what runs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ran(self) -> list[str]:
        """The cells that were run, in order."""
        return [source for source, _ in self._replay]

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

    def _budget(self, seconds: float) -> Budget:
        return Budget(seconds, self.limits.wall_factor * seconds, beside=0.0)

    @property
    def _spent(self) -> bool:
        """Whether a budget of the whole notebook is used up."""
        return self._notebook.over or (self._worker is None and self._replays.over)

    def _obstacle(self) -> str:
        """Why nothing more is run, or an empty string."""
        if self._notebook.over:
            return f"the whole notebook {self._notebook}"
        if self._spent:
            return f"its cells were run again after their process had ended, which {self._replays}"
        if self._worker is None and self._started and self.restarts >= self.limits.restarts:
            return f"its process was replaced {self.restarts} times already"
        return ""

    def _ready(self) -> Link:
        """The worker, a new one with the earlier cells run again if the last is gone."""
        while self._worker is None:
            self.restarts += self._started
            self._started = True
            self._scratch = self.workers.scratch()
            self._worker = self.workers.worker(self.copy, self.limits, self._scratch, self.frame_limits)
            self._purse = self._replays
            try:
                self._run_again()
            finally:
                self._purse = self._notebook
        return self._worker

    def _run_again(self) -> None:
        """Run the earlier cells, up to one that ends the worker: it went well before, and is left out from now on.

        Raises:
            _Gone: nothing more can be run.
        """
        for cell in list(self._replay):
            try:
                self._run_cell(*cell)
            except _Gone:
                self._replay.remove(cell)
                if self._obstacle():
                    raise
                return
            if self._replays.over:
                self._drop(kill=True)
                raise _Gone("time", f"was not run: {self._obstacle()}")

    def _exchange(
        self, worker: Link, request: dict[str, Any]
    ) -> Generator[tuple[Message, dict[str, Array], Budget]]:
        """Send a request and yield answers to it, until the caller stops, each with what the request has taken.

        The worker is dropped when it fails.
        """
        self._number += 1
        purse, seconds = self._purse, self.limits.cell_seconds
        budget = purse.part(seconds, self.limits.wall_factor * seconds)
        watch = Watch(worker.clock, budget, self.limits.grace_seconds)
        try:
            worker.send({**request, "id": self._number, "budget": (budget.seconds, budget.wall)}, watch)
            while True:
                answer, arrays = worker.receive(watch)
                if isinstance(answer, Ready) or answer.id != self._number:
                    raise FrameError("answer", "an answer to nothing that was asked")
                watch.note()
                yield answer, arrays, budget
        except FrameError as error:
            raise self._failure(error, f"{self._told(budget)} and did not stop then") from error
        finally:
            purse.charge(budget.used, budget.passed)

    def _told(self, budget: Budget) -> str:
        """What a request took, and of what, where it was stopped."""
        if budget.seconds < self.limits.cell_seconds:
            return f"{budget}, all that was left of the notebook's {self.limits.notebook_seconds:g} s"
        return str(budget)

    def _failure(self, error: FrameError, took: str = "") -> _Gone:
        """Drop the worker and say how it failed; ``took`` says what it took."""
        ended = self._drop(kill=error.reason != "closed")
        if error.reason == "timeout":
            return _Gone("time", took)
        if error.reason != "closed":
            return _Gone("protocol", f"{_REASONS['protocol']} ({error})")
        code = int(ended.get("code", -signal.SIGKILL))
        if code >= 0:
            return _Gone("exit", f"{_REASONS['exit']} (exit code {code})")
        reason = "killed" if -code == signal.SIGKILL else "crash"
        return _Gone(reason, f"{_REASONS[reason]} (signal {-code})")

    def _run_cell(self, source: str, given: bool) -> CellResult:
        """Run a cell in the worker that is there."""
        assert self._worker is not None
        limit = self.limits.output_kb * 1024
        request = {"op": "cell", "source": source, "limit": limit, "given": given}
        with closing(self._exchange(self._worker, request)) as answers:
            answer, _, budget = next(answers)
        if not isinstance(answer, CellDone):
            raise self._failure(FrameError("answer", "not the answer to a cell"))
        outputs = [output for one in answer.outputs if (output := _rebuilt(one)) is not None]
        reason = f"it {self._told(budget)}" if answer.status == "time" else ""
        return CellResult(answer.status, tuple(outputs), reason, budget.used)

    def run_cell(self, source: str, *, given: bool = False) -> CellResult:
        """Run a cell of the notebook; nothing is raised for anything that it does.

        Args:
            source: its text.
            given: whether it is the course's own, which runs with the global state as the course ships it.

        Raises:
            IsolationError: a worker could not be started.
        """
        if obstacle := self._obstacle():
            return CellResult("time" if self._spent else "not run", reason=f"not run: {obstacle}")
        before = self._notebook.used
        try:
            self._ready()
            result = self._run_cell(source, given)
        except _Gone as gone:
            seconds = self._notebook.used - before
            if gone.reason == "time":
                return CellResult("time", reason=f"it {gone}", seconds=seconds)
            return CellResult("died", reason=str(gone), seconds=seconds)
        if result.status != "time":
            self._replay.append((source, given))
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
            kind = "time" if self._spent else "unrun"
            return ProbeResult((Reply(kind, f"not run: {obstacle}"),) * len(cases))
        request = {
            "op": "probe",
            "names": list(names),
            "cases": list(cases),
            "modules": list(modules),
            "question": question,
        }
        before, printed, stop = self._notebook.used, "", ""
        replies: list[Reply] = []
        rest = Reply("error", "your code ended the answer early")
        try:
            ending, budget = self._collect(request, len(cases), replies)
            printed = ending.printed
            if ending.status == "time":
                stop = self._told(budget)
        except _Gone as gone:
            rest = Reply("died", f"your code could not be graded: {gone}")
            if gone.reason == "time":
                stop = str(gone)
        used = self._notebook.used - before
        replies += _stopped(stop, replies, len(cases)) if stop else [rest] * (len(cases) - len(replies))
        return ProbeResult(tuple(replies), printed, used)

    def _collect(self, request: dict[str, Any], count: int, replies: list[Reply]) -> tuple[ProbeDone, Budget]:
        """Send a probe of ``count`` cases and add each reply as it comes, up to the message that ends them."""
        elements, before = 0, 0.0
        with closing(self._exchange(self._ready(), request)) as answers:
            for answer, arrays, budget in answers:
                if isinstance(answer, ProbeDone):
                    return answer, budget
                if not isinstance(answer, CaseDone) or answer.index != len(replies) or len(replies) == count:
                    raise self._failure(FrameError("answer", "not the answer to the next case"))
                took, before = budget.used - before, budget.used
                replies.append(Reply(answer.kind, answer.text, answer.name, arrays, answer.changed, took))
                elements += sum(array.size for array in arrays.values())
                if elements > 4 * self.frame_limits.elements:
                    raise self._failure(
                        FrameError("size", "the answers to one question are too large together")
                    )
        raise AssertionError("unreachable")


def _stopped(stop: str, replies: Sequence[Reply], count: int) -> list[Reply]:
    """Replies for the case that was stopped and for those that it left no time for."""
    first = Reply("time", stopped(stop, sum(reply.seconds for reply in replies)))
    return ([first] + [Reply("time", not_reached(stop))] * count)[: count - len(replies)]


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
