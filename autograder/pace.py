"""Speed in the verdict: a right answer that the cells below would wait for is told so, and loses nothing.

A question that is used in a long computation declares a small call and how many of its size that comes to:

    pace=Pace(call("firing_time", ...), calls=1800, below="the training on digits", advice="Compute ... at once.")

When all of its groups are right, the call is put to the answer and to the reference, on the same machine and in
processor time. The result gets a remark when the answer is both ``SLOWER`` times slower and so slow that the cells
below take longer than ``LONG``. The statement in the notebook has to say what is expected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from autograder.pace_probe import timed
from autograder.perform import Seen, attempt
from autograder.question import Call, Pace, Question, call
from autograder.result import Result, number

SLOWER = 10.0
LONG = 60.0  # s


def timing(pace: Pace) -> Call:
    """The call that measures."""
    return call(timed, of=pace.call.of, args=list(pace.call.args), kwargs=dict(pace.call.kwargs))


def _seconds(seen: Seen) -> float | None:
    """What was measured, if something was."""
    found = seen.arrays.get("seconds")
    return float(found) if found is not None and found.shape == () and np.isfinite(found) else None


def _rounded(value: float) -> str:
    return number(float(f"{value:.1g}"))


def remark(pace: Pace, seconds: float, reference: float) -> str:
    """What is said of an answer that took so long where the reference took ``reference``; nothing if it is fast enough."""
    times, whole = seconds / max(reference, 1e-9), seconds * pace.calls
    if times < SLOWER or whole < LONG:
        return ""
    minutes = _rounded(whole / 60)
    takes = f"some {minutes} minute{'' if minutes == '1' else 's'}"
    return (
        f"Right, and about {_rounded(times)} times slower than the reference: "
        f"{pace.below} will take {takes}. {pace.advice}"
    )


def paced(question: Question, result: Result, see: Callable[[Call], Seen]) -> Result:
    """The result, with a remark where a right answer is too slow for what follows.

    Args:
        question: what was asked.
        result: its outcome.
        see: puts a call to the answer.
    """
    if question.pace is None or result.score < result.points:
        return result
    measure = timing(question.pace)
    seconds = _seconds(see(measure))
    tensors = question.right_in_torch
    reference = _seconds(attempt(question.pace.reference or question.answer, measure, (), tensors=tensors))
    if seconds is None or reference is None:
        return result
    said = remark(question.pace, seconds, reference)
    return replace(result, remarks=(*result.remarks, said)) if said else result
