"""Results and marks for tests that need no check."""

from __future__ import annotations

from dataclasses import replace

from autograder.graded import Mark
from autograder.result import Failure, GroupResult, Result, Said

RIGHT_PART = GroupResult("one", "one part", 0.5, 0.5, 3)
WRONG_PART = GroupResult(
    "other",
    "the `other`",
    0.5,
    0.0,
    3,
    Failure("value", "it is 2; expected 3", 1, "x", ("y",)),
    Said("mixed_up", "Mixed up."),
)


def result(score: float = 0.5, **changes) -> Result:
    """Two groups of half a point: one right, the other right only where the score is 1."""
    other = replace(WRONG_PART, score=0.5, failure=None, slip=None) if score == 1.0 else WRONG_PART
    hints = () if score == 1.0 else ("Look `there`.",)
    whole = Result("ps9.a", "The slope", 1.0, score, 7, (RIGHT_PART, other), hints, "<hello>", 3)
    return replace(whole, **changes)


def failing(kinds, **changes) -> Result:
    """A result whose groups, by id, fail for these kinds of reason."""
    groups = tuple(
        GroupResult(name, name, 1.0, 0.0, 1, Failure(kind, "no", 0, "x")) for name, kind in kinds.items()
    )
    return result(0.0, groups=groups, points=float(len(groups)), **changes)


def checked(score: float = 0.5, **changes) -> Mark:
    """The mark of such a result."""
    return Mark(1.0, score, result=result(score, **changes))


def read_by_person(score: float | None = None, points: float = 4.0) -> Mark:
    """An answer that a person reads, with the points given so far."""
    return Mark(points, None, manual=True, given=score)
