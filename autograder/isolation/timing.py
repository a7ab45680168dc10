"""Limits inside the process that is limited: a tick looks at the process's own clock and ends a call that is over.

Stands alone (standard library), for a notebook's kernel and the sandbox's worker alike. What is counted is processor
time of the whole process, so another's load takes nothing away; the clock on the wall only ends what sleeps.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic, process_time
from types import FrameType
from typing import TypeVar

__all__ = ["Budget", "TimeLimit", "able", "call", "not_reached", "stopped"]

#: Longest and shortest time between two looks at the clocks.
TICK_S, LEAST_S = 0.05, 0.0001
#: Seconds between two interruptions of code that swallows them.
AGAIN_S = 0.2
#: Seconds that may pass for each second of processor time: about as many programs may want the same processor.
BESIDE = 60.0

T = TypeVar("T")


class TimeLimit(BaseException):
    """The time of this cell or question is over. Not an Exception, so that a plain handler does not catch it."""


@dataclass
class Budget:
    """Processor seconds that calls may use together, and seconds that may pass meanwhile; what they took so far.

    Who uses processor time does not sleep: for each second of it, ``beside`` more may pass, which others on the machine take.
    """

    seconds: float
    wall: float
    used: float = 0.0
    passed: float = 0.0
    beside: float = BESIDE

    @property
    def clock(self) -> float:
        """Seconds that may pass."""
        return self.wall + self.beside * self.used

    @property
    def over(self) -> bool:
        """Whether one of the two is used up."""
        return self.used > self.seconds or self.passed > self.clock

    def plus(self, used: float, passed: float) -> Budget:
        """The budget when so much more was taken."""
        return replace(self, used=self.used + used, passed=self.passed + passed)

    def charge(self, used: float, passed: float) -> None:
        """Note that so much more was taken."""
        self.used += used
        self.passed += passed

    def part(self, seconds: float, wall: float) -> Budget:
        """A budget for one call of those that this one is for: so much, or what is left."""
        return Budget(min(seconds, self.seconds - self.used), min(wall, self.wall - self.passed))

    def __str__(self) -> str:
        if self.used <= self.seconds and self.passed > self.wall:
            return (
                f"took {self.passed:.1f} s by the clock with {self.used:.1f} s of processor time, "
                f"where {self.wall:.4g} s may be spent waiting"
            )
        return f"used {self.used:.1f} s of {self.seconds:.4g} s of processor time"


def stopped(took: str, before: float) -> str:
    """What is said of the case that was stopped, where the cases before it used some of the time."""
    share = f", {before:.1f} s of it in the cases before this one" if before >= 0.05 else ""
    return f"your code was stopped: it {took}{share}"


def not_reached(took: str) -> str:
    """What is said of the cases that no time was left for."""
    return f"not reached: in a case before this one your code was stopped: it {took}"


def able() -> bool:
    """Whether a call can be ended here: signals reach the main thread only, and some systems have no such timer."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def call(function: Callable[[], T], budget: Budget) -> T:
    """``function()``, charged to a budget.

    The timer repeats, so code that swallows the exception meets it again, and looks for the frame of ``_inside``: an
    interruption that comes late cannot reach what is not the function's. Where none can come (see :func:`able`), and in
    a call of C that does not look, ``budget.over`` tells afterwards.

    Raises:
        TimeLimit: the budget was used up; only if the function let it pass.
    """
    begun, began = process_time(), monotonic()
    silent_until = 0.0

    def look() -> None:
        """Called again and again inside the function."""
        nonlocal silent_until
        used, passed = process_time() - begun, monotonic() - began
        found = budget.plus(used, passed)
        signal.setitimer(signal.ITIMER_REAL, _pause(found))
        if found.over and passed >= silent_until:
            silent_until = passed + AGAIN_S
            raise TimeLimit(f"stopped: {found}")

    try:
        return _ticking(function, look, _pause(budget)) if able() else function()
    finally:
        budget.charge(process_time() - begun, monotonic() - began)


def _pause(budget: Budget) -> float:
    """Seconds until the clocks are looked at again."""
    left = min(budget.seconds - budget.used, budget.clock - budget.passed)
    return TICK_S if left < 0 else max(LEAST_S, min(left, TICK_S))


def _ticking(function: Callable[[], T], look: Callable[[], None], pause: float) -> T:
    """``function()`` with a timer on, first after ``pause``, which is given back as it was."""

    def ring(_: int, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code is not _inside.__code__:
            frame = frame.f_back
        if frame is not None:
            look()

    handler = signal.signal(signal.SIGALRM, ring)
    timer = signal.setitimer(signal.ITIMER_REAL, pause)
    try:
        return _inside(function)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler if handler is not None else signal.SIG_DFL)


def _inside(function: Callable[[], T]) -> T:
    """The frame that may be interrupted."""
    return function()
