"""Rules that are the instructor's to set: when a set is due, what lateness costs, and who works together."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.course import CourseError

DAY = 86_400.0


@dataclass(frozen=True)
class Rules:
    """How handing in counts.

    Args:
        due: when the set is due, with its time zone; None: nothing is ever late.
        off_per_day: points taken off for each day that was begun after that, down to 0 points in all.
        groups: the members of each group, by its name.

    Raises:
        CourseError: points are negative, ``due`` has no time zone, or a student is in two groups.
    """

    due: datetime | None = None
    off_per_day: float = 0.0
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.off_per_day < math.inf:
            raise CourseError(f"points off per day must be 0 or more; got {self.off_per_day:g}")
        if self.due is not None and self.due.tzinfo is None:
            raise CourseError(
                f"the due time needs a time zone, such as +00:00; got {self.due.isoformat(' ')}"
            )
        if self.off_per_day and self.due is None:
            raise CourseError("points are taken off per day late, but no due time is given")
        owner: dict[str, str] = {}
        for group, members in self.groups.items():
            for student in members:
                if student in owner:
                    raise CourseError(f"{student!r} is in two groups, {owner[student]!r} and {group!r}")
                owner[student] = group

    def late_s(self, handed_in: datetime | None, extension: timedelta = timedelta(0)) -> float:
        """Seconds after the due time and an extension; 0 where it is not known when it was handed in."""
        if self.due is None or handed_in is None:
            return 0.0
        return max(0.0, (handed_in - self.due - extension).total_seconds())

    def penalty(self, late_s: float) -> float:
        """Points taken off."""
        return self.off_per_day * math.ceil(late_s / DAY)

    def group_of(self, name: str) -> str:
        """The group that a submission's name, a group's or a member's, stands for; empty when it is one person's."""
        if name in self.groups:
            return name
        return next((group for group, members in self.groups.items() if name in members), "")


#: Nothing is late, and everyone works alone.
NO_RULES = Rules()


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


def read_groups(file: Path) -> dict[str, tuple[str, ...]]:
    """Who works together: a CSV file with the columns ``group`` and ``student``, a row for each member.

    Raises:
        CourseError: the file cannot be read, lacks a column, or a row lacks a name; the message says which.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"the groups {file} cannot be read: {error}") from error
    found: dict[str, list[str]] = {}
    for line, row in enumerate(rows, start=2):
        group, student = ((row.get(name) or "").strip() for name in ("group", "student"))
        if not group or not student:
            raise CourseError(
                f"the groups {file}, line {line}: it needs a group and a student; got {dict(row)}"
            )
        found.setdefault(group, []).append(student)
    if not found:
        raise CourseError(f"the groups {file} hold no row; write the columns group and student")
    return {group: tuple(members) for group, members in found.items()}
