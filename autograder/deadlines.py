"""When a set is due, and what lateness costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from autograder.course import CourseError
from autograder.graded import Graded

DAY = 86_400.0


@dataclass(frozen=True)
class Deadline:
    """When a set is due.

    Args:
        due: with its time zone; None: nothing is ever late.
        off_per_day: points taken off for each day that was begun after that, down to 0 points in all.

    Raises:
        CourseError: points are negative or have no due time, or ``due`` has no time zone.
    """

    due: datetime | None = None
    off_per_day: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.off_per_day < math.inf:
            raise CourseError(f"points off per day must be 0 or more; got {self.off_per_day:g}")
        if self.due is not None and self.due.tzinfo is None:
            raise CourseError(
                f"the due time needs a time zone, such as +00:00; got {self.due.isoformat(' ')}"
            )
        if self.off_per_day and self.due is None:
            raise CourseError("points are taken off per day late, but no due time is given")

    def late_s(self, handed_in: datetime | None, extension: timedelta = timedelta(0)) -> float:
        """Seconds after the due time and an extension; 0 where it is not known when it was handed in."""
        if self.due is None or handed_in is None:
            return 0.0
        return max(0.0, (handed_in - self.due - extension).total_seconds())

    def penalty(self, late_s: float) -> float:
        """Points taken off."""
        return self.off_per_day * math.ceil(late_s / DAY)

    def applied(self, graded: Graded, extension: timedelta = timedelta(0)) -> Graded:
        """A submission with what its lateness costs."""
        late = self.late_s(graded.handed_in, extension)
        return replace(graded, late_s=late, penalty=self.penalty(late))


#: Nothing is late.
NO_DEADLINE = Deadline()


def due_time(text: str) -> datetime:
    """A due time such as ``2026-12-01 23:59+01:00``; without a zone it is that of this machine.

    Raises:
        CourseError: the text is no time.
    """
    try:
        due = datetime.fromisoformat(text)
    except ValueError:
        raise CourseError(f"{text!r} is no time; write it like 2026-12-01 23:59+01:00") from None
    return due.astimezone(UTC)
