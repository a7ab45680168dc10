"""The time of a question in a notebook's kernel: limited as in grading, by the kernel's own clock."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from autograder.isolation.limits import Limits
from autograder.isolation.timing import Budget, TimeLimit, call, not_reached, stopped
from autograder.perform import Seen
from autograder.result import Result, timed

LIMITS = Limits()
IN_A_THREAD = (
    "`check` was called in a thread, where code that takes too long cannot be stopped: call it in a cell."
)

T = TypeVar("T")


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch, as in grading: several use several times the processor time for the same numbers."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Time:
    """What the calls of one question use."""

    def __init__(self) -> None:
        seconds = LIMITS.check_seconds
        self.budget = Budget(seconds, LIMITS.wall_factor * seconds)

    def limiting(self, see: Callable[[int, T], Seen]) -> Callable[[int, T], Seen]:
        """``see``, with nothing more seen from where the time was used up."""

        def seen(at: int, case: T) -> Seen:
            budget, before = self.budget, self.budget.used
            if budget.over:
                return Seen(trouble="time", text=not_reached(str(budget)))
            found = Seen()
            with one_thread(), suppress(TimeLimit):
                found = call(partial(see, at, case), budget)
            if budget.over:
                return Seen(trouble="time", text=stopped(str(budget), before))
            return found

        return seen

    def told(self, result: Result) -> Result:
        """A result with the time that was used."""
        result = timed(result, self.budget.used, self.budget.seconds)
        if threading.current_thread() is threading.main_thread():
            return result
        return replace(result, remarks=(*result.remarks, IN_A_THREAD))
